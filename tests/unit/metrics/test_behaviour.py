"""Swaps, recovery and presence on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sam2s.metrics.behaviour import Behaviour, FrameOutcome, Return, behaviour, frame_outcome, total


def outcomes(states: str, fps: float | None = None, step: int = 1) -> list[FrameOutcome]:
    """One letter a frame. In view: R right, o on another object, w wrong, _ no mask. Absent: O on
    another object, F a mask elsewhere, - no mask."""
    return [
        FrameOutcome(
            index=step * i,
            time=None if fps is None else step * i / fps,
            present=state in "Row_",
            shown=state not in "_-",
            right=state == "R",
            other=state in "oO",
        )
        for i, state in enumerate(states)
    ]


@pytest.mark.parametrize(
    ("states", "swaps"),
    [
        ("RRRR", 0),
        ("RRoo", 1),
        ("o", 1),  # right on the prompted frame, so this is a change
        ("RooRoo", 2),
        ("Roowwoo", 1),  # still the same excursion: it was not right in between
        ("Rww__RR", 0),  # lost, but on nothing else
        ("Rwwo", 1),
        ("R--O--RR", 1),  # the object leaves and the tracker takes a look-alike
        ("R--O--oR", 1),
        ("", 0),
    ],
)
def test_swaps(states: str, swaps: int) -> None:
    assert behaviour(outcomes(states)).swaps == swaps


@pytest.mark.parametrize(
    ("states", "returns"),
    [
        ("RR--RR", [Return(0, None, True)]),
        ("R-_wR", [Return(2, None, True)]),
        ("R-ww", [Return(1, None, False)]),  # the annotation ends before it is found
        (
            "R-w-wwR",
            [Return(0, None, False), Return(2, None, True)],
        ),  # left again before it was found
        ("--R", [Return(0, None, True)]),  # it left at once after the prompt
        ("RR--", []),
        ("wwww", []),  # lost, but it never left
    ],
)
def test_returns(states: str, returns: list[Return]) -> None:
    assert behaviour(outcomes(states)).returns == tuple(returns)


def test_time_to_recovery_counts_frames_between_annotated_ones_and_seconds() -> None:
    found = behaviour(outcomes("R-wwR", fps=25.0, step=10))
    assert found.returns == (Return(20, 0.8, True),)
    assert (found.frames_to_recover, found.seconds_to_recover) == (20, 0.8)


def test_shares_and_medians() -> None:
    found = behaviour(outcomes("R-R-wR-wwwR-ww-F_"))
    assert [r.frames for r in found.returns if r.recovered] == [0, 1, 3]
    assert found.share_recovered == pytest.approx(3 / 5)
    assert found.frames_to_recover == 1
    assert found.seconds_to_recover is None
    assert (found.absent, found.false_presence) == (6, 1 / 6)
    assert found.missed == 1
    assert found.miss_rate == pytest.approx(1 / 11)
    nothing = behaviour(outcomes("RR"))
    assert (nothing.share_recovered, nothing.frames_to_recover, nothing.false_presence) == (
        None,
        None,
        None,
    )


def test_sums_and_json() -> None:
    one, two = behaviour(outcomes("R-wR", fps=5.0)), behaviour(outcomes("RoO-R"))
    both = total([one, None, two])
    assert (both.objects, both.frames, both.swaps, both.on_other) == (2, 9, 1, 2)
    assert both.returns == one.returns + two.returns
    assert total([]) == Behaviour()
    assert Behaviour.from_json(both.to_json()) == both


def box(left: int, width: int = 10) -> np.ndarray:
    mask = np.zeros((10, 60), bool)
    mask[:, left : left + width] = True
    return mask


@pytest.mark.parametrize(
    ("pred", "truth", "iou", "state"),
    [
        (box(0), box(0), 1.0, "right"),
        (box(20), box(0), 0.0, "other"),
        (box(23), box(0), 0.0, "other"),  # IoU 7 / 13 with the other
        (box(24), box(0), 0.0, "wrong"),  # 6 / 14
        (box(0, 30), box(0), 1 / 3, "wrong"),  # covers both: merged, not swapped
        (box(40), box(0), 0.0, "wrong"),
        (box(0, 0), box(0), 0.0, "wrong"),
        (box(20), box(0, 0), 0.0, "other"),  # the object is absent
        (box(0, 0), box(0, 0), 1.0, "wrong"),  # an empty mask is not on anything
    ],
)
def test_what_a_mask_is_on(pred: np.ndarray, truth: np.ndarray, iou: float, state: str) -> None:
    seen = frame_outcome(3, None, pred, iou, truth, [box(20), box(50, 0)])
    assert (seen.right, seen.other) == (state == "right", state == "other")
    assert (seen.present, seen.shown) == (bool(truth.any()), bool(pred.any()))


def test_own_object_comes_first_where_true_masks_overlap() -> None:
    assert not frame_outcome(0, None, box(0), 1.0, box(0), [box(0)]).other
