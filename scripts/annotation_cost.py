"""How many clicks does a video cost? python scripts/annotation_cost.py OUT [--videos 10]
[--frames 400] [--objects 2] [--clicks 40] [--paint] [--model nano]

A scripted annotator works through the session model on held-out synthetic videos. With tracking
(``diverse``, ``recent``): click each object where it first appears, track to the end, and then
again and again take the frame where the masks are worst, click there until J&F is 90 or
``PER_FRAME`` clicks were given, lock it, track anew from there both ways up to the next locked
frames, and accept what that gives where it is better than before. Where the object is not in view,
the annotator states so for the whole absence, which counts as one click. Frame by frame
(``frames``): click on every frame where the object is in view, without tracking.

Until the mean J&F of the video's objects is 90, or ``--clicks`` clicks an object were given; frame
by frame goes to the last frame. ``--paint``: where ``PER_FRAME`` clicks do not make a frame good,
the annotator paints its mask, and there is no end but ``MOST_PAINTED`` painted masks an object.
``OUT`` gets the videos, a JSON file for each video and method, which is not made again, ``cost.md``
and ``cost.png``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from annotation_cost_table import GOOD, METHODS, Cost, Point, report

from sam2s.annotate.previews import Previewer
from sam2s.annotate.run_plan import frames_of
from sam2s.files import write_json
from sam2s.masklets.masklets import MaskletVideo, open_masklets
from sam2s.masklets.masks import encode_rle
from sam2s.metrics import score_frame
from sam2s.model.sam2s import SAM2S
from sam2s.synthetic import VideoSetSpec, synthesize
from sam2s.tracking.annotator import center_click, to_points
from sam2s.tracking.session.actions import (
    Accept,
    Action,
    Discard,
    Give,
    Lock,
    MarkAbsent,
    Propagate,
)
from sam2s.tracking.session.history import History
from sam2s.tracking.session.mask_store import FoundMask, MasksInMemory, found_masks, shown_mask
from sam2s.tracking.session.plan import from_frame
from sam2s.tracking.session.propagate import Known, propagate
from sam2s.tracking.session.ranges import Stretch
from sam2s.tracking.tracker import Tracker
from sam2s.types import Features, Frame, Mask
from sam2s.weights.load import load_model

SEED = 880_001
PER_FRAME = 5
"""Clicks on one object on one frame, at most."""
MOST_PAINTED = 150
AROUND = 4
"""Frames on either side over which the worst place is looked for: a stretch, not an outlier."""


class EncodedOnce:
    """``SAM2S.encode`` that keeps what it gave: every method and run sees the same frames."""

    def __init__(self, model: SAM2S) -> None:
        self._encode = model.encode
        self._kept: dict[bytes, Features] = {}

    def __call__(self, pixels):
        key = pixels.numpy().tobytes()[::997]
        if key not in self._kept:
            self._kept[key] = self._encode(pixels)
        return self._kept[key]

    def clear(self) -> None:
        self._kept.clear()


@dataclass(frozen=True, slots=True)
class NewTrackers:
    """What a ``Previewer`` wants of a `ModelRoom`."""

    model: SAM2S
    memory: str

    def tracker(self, *, reverse: bool = False) -> Tracker:
        return Tracker(self.model, self.memory, reverse=reverse)


class Truth:
    """The video's frames and true masks, in memory."""

    def __init__(self, video: MaskletVideo, objects: int) -> None:
        count = len(video)
        self.frames = [Frame(k, None, video.image(k)) for k in range(count)]
        masks = {i: [_there(video, i, k) for k in range(count)] for i in video.info.objects}
        seen = {i: sum(bool(m.any()) for m in mine) for i, mine in masks.items()}
        self.ids = sorted(sorted(seen, key=lambda i: (-seen[i], i))[:objects])
        self.masks = {i: masks[i] for i in self.ids}

    def absence(self, object_id: int, frame: int) -> Stretch:
        """The frames around ``frame`` on which the object is not in view."""
        mine = self.masks[object_id]
        first, last = frame, frame
        while first > 0 and not mine[first - 1].any():
            first -= 1
        while last + 1 < len(mine) and not mine[last + 1].any():
            last += 1
        return Stretch(first, last)


