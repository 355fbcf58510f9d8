"""What a timeline shows of each object: one byte a frame for its state, its score and its alarms.

An annotator wants to find the few frames of an hour that need a look, so a state is one of three:
sure that it is there, sure that it is not, and unsure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from sam2s.annotate.stored_masks import Mark

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
    if mark.area == 0 or mark.presence < SURELY_ABSENT:
        return LaneState.ABSENT if mark.presence < SURELY_PRESENT else LaneState.UNCERTAIN
    sure = mark.presence >= SURELY_PRESENT and mark.score >= POOR_SCORE
    return LaneState.PRESENT if sure else LaneState.UNCERTAIN


def lanes(marks: Iterable[Mark], count: int) -> dict[int, Lane]:
    """{object id: lane} of a video of ``count`` frames; ``marks`` sorted by object and frame."""
    found: dict[int, Lane] = {}
    kept: dict[tuple[int, int], Mark] = {}
    before: Mark | None = None
    for mark in marks:
        if mark.frame >= count:
            continue
        lane = found.setdefault(mark.object_id, _empty(count))
        lane.states[mark.frame] = state_of(mark)
        lane.scores[mark.frame] = round(255 * min(1.0, max(0.0, mark.score)))
        if before is not None and _drifts(before, mark):
            lane.alarms[mark.frame] |= DRIFT
        kept[mark.object_id, mark.frame] = before = mark
    _add_doubles(found, kept)
    return found


def _empty(count: int) -> Lane:
    return Lane(*(np.zeros(count, np.uint8) for _ in range(3)))


def _drifts(before: Mark, now: Mark) -> bool:
    """Whether the object jumped or swelled from one frame to the next; prompted frames too, since
    a person who moves the mask is the best sign that it was wrong."""
    if (before.object_id, before.frame + 1) != (now.object_id, now.frame):
        return False
    if not before.area or not now.area:
        return False
    small, large = sorted((before.area, now.area))
    moved = np.hypot(now.x - before.x, now.y - before.y)
    return bool(large > SWELL * small or moved > JUMP * small**0.5)


def _add_doubles(found: Mapping[int, Lane], kept: Mapping[tuple[int, int], Mark]) -> None:
    """Of two masks the later one knows whether they lie on one thing: the earlier may have been
    found beside a mask that is no longer shown."""
    for (object_id, frame), mark in kept.items():
        other = None if mark.twin is None else kept.get((mark.twin, frame))
        if other is None or (other.version > mark.version and other.twin != object_id):
            continue
        for one in (object_id, other.object_id):
            found[one].alarms[frame] |= DOUBLE
