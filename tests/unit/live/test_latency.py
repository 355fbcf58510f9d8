"""Percentiles from counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2s.live.latency import LatencyCounter


@given(st.lists(st.floats(0, 9.9), min_size=1, max_size=300))
def test_they_are_those_of_the_list_to_half_a_millisecond(values: list[float]):
    counter = LatencyCounter()
    for value in values:
        counter.add(value)
    found = counter.summary()
    expected = 1000 * np.percentile(values, (50, 95, 99), method="inverted_cdf")
    assert (found.p50, found.p95, found.p99) == pytest.approx(tuple(expected), abs=0.51)
    assert found.max == pytest.approx(1000 * max(values))
    assert found.p50 <= found.p95 <= found.p99 <= found.max


def test_nothing_and_too_much():
    counter = LatencyCounter()
    assert str(counter.summary()) == "none"
    counter.add(100.0)
    assert counter.summary().max == pytest.approx(100_000)
    assert counter.summary().p50 == pytest.approx(10_000, rel=0.01)
