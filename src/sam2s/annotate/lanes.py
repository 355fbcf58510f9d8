"""What a timeline shows of each object: one byte a frame for its state, its score and its alarms.

An annotator wants to find the few frames of an hour that need a look, so a state is one of three:
sure that it is there, sure that it is not, and unsure.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import IntEnum

import numpy as np

from sam2s.annotate.marks import NO_TWIN, Mark, Marks

SURELY_ABSENT, SURELY_PRESENT = 0.25, 0.75
"""Presence below and above which nobody has to look."""
POOR_SCORE = 0.5
"""A present object whose mask scores less is uncertain."""
JUMP = 1.5
"""Of a drift alarm: the middle moves in one frame by more than so many of the object's own sizes
(root of its area)."""
SWELL = 3.0
"""Or the area changes in one frame by more than this factor."""
DRIFT, DOUBLE = 1, 2
"""Bits of an alarm."""


class LaneState(IntEnum):
    """One object on one frame, as far as it was tracked."""

    UNKNOWN = 0
    PRESENT = 1
    ABSENT = 2
    UNCERTAIN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One object on every frame of a video: (frames,) uint8 each. ``states`` are `LaneState`s,
    ``scores`` in 1/255, ``alarms`` bits of `DRIFT` and `DOUBLE`."""

    states: np.ndarray
    scores: np.ndarray
    alarms: np.ndarray


def state_of(mark: Mark) -> LaneState:
    """What a mask says of its object."""
    return LaneState(int(_states(Marks.of([astuple(mark)]))[0]))


def lanes(marks: Marks, count: int) -> dict[int, Lane]:
    """{object id: lane} of a video of ``count`` frames."""
    marks = marks.kept(marks.frames < count)
    columns = (
        _states(marks),
        np.round(255 * np.clip(marks.scores, 0.0, 1.0)),
        np.where(_drift(marks), DRIFT, 0) | np.where(_double(marks), DOUBLE, 0),
    )
    found: dict[int, Lane] = {}
    for object_id in np.unique(marks.object_ids).tolist():
        mine = marks.object_ids == object_id
        rows = np.zeros((len(columns), count), np.uint8)
        for row, column in zip(rows, columns, strict=True):
            row[marks.frames[mine]] = column[mine]
        found[object_id] = Lane(*rows)
    return found


def _states(marks: Marks) -> np.ndarray:
    surely = marks.presences >= SURELY_PRESENT
    away = (marks.areas == 0) | (marks.presences < SURELY_ABSENT)
    good = surely & (marks.scores >= POOR_SCORE)
    return np.select(
        [away & ~surely, ~away & good], [LaneState.ABSENT, LaneState.PRESENT], LaneState.UNCERTAIN
    )


def _drift(marks: Marks) -> np.ndarray:
    """Whether the object jumped or swelled from one frame to the next; prompted frames too, since
    a person who moves the mask is the best sign that it was wrong."""
    found = np.zeros(len(marks), bool)
    next_frame = (np.diff(marks.object_ids) == 0) & (np.diff(marks.frames) == 1)
    small = np.minimum(marks.areas[:-1], marks.areas[1:])
    large = np.maximum(marks.areas[:-1], marks.areas[1:])
    moved = np.hypot(np.diff(marks.xs), np.diff(marks.ys))
    far = (large > SWELL * small) | (moved > JUMP * np.sqrt(small))
    found[1:] = next_frame & (small > 0) & far
    return found


def _double(marks: Marks) -> np.ndarray:
    """Whether two objects lie on one thing. Of two masks the later one knows: the earlier may have
    been found beside a mask that is no longer shown."""
    found = np.zeros(len(marks), bool)
    for place in np.flatnonzero(marks.twins != NO_TWIN).tolist():
        other = _place(marks, int(marks.twins[place]), int(marks.frames[place]))
        if other is None:
            continue
        later = marks.versions[other] > marks.versions[place]
        if not later or marks.twins[other] == marks.object_ids[place]:
            found[[place, other]] = True
    return found


def _place(marks: Marks, object_id: int, frame: int) -> int | None:
    """Which mark is that of an object on a frame; None where there is none."""
    first, end = np.searchsorted(marks.object_ids, (object_id, object_id + 1))
    place = int(first + np.searchsorted(marks.frames[first:end], frame))
    return place if place < end and marks.frames[place] == frame else None