def _there(video: MaskletVideo, object_id: int, frame: int) -> np.ndarray:
    mask = video.mask(object_id, frame)
    return np.zeros(video.size, bool) if mask is None else mask


class Annotator:
    """Works on one video; ``scores`` {object: (frames,) J&F} are those of what is shown."""

    def __init__(self, truth: Truth, trackers: NewTrackers, *, paints: bool) -> None:
        self.truth, self.trackers, self.paints = truth, trackers, paints
        self.painted = 0
        self.history, self.store = History(), MasksInMemory()
        self.previewer = Previewer(trackers)  # type: ignore[arg-type]
        self.clicks = 0
        self.corrected: dict[int, set[int]] = {i: set() for i in truth.ids}
        self.scores = {i: np.zeros(len(truth.frames)) for i in truth.ids}
        for i in truth.ids:
            self.look(i, range(len(truth.frames)))

    def do(self, action: Action) -> int:
        self.history = self.history.do(action)
        return self.history.used

    def shown(self, object_id: int, frame: int) -> np.ndarray:
        none = np.zeros_like(self.truth.masks[object_id][frame])
        if object_id not in self.history.notes.objects:
            return none
        found = shown_mask(self.history, self.store, object_id, frame)
        return none if found is None else found.mask

    def look(self, object_id: int, frames) -> None:
        for frame in frames:
            true = self.truth.masks[object_id][frame]
            self.scores[object_id][frame] = score_frame(self.shown(object_id, frame), true).jf

    def click_until_good(self, object_id: int, frame: int) -> None:
        """Clicks on one frame, each at the centre of the largest error that is left."""
        true = self.truth.masks[object_id][frame]
        for _ in range(PER_FRAME):
            shown = self.shown(object_id, frame)
            click = center_click(true, shown if shown.any() else None)
            self.do(Give(object_id, frame, to_points([click])))
            version, found = self.previewer.preview(
                self.history, self.store, object_id, lambda: self.truth.frames[frame], frame
            )
            self.store.write(version, frame, {object_id: found})
            self.clicks += 1
            self.look(object_id, [frame])
            if self.scores[object_id][frame] >= GOOD:
                break
        if self.paints and self.scores[object_id][frame] < GOOD:
            self.paint(object_id, frame)
        self.corrected[object_id].add(frame)

    def paint(self, object_id: int, frame: int) -> None:
        true = self.truth.masks[object_id][frame]
        version = self.do(Give(object_id, frame, Mask(true)))
        self.store.write(version, frame, {object_id: FoundMask(encode_rle(true), 1.0, 1.0)})
        self.painted += 1
        self.look(object_id, [frame])

    def state_absence(self, object_id: int, frame: int) -> None:
        stretch = self.truth.absence(object_id, frame)
        self.do(MarkAbsent(object_id, stretch))
        self.clicks += 1
        self.corrected[object_id].update(range(stretch.first, stretch.last + 1))
        self.look(object_id, range(stretch.first, stretch.last + 1))

    def track(self, object_id: int, frame: int, direction) -> None:
        """Track anew from a corrected frame, and keep what that gives where it is better."""
        whole = Stretch(0, len(self.truth.frames) - 1)
        plan = from_frame(self.history.notes, [object_id], frame, whole, direction)
        if not plan:
            return
        version = self.do(Propagate((object_id,), frames_of(plan)))
        known = Known(self.history, self.store)
        changed = []
        for one in plan:
            tracker = self.trackers.tracker(reverse=one.reverse)
            step = -1 if one.reverse else 1
            frames = lambda start, step=step: self._from(start, step)  # noqa: E731
            for here, result in propagate(one, known, tracker, frames):
                self.store.write(version, here.index, found_masks(result))
                changed.append(here.index)
        before = self.scores[object_id][changed].copy()
        self.look(object_id, changed)
        better = self.scores[object_id][changed].sum() >= before.sum()
        self.do(Accept(version) if better else Discard(version))
        if not better:
            self.look(object_id, changed)

    def _from(self, start: int, step: int) -> Iterator[Frame]:
        end = len(self.truth.frames) if step > 0 else -1
        return (self.truth.frames[k] for k in range(start, end, step))

    def worst(self) -> tuple[int, int] | None:
        """(object, frame) at the middle of the worst stretch that was not corrected yet."""
        best = None
        for object_id, scores in self.scores.items():
            smooth = np.convolve(scores, np.ones(2 * AROUND + 1), "same")
            smooth /= np.convolve(np.ones_like(scores), np.ones(2 * AROUND + 1), "same")
            smooth[sorted(self.corrected[object_id])] = np.inf
            smooth[scores >= GOOD] = np.inf
            frame = int(np.argmin(smooth))
            if np.isfinite(smooth[frame]) and (best is None or smooth[frame] < best[0]):
                best = (smooth[frame], object_id, frame)
        return None if best is None else best[1:]

    def point(self) -> Point:
        frames = sum(len(self.history.notes.objects[i].given) for i in self.history.notes.objects)
        jf = float(np.mean([s.mean() for s in self.scores.values()]))
        return Point(self.clicks, frames, jf, self.painted)


