"""Outlines are exact, and other rasterisers draw the same masks from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as judge

from sam2s.formats.polygons import inside, polygons_of, without_holes


@st.composite
def planes(draw: st.DrawFn) -> np.ndarray:
    """(H, W) bool of noise, from sparse to full."""
    size = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.random(size) < draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))


@given(planes())
def test_outlines_enclose_the_mask(mask: np.ndarray):
    np.testing.assert_array_equal(inside(polygons_of(mask), mask.shape), without_holes(mask))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@given(planes())
def test_pycocotools_draws_the_same(mask: np.ndarray):
    outlines = [outline.astype(float).ravel().tolist() for outline in polygons_of(mask)]
    height, width = mask.shape
    if not outlines:
        return
    drawn = judge.decode(judge.merge(judge.frPyObjects(outlines, height, width)))
    np.testing.assert_array_equal(drawn.astype(bool), without_holes(mask))


def test_parts_that_touch_at_a_corner_are_two():
    first, second = polygons_of(np.eye(2, dtype=bool))
    assert {tuple(map(tuple, one.tolist())) for one in (first, second)} == {
        ((0, 0), (1, 0), (1, 1), (0, 1)),
        ((1, 1), (2, 1), (2, 2), (1, 2)),
    }


def test_slanted_edges_count_centres_of_pixels():
    triangle = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    drawn = inside([triangle], (4, 5)).astype(int).tolist()
    assert drawn == [[1, 1, 1, 0, 0], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
