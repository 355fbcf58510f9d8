"""The kinds of label noise that users of public sets complain of, found in one video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy import ndimage

from sam2s.masklets.masklets import MaskletVideo
from sam2s.masklets.masks import EIGHT_CONNECTED, bounding_window
from sam2s.metrics import jaccard

FULL = 0.98
"""Part of the picture from which on a mask counts as full."""
SAME = 0.5
"""Overlap (IoU) from which on two masks are one thing."""
SPECK = 0.02
"""A component under this part of the object's largest one is a speck."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One doubt. ``frames``: names, the doubtful one last; ``score``: in [0, 1], how bad it looks,
    to rank by; ``other_id``: the second object of a doubt about two."""

    kind: str
    video: str
    object_id: int | None
    frames: tuple[str, ...]
    score: float
    detail: str
    other_id: int | None = None


@dataclass(slots=True)
class _History:
    """What is remembered of one object while its video is read."""

    moves: list[tuple[float, str, str]] = field(default_factory=list)
    specks: list[tuple[int, str]] = field(default_factory=list)
    full: list[str] = field(default_factory=list)
    seen: int = 0
    annotated: int = 0
    last_two: list[tuple[str, np.ndarray]] = field(default_factory=list)


Masks = dict[int, np.ndarray]


class VideoCheck:
    """Walks through one video once; two frames of masks are in memory at a time."""

    def __init__(self, video: MaskletVideo) -> None:
        self.video = video
        self.masks = 0
        self._history = {object_id: _History() for object_id in video.info.objects}
        self._bare: list[str] = []
        self._found: list[Finding] = []

    def findings(self) -> list[Finding]:
        """Everything found, in no order."""
        before: Masks | None = None
        before_name = ""
        for index, name in enumerate(self.video.frame_names):
            masks = self._read(index)
            if not masks:
                self._bare.append(name)
                continue
            self._look_at(name, masks)
            if before is not None:
                self._found += _exchanges(self.video, before, masks, (before_name, name))
            before, before_name = masks, name
        return [*self._found, *self._of_objects(), *self._of_frames()]

    def _read(self, index: int) -> Masks:
        read = {
            object_id: self.video.mask(object_id, index) for object_id in self.video.info.objects
        }
        return {object_id: mask for object_id, mask in read.items() if mask is not None}

    def _look_at(self, name: str, masks: Masks) -> None:
        for object_id, mask in masks.items():
            history = self._history[object_id]
            history.annotated += 1
            if mask.any():
                self.masks += 1
                history.seen += 1
                _measure(history, name, mask)
            self._flicker(object_id, history, mask)
            history.last_two = [*history.last_two[-1:], (name, mask)]

    def _flicker(self, object_id: int, history: _History, mask: np.ndarray) -> None:
        """Gone for one frame, and back at the same place."""
        if len(history.last_two) == 2 and mask.any() and not history.last_two[1][1].any():
            score = jaccard(history.last_two[0][1], mask)
            if score > SAME:
                frames = (history.last_two[0][0], history.last_two[1][0])
                detail = f"absent on one frame, and back at the same place (overlap {score:.2f})"
                self._found.append(
                    Finding("flicker", self.video.name, object_id, frames, score, detail)
                )

    def _of_objects(self) -> Iterator[Finding]:
        name = self.video.name
        for object_id, history in self._history.items():
            if not history.seen:
                detail = f"no pixel on any of its {history.annotated} annotated frames"
                yield Finding("empty", name, object_id, (), 0.9, detail)
            if history.full:
                detail = f"covers {FULL:.0%} of the picture or more on {len(history.full)} frames"
                yield Finding("full", name, object_id, tuple(history.full[:8]), 0.8, detail)
            if history.specks:
                count, worst = max(history.specks)
                part = len(history.specks) / history.seen
                detail = (
                    f"specks on {len(history.specks)} of {history.seen} masks, up to {count} on one"
                )
                yield Finding(
                    "specks",
                    name,
                    object_id,
                    (worst,),
                    0.5 * count / (count + 4) + 0.2 * part,
                    detail,
                )
            yield from _jumps(name, object_id, history)

    def _of_frames(self) -> Iterator[Finding]:
        if self._bare:
            part = len(self._bare) / len(self.video)
            detail = f"{len(self._bare)} of {len(self.video)} frames have no annotation"
            yield Finding(
                "unlabelled", self.video.name, None, tuple(self._bare[:8]), 0.3 * part, detail
            )


def _measure(history: _History, name: str, mask: np.ndarray) -> None:
    if mask.mean() >= FULL:
        history.full.append(name)
    window = bounding_window(mask)
    if window is None:
        return
    labels, count = ndimage.label(mask[window], EIGHT_CONNECTED)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    specks = int((areas < SPECK * areas.max()).sum())
    if specks:
        history.specks.append((specks, name))
    if history.last_two and history.last_two[-1][1].any():
        before_name, before = history.last_two[-1]
        history.moves.append((_distance(before, mask), before_name, name))


def _jumps(video: str, object_id: int, history: _History) -> Iterator[Finding]:
    """Moves that stand out from the object's own: a fast camera is not noise."""
    usual = float(np.median([move for move, _, _ in history.moves])) if history.moves else 0.0
    limit = max(1.0, 5 * usual)
    for move, before, name in history.moves:
        if move > limit:
            detail = f"moves by {move:.1f} of its size between two frames, usually by {usual:.2f}"
            yield Finding(
                "jump", video, object_id, (before, name), min(1.0, move / (2 * limit)), detail
            )


