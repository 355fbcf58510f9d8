"""Swaps and recovery against a slow reading of their definitions, for any course of events."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.metrics.behaviour import FrameOutcome, behaviour

STATES = "RowO_F-"


def outcomes(states: str) -> list[FrameOutcome]:
    return [
        FrameOutcome(i, None, s in "Row_", s not in "_-", right=s == "R", other=s in "oO")
        for i, s in enumerate(states)
    ]


def slow_swaps(states: str) -> int:
    """Leave out what is neither right nor on another object; count the runs of the latter."""
    told = "R" + "".join("o" if s in "oO" else s for s in states if s in "RoO")
    return told.count("Ro")


def slow_returns(states: str) -> list[tuple[int, bool]]:
    found = []
    for i in range(1, len(states)):
        if states[i] in "Row_" and states[i - 1] in "OF-":
            stay = states[i:]
            end = next((k for k, s in enumerate(stay) if s in "OF-"), len(stay))
            right = stay[:end].find("R")
            found.append((right, True) if right >= 0 else (end - 1, False))
    return found


@settings(deadline=None, max_examples=300)
@given(st.text(STATES, max_size=25))
def test_equal_to_the_definitions(states: str) -> None:
    found = behaviour(outcomes(states))
    assert found.swaps == slow_swaps(states)
    assert [(r.frames, r.recovered) for r in found.returns] == slow_returns(states)
    assert found.absent == sum(s in "OF-" for s in states)
    assert found.false_present == sum(s in "OF" for s in states)
    assert found.missed == states.count("_")
    assert found.on_other == sum(s in "oO" for s in states)


@settings(deadline=None, max_examples=100)
@given(st.text(STATES, max_size=15), st.text("wF_-", max_size=8))
def test_being_lost_for_longer_makes_no_swaps(states: str, lost: str) -> None:
    assert behaviour(outcomes(states + lost)).swaps == behaviour(outcomes(states)).swaps
