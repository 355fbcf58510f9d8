"""Expected calibration error on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.errors import InputError
from sam2s.metrics.calibration import (
    Calibration,
    Reliability,
    boundary_band,
    boundary_reliability,
    empty_reliability,
    reliability,
    total_calibration,
)


def test_by_hand():
    prob = np.array([[0.9, 0.9, 0.9, 0.9, 0.1, 0.1]])
    target = np.array([[True, True, True, False, False, False]])
    curve = reliability(prob, target, bins=10)
    # 4 pixels say 0.9 and 0.75 are right: gap 0.15; 2 say 0.1 and none is: gap 0.1.
    assert curve.ece == pytest.approx((4 * 0.15 + 2 * 0.1) / 6)
    said, seen = curve.curve()
    assert said == pytest.approx([0.1, 0.9])
    assert seen == pytest.approx([0.0, 0.75])


def test_certain_and_right_is_perfect_and_certain_and_wrong_is_worst():
    target = np.array([[True, False]])
    assert reliability(target.astype(float), target).ece == 0
    assert reliability(1.0 - target, target).ece == 1


def test_curves_add_up_to_the_curve_of_all_pixels():
    rng = np.random.default_rng(0)
    prob, target = rng.random((6, 8)), rng.random((6, 8)) < 0.5
    parts = (
        reliability(prob[:2], target[:2]) + reliability(prob[2:], target[2:]) + empty_reliability()
    )
    whole = reliability(prob, target)
    assert parts.ece == pytest.approx(whole.ece)
    assert parts.count.sum() == 48
    assert np.isnan(empty_reliability().ece)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), bins=st.integers(1, 20))
def test_ece_is_the_weighted_gap_bin_by_bin(seed, bins):
    rng = np.random.default_rng(seed)
    prob, target = rng.random((5, 5)), rng.random((5, 5)) < 0.3
    gap = 0.0
    for b in range(bins):
        held = (prob >= b / bins) & ((prob < (b + 1) / bins) | (b == bins - 1))
        if held.any():
            gap += held.sum() / 25 * abs(prob[held].mean() - target[held].mean())
    assert reliability(prob, target, bins=bins).ece == pytest.approx(gap, abs=1e-9)


def test_boundary_band_is_where_the_sides_meet():
    mask = np.zeros((7, 9), bool)
    mask[:, 4:] = True
    band = boundary_band(mask, 2.5)
    assert band.any(axis=0).tolist() == [False, False, True, True, True, True, False, False, False]
    assert not boundary_band(np.ones((4, 4), bool), 3).any()
    assert not boundary_band(np.zeros((4, 4), bool), 3).any()
    only = reliability(np.full((7, 9), 0.5), mask, where=band)
    assert only.count.sum() == band.sum()


def test_sizes_must_agree():
    with pytest.raises(InputError, match="give equal sizes"):
        reliability(np.zeros((2, 3)), np.zeros((3, 2), bool))


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), width=st.sampled_from([1.5, 2.0, 2.5, 4.0]))
def test_boundary_reliability_is_that_of_the_band(seed, width):
    """Looking only around the object changes nothing."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((20, 24), bool)
    top, left = rng.integers(0, 16, 2)
    mask[top : top + rng.integers(0, 20), left : left + rng.integers(0, 24)] = True
    logits = rng.normal(0, 4, mask.shape).astype(np.float32)
    whole = reliability(
        1 / (1 + np.exp(-logits.astype(np.float64))), mask, where=boundary_band(mask, width)
    )
    found = boundary_reliability(logits, mask, width)
    assert np.array_equal(found.count, whole.count)
    assert np.allclose(found.confidence, whole.confidence)
    assert np.array_equal(found.positive, whole.positive)


def test_totals_json_and_equality():
    one = Calibration(
        reliability(np.array([[0.2, 0.8]]), np.array([[False, True]])), empty_reliability()
    )
    both = total_calibration([one, None, one])
    assert both.every.pixels == 4
    assert both.found.pixels == 0
    assert both.every.ece == pytest.approx(one.every.ece)
    assert total_calibration([None]) is None
    assert Calibration.from_json(both.to_json()) == both
    assert one != both
    assert Reliability.from_json(one.every.to_json()) == one.every
