"""Smoothness against its published check value, and what it must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2s.measures.smoothness import smoothness_of

TIMES = np.arange(-100, 100) / 100
BELL = np.exp(-5 * TIMES**2)


def test_the_check_value():
    found = smoothness_of(BELL, 100.0)
    assert found is not None
    assert found.sparc == pytest.approx(-1.41403, abs=5e-6)
    assert found.dimensionless_jerk == pytest.approx(-335.747, abs=5e-4)
    assert found.log_dimensionless_jerk == pytest.approx(-5.81636, abs=5e-6)


@given(st.floats(1e-3, 1e3))
def test_neither_the_size_of_the_picture_nor_its_unit_matters(scale: float):
    a, b = smoothness_of(BELL, 100.0), smoothness_of(scale * BELL, 100.0)
    assert a is not None
    assert b is not None
    assert (b.sparc, b.log_dimensionless_jerk) == pytest.approx(
        (a.sparc, a.log_dimensionless_jerk), rel=1e-9
    )


@given(st.integers(2, 6))
def test_more_stops_are_less_smooth(stops: int):
    halting = np.concatenate([BELL[20:180]] * stops)
    one, many = smoothness_of(BELL[20:180], 100.0), smoothness_of(halting, 100.0)
    assert one is not None
    assert many is not None
    assert many.sparc < one.sparc
    assert many.log_dimensionless_jerk < one.log_dimensionless_jerk


@pytest.mark.parametrize("speed", [np.zeros(50), np.ones(3), np.arange(50.0)])
def test_no_movement_or_no_jerk_has_no_smoothness(speed: np.ndarray):
    assert smoothness_of(speed, 25.0) is None