def _exchanges(
    video: MaskletVideo, before: Masks, now: Masks, frames: tuple[str, str]
) -> Iterator[Finding]:
    """Objects that change places, and one that ends where another begins."""
    here = {i: mask for i, mask in now.items() if mask.any()}
    there = {i: mask for i, mask in before.items() if mask.any()}
    for a, b in combinations(sorted(here.keys() & there.keys()), 2):
        crossed = jaccard(there[a], here[b]) + jaccard(there[b], here[a])
        gain = (
            (crossed - jaccard(there[a], here[a]) - jaccard(there[b], here[b])) / 2
            if crossed
            else 0.0
        )
        if gain > SAME / 2:
            detail = f"objects {a} and {b} seem to change names"
            score = min(1.0, 0.5 + gain / 2)
            yield Finding("swap", video.name, a, frames, score, detail, b)
    for a in sorted(there.keys() - here.keys()):
        for b in sorted(here.keys() - there.keys()):
            overlap = jaccard(there[a], here[b])
            if overlap > SAME:
                yield _renamed(video, a, b, frames, overlap)


def _renamed(
    video: MaskletVideo, a: int, b: int, frames: tuple[str, str], overlap: float
) -> Finding:
    names = [video.info.objects[i].class_name or video.info.objects[i].kind for i in (a, b)]
    if names[0] == names[1]:
        detail = (
            f"object {a} ends where object {b} of the same class begins (overlap {overlap:.2f})"
        )
        return Finding("identity", video.name, a, frames, 0.8 * overlap, detail, b)
    detail = (
        f"object {a} ({names[0]}) ends where object {b} ({names[1]}) begins (overlap {overlap:.2f})"
    )
    return Finding("class", video.name, a, frames, overlap, detail, b)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Between the centres of two masks, in mean diagonals of their bounding boxes."""
    (first, size), (second, other) = _centre_and_size(a), _centre_and_size(b)
    return float(np.hypot(*(first - second)) / ((size + other) / 2))


def _centre_and_size(mask: np.ndarray) -> tuple[np.ndarray, float]:
    """(y, x) mean and diagonal of the bounding box, from the sums of rows and columns."""
    rows, columns = mask.sum(axis=1), mask.sum(axis=0)
    centre = [float(sums @ np.arange(len(sums)) / sums.sum()) for sums in (rows, columns)]
    height, width = (int(np.ptp(np.flatnonzero(sums))) + 1 for sums in (rows, columns))
    return np.array(centre), float(np.hypot(height, width))
