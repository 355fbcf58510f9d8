"""What a timeline shows: states, scores, and the two kinds of alarm."""

from __future__ import annotations

import numpy as np
import pytest

from sam2s.annotate.lanes import DOUBLE, DRIFT, LaneState, lanes, state_of
from sam2s.annotate.marks import Mark, Marks

SURE = {"version": 1, "presence": 0.9, "score": 0.8, "area": 100, "x": 50.0, "y": 50.0}


def row(object_id: int, frame: int, twin: int | None = None, **other: float) -> tuple:
    return (object_id, frame, *{**SURE, **other}.values(), twin)


@pytest.mark.parametrize(
    ("presence", "score", "area", "state"),
    [
        (0.9, 0.8, 100, LaneState.PRESENT),
        (0.9, 0.3, 100, LaneState.UNCERTAIN),
        (0.5, 0.9, 100, LaneState.UNCERTAIN),
        (0.1, 0.9, 100, LaneState.ABSENT),
        (0.5, 0.9, 0, LaneState.ABSENT),
        (0.9, 0.9, 0, LaneState.UNCERTAIN),
    ],
)
def test_states(presence: float, score: float, area: int, state: LaneState):
    assert state_of(Mark(1, 0, 1, presence, score, area, 5.0, 5.0, None)) == state


def test_an_object_that_jumps_or_swells_drifts():
    rows = [
        row(1, 0),
        row(1, 1, x=64.9),  # 1.49 times its side
        row(1, 2, x=80.0),  # 1.51
        row(1, 3, x=80.0, area=299),
        row(1, 4, x=80.0, area=900),
        row(1, 6, x=80.0, area=9),  # not the next frame
        row(1, 7, x=300.0, area=0),  # it is gone, which is no drift
        row(2, 8, x=10.0),  # another object
    ]
    found = lanes(Marks.of(rows), 10)
    assert np.flatnonzero(found[1].alarms).tolist() == [2, 4]
    assert set(found[1].alarms.tolist()) == {0, DRIFT}
    assert not found[2].alarms.any()
    assert found[1].states.tolist() == [1, 1, 1, 1, 1, 0, 1, 3, 0, 0]
    assert found[1].scores[0] == 204


def test_two_on_one_thing_are_both_alarmed():
    rows = [
        row(1, 0, twin=2),
        row(1, 1, twin=2),  # the other was found again later, elsewhere
        row(1, 2, twin=3),  # removed since
        row(1, 3),
        row(2, 0),
        row(2, 1, version=2),
        row(2, 3, twin=1, version=2),
    ]
    found = lanes(Marks.of(rows), 4)
    assert found[1].alarms.tolist() == [DOUBLE, 0, 0, DOUBLE]
    assert found[2].alarms.tolist() == [DOUBLE, 0, 0, DOUBLE]


def test_frames_behind_the_end_are_left_out_and_nothing_is_no_lane():
    assert lanes(Marks.of([row(1, 7)]), 7) == {}
    assert lanes(Marks.of([]), 7) == {}