def annotate_tracking(
    truth: Truth, trackers: NewTrackers, cap: int, *, paints: bool
) -> list[Point]:
    """The curve of an annotator who tracks."""
    me = Annotator(truth, trackers, paints=paints)
    most = len(truth.ids) * (MOST_PAINTED if paints else cap)
    curve = [me.point()]
    for object_id in truth.ids:
        first = next(k for k, mask in enumerate(truth.masks[object_id]) if mask.any())
        me.click_until_good(object_id, first)
        me.do(Lock(object_id, Stretch(first, first)))
        me.track(object_id, first, "forward")
        curve.append(me.point())
    while curve[-1].jf < GOOD and (me.painted if paints else me.clicks) < most:
        place = me.worst()
        if place is None:
            break
        object_id, frame = place
        if truth.masks[object_id][frame].any():
            me.click_until_good(object_id, frame)
            me.do(Lock(object_id, Stretch(frame, frame)))
            me.track(object_id, frame, "both")
        else:
            me.state_absence(object_id, frame)
        curve.append(me.point())
    return curve


def annotate_frames(truth: Truth, trackers: NewTrackers, *, paints: bool) -> list[Point]:
    """The curve of an annotator who clicks on every frame."""
    me = Annotator(truth, trackers, paints=paints)
    curve = [me.point()]
    for frame in range(len(truth.frames)):
        for object_id in truth.ids:
            if truth.masks[object_id][frame].any():
                me.click_until_good(object_id, frame)
        curve.append(me.point())
    return curve


def main() -> None:
    """Make the videos, annotate them, write the table."""
    given = _arguments()
    spec = VideoSetSpec(
        videos=given.videos, frames=given.frames, size=given.size, seed=SEED, split="test"
    )
    root = given.out / "videos"
    if not (root / "masklets.json").is_file():
        synthesize(root, spec, progress=False)
    model = load_model(given.model, device="cpu")
    encoder = EncodedOnce(model)
    model.encode = encoder  # type: ignore[method-assign]
    for video in open_masklets(root).videos.values():
        truth = None
        for method in METHODS:
            place = given.out / f"{video.name}-{method}.json"
            if place.is_file():
                continue
            truth = truth or Truth(video, given.objects)
            begun = time.perf_counter()
            if method == "frames":
                curve = annotate_frames(truth, NewTrackers(model, "recent"), paints=given.paint)
            else:
                trackers = NewTrackers(model, method)
                curve = annotate_tracking(truth, trackers, given.clicks, paints=given.paint)
            seconds = time.perf_counter() - begun
            name, counts = str(given.model), (len(truth.frames), len(truth.ids))
            cost = Cost(video.name, method, name, *counts, round(seconds, 1), tuple(curve))
            write_json(place, asdict(cost))
            end = curve[-1]
            print(
                f"{video.name} {method}: J&F {100 * end.jf:.1f} after {end.clicks} clicks on"
                f" {end.frames} frames, {end.painted} painted, {seconds:.0f} s",
                flush=True,
            )
        encoder.clear()
    report(given.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--videos", type=int, default=10)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--objects", type=int, default=2, help="of a video, those longest in view")
    parser.add_argument("--clicks", type=int, default=40, help="an object, at most")
    parser.add_argument("--paint", action="store_true", help="what clicks do not make good")
    parser.add_argument("--model", default="nano")
    return parser.parse_args()


if __name__ == "__main__":
    main()
