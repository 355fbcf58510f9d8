"""Entries, exits and absences, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2s.measures.course import FrameTimes
from sam2s.measures.presence import Span, debounced, frame_seconds, presence_of


def clock(count: int, rate: float = 10.0) -> FrameTimes:
    index = np.arange(count)
    return FrameTimes(index, index / rate, 1 / rate)


def flags(text: str) -> np.ndarray:
    return np.array([letter == "#" for letter in text])


def test_it_counts_what_a_person_would_count():
    seen = flags("..####....#####.#####...#..")
    found = presence_of(clock(len(seen)), seen, 0.2)
    assert found.seconds == pytest.approx(2.7)
    assert found.in_view == pytest.approx(1.5), "time counts frame by frame"
    assert (found.entries, found.exits) == (2, 2), "neither the flicker nor the speck"
    (absence,) = found.absences
    assert (absence.begin, absence.end) == pytest.approx((0.6, 1.0))


def test_being_there_at_the_start_is_no_entry():
    found = presence_of(clock(6), flags("######"), 0.2)
    assert (found.entries, found.exits, found.absences, found.share) == (0, 0, (), 1.0)


def test_a_clock_that_is_uneven_or_has_holes():
    uneven = FrameTimes(np.array([0, 1, 2]), np.array([0.0, 0.1, 0.5]), 0.1)
    np.testing.assert_allclose(frame_seconds(uneven), [0.1, 0.4, 0.1])
    holes = FrameTimes(np.array([0, 1, 50]), np.array([0.0, 0.1, 5.0]), 0.1)
    np.testing.assert_allclose(frame_seconds(holes), [0.1, 0.1, 0.1], err_msg="unknown between")


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_nothing_is_left_that_is_too_short(values: list[bool]):
    steady = debounced(clock(len(values)), np.array(values), 0.3)
    changes = np.flatnonzero(np.diff(steady))
    assert (np.diff(changes) >= 3).all()
    np.testing.assert_array_equal(debounced(clock(len(values)), steady, 0.3), steady)


def test_a_span_knows_how_long_it_is():
    assert Span(1.0, 2.5).seconds == 1.5
