"""The results of several passes, and of an earlier run, frame by frame from first to last.

What runs backward comes first and waits in a temporary file, so that memory does not grow with the
video; the forward pass is then given out as it goes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace

import numpy as np

from sam2s.masklets.masks import encode_rle
from sam2s.media.random_access import RandomAccess
from sam2s.tracking.session.mask_store import FoundMask, as_result, found_masks, shown_mask
from sam2s.tracking.session.plan import Pass
from sam2s.tracking.session.propagate import Known, propagate
from sam2s.tracking.session.ranges import Stretch
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, FrameResult

MakeTracker = Callable[[bool], Tracker]
"""A new tracker; True for one that runs backward."""


class Spool:
    """Masks by frame in a temporary file, which goes when it is closed."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 (see close)
        self._places: dict[int, int] = {}

    def write(self, frame: int, masks: Mapping[int, FoundMask]) -> None:
        """Keep what was found on a frame."""
        self._places[frame] = self._file.seek(0, 2)
        self._file.write(json.dumps({i: asdict(mask) for i, mask in masks.items()}) + "\n")

    def read(self, frame: int) -> dict[int, FoundMask]:
        """What was found on a frame; nothing where nothing was kept."""
        if frame not in self._places:
            return {}
        self._file.seek(self._places[frame])
        return {int(i): FoundMask(**mask) for i, mask in json.loads(self._file.readline()).items()}

    def close(self) -> None:
        """Delete the file."""
        self._file.close()


def results_in_order(
    passes: Sequence[Pass],
    known: Known,
    access: RandomAccess,
    make_tracker: MakeTracker,
    frames: Stretch | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Frame, FrameResult]]:
    """Every frame with its masks, ascending: those of ``passes``, and where none of them tracks an
    object, the mask that ``known`` shows.

    ``frames``: what to give out; None: what the passes visit. ``on_frame`` is called for each frame
    that is tracked backward. Lazy; closing the iterator stops the work.
    """
    ahead = access.source.path is not None  # a live stream must not wait for its next frame
    with closing(Spool()) as spool:
        for one in passes:
            if one.reverse:
                tracker = make_tracker(True)
                for frame, result in propagate(one, known, tracker, access.backward, ahead=ahead):
                    spool.write(frame.index, found_masks(result))
                    on_frame()
        forward = next((one for one in passes if not one.reverse), None)
        visited = [one.frames for one in passes]
        first = min(part.first for part in ([frames] if frames else visited))
        last = max(part.last for part in ([frames] if frames else visited))
        for frame, result in _ascending(forward, Stretch(first, last), known, access, make_tracker):
            yield frame, _together(frame, result, spool.read(frame.index), known)


def _ascending(
    forward: Pass | None,
    frames: Stretch,
    known: Known,
    access: RandomAccess,
    make_tracker: MakeTracker,
) -> Iterator[tuple[Frame, FrameResult]]:
    """The frames in order, with what the forward pass finds on those that it visits."""
    start = frames.last + 1 if forward is None else max(forward.frames.first, frames.first)
    end = frames.first - 1
    for frame in access.frames(frames.first) if frames.first < start else ():
        if frame.index >= start:
            break
        end = frame.index
        yield frame, FrameResult(frame.index, frame.time)
    if forward is None:
        return
    for frame, result in propagate(
        forward, known, make_tracker(False), access.frames, ahead=access.source.path is not None
    ):
        end = frame.index
        yield frame, result
    if end < frames.last and forward.frames.last < frames.last:
        for frame in access.frames(end + 1):
            if frame.index > frames.last:
                break
            yield frame, FrameResult(frame.index, frame.time)


def _together(
    frame: Frame, result: FrameResult, spooled: Mapping[int, FoundMask], known: Known
) -> FrameResult:
    """One frame's masks: those just found, then those found backward, then those known before."""
    notes = known.history.notes
    found: dict[int, FoundMask] = {}
    for object_id, mine in notes.objects.items():
        if object_id in result.masks or object_id in spooled:
            continue
        mask = shown_mask(known.history, known.store, object_id, frame.index)
        if mask is not None:
            found[object_id] = mask
        elif frame.index in mine.absent and known.store.versions(object_id, frame.index):
            found[object_id] = FoundMask(encode_rle(np.zeros(frame.size, bool)), 0.0, 0.0)
    kept = as_result(frame, {**found, **spooled})
    return replace(
        result,
        masks={**kept.masks, **result.masks},
        presence={**kept.presence, **result.presence},
        scores={**kept.scores, **result.scores},
        classes={**kept.classes, **result.classes},
        class_probs={**kept.class_probs, **result.class_probs},
    )
