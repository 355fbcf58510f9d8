"""Tips, entries and shaft widths of masks whose own are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from instruments import SIZE, shaft

from sam2s.measures.landmarks import find_landmarks


@given(
    side=st.sampled_from(["left", "right", "top", "bottom"]),
    place=st.floats(0.3, 0.7),
    x=st.floats(60, 100),
    y=st.floats(45, 75),
    width=st.floats(6, 16),
)
@example(side="left", place=0.544921875, x=66.0, y=66.0, width=10.5)
def test_the_tip_is_the_far_end_from_the_border(
    side: str, place: float, x: float, y: float, width: float
):
    high, wide = SIZE
    entry = {
        "left": (0.0, place * high),
        "right": (wide - 1.0, place * high),
        "top": (place * wide, 0.0),
        "bottom": (place * wide, high - 1.0),
    }[side]
    found = find_landmarks(shaft(entry, (x, y), width))
    assert found is not None
    assert found.on_border
    reach = np.hypot(x - entry[0], y - entry[1])
    assert np.hypot(*(found.tip - (x, y))) <= 2 + 0.06 * reach
    assert np.hypot(*(found.entry - entry)) <= 3
    if reach > 4 * width:
        assert found.shaft_width == pytest.approx(width, abs=1.5)


def test_specks_do_not_move_the_tip():
    mask = shaft((0, 60), (90, 60), 10)
    clean = find_landmarks(mask)
    mask[3:5, 150:153] = True
    dirty = find_landmarks(mask)
    assert clean is not None
    assert dirty is not None
    np.testing.assert_array_equal(dirty.tip, clean.tip)
    assert dirty.area == clean.area + 6


def test_an_instrument_that_crosses_the_picture_keeps_the_end_it_came_in_by():
    before = find_landmarks(shaft((0, 60), (140, 60), 10))
    across = shaft((0, 60), (400, 60), 10)
    found = find_landmarks(across, before)
    assert found is not None
    assert found.entry[0] == 0
    assert found.tip[0] > 145


def test_a_contact_around_a_corner_is_one():
    mask = np.zeros(SIZE, bool)
    mask[:20, :20] = True
    mask[10:60, 10:60] |= np.eye(50, dtype=bool)
    found = find_landmarks(mask)
    assert found is not None
    assert max(found.entry) < 8
    assert min(found.tip) > 50


def test_without_a_contact_the_last_one_stands_and_else_the_rim_of_the_view():
    cut = shaft((0, 60), (90, 60), 10)
    before = find_landmarks(cut)
    cut[:, :30] = False
    found = find_landmarks(cut, before)
    assert before is not None
    assert found is not None
    np.testing.assert_array_equal(found.entry, before.entry)
    alone = find_landmarks(cut)
    assert alone is not None
    assert not alone.on_border
    assert alone.entry[0] == 30
    assert alone.tip[0] > 84


def test_nothing_has_no_landmarks_and_a_blob_no_shaft():
    assert find_landmarks(np.zeros(SIZE, bool)) is None
    blob = find_landmarks(shaft((0, 60), (20, 60), 60))
    assert blob is not None
    assert np.isnan(blob.shaft_width)


@given(st.integers(0, 2**32 - 1))
def test_any_mask_has_landmarks_inside_the_picture(seed: int):
    rng = np.random.default_rng(seed)
    mask = rng.random((9, 11)) < rng.random()
    found = find_landmarks(mask)
    assert (found is None) == (not mask.any())
    if found is not None:
        for place in (found.centroid, found.entry, found.tip):
            assert (place >= 0).all()
            assert (place <= (10, 8)).all()
