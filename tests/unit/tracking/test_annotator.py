"""The simulated user against a brute-force reading of its rule."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sam2s.errors import InputError
from sam2s.tracking.annotator import Click, box_around, center_click, to_points


def brute_depth(region: np.ndarray) -> np.ndarray:
    """Distance of every region pixel to the nearest pixel outside, the border of the picture being
    outside."""
    outside = np.argwhere(~np.pad(region, 1))
    depth = np.zeros(region.shape)
    for y, x in np.argwhere(region):
        depth[y, x] = np.sqrt(((outside - (y + 1, x + 1)) ** 2).sum(axis=1).min())
    return depth


def brute_click(mask: np.ndarray, predicted: np.ndarray) -> Click:
    missed, false = brute_depth(mask & ~predicted), brute_depth(predicted & ~mask)
    winner = missed if missed.max() > false.max() else false
    y, x = np.unravel_index(np.argmax(winner), winner.shape)
    return Click(int(x), int(y), positive=winner is missed)


def blob(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A few overlapping discs, some cut by the border."""
    rows, cols = np.mgrid[: size[0], : size[1]]
    mask = np.zeros(size, bool)
    for _ in range(3):
        y, x, r = rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.uniform(1, min(size) / 2)
        mask |= (rows - y) ** 2 + (cols - x) ** 2 < r**2
    return mask


small = st.tuples(st.integers(1, 14), st.integers(1, 14))


@given(small.flatmap(lambda s: st.tuples(arrays(bool, s), arrays(bool, s))))
@settings(deadline=None, max_examples=150)
def test_center_click_equals_brute_force(pair: tuple[np.ndarray, np.ndarray]) -> None:
    mask, predicted = pair
    if not (mask == predicted).all():
        assert center_click(mask, predicted) == brute_click(mask, predicted)


@pytest.mark.parametrize("seed", range(12))
def test_center_click_equals_brute_force_on_blobs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask, predicted = blob(rng, (40, 55)), blob(rng, (40, 55))
    assert center_click(mask, predicted) == brute_click(mask, predicted)
    assert center_click(mask) == brute_click(mask, np.zeros_like(mask))


def test_first_click_is_the_centre_and_the_border_counts_as_outside() -> None:
    mask = np.zeros((21, 31), bool)
    mask[5:16, 10:21] = True
    assert center_click(mask) == Click(15, 10, positive=True)
    assert center_click(np.ones((9, 9), bool)) == Click(4, 4, positive=True)
    touching = np.zeros((9, 20), bool)
    touching[:, :7] = (
        True  # runs out of the picture on three sides: still its middle, not the border
    )
    assert center_click(touching) == Click(3, 3, positive=True)


def test_ties_go_to_the_first_in_reading_order_and_to_the_negative_click() -> None:
    mask, predicted = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    mask[7, 1] = mask[2, 6] = mask[2, 3] = True
    assert center_click(mask) == Click(3, 2, positive=True)
    predicted[8, 8] = True
    assert center_click(mask, predicted) == Click(8, 8, positive=False)


def test_larger_error_decides_the_sign() -> None:
    mask, predicted = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    mask[2:12, 2:12] = True
    predicted[20:26, 20:26] = True
    assert center_click(mask, predicted).positive
    predicted[20:39, 20:39] = True
    assert center_click(mask, predicted) == Click(29, 29, positive=False)


def test_perfect_prediction_is_confirmed() -> None:
    mask = np.zeros((15, 15), bool)
    assert center_click(mask, mask) == Click(7, 7, positive=False)
    mask[3:8, 3:8] = True
    assert center_click(mask, mask) == Click(5, 5, positive=True)


def test_box_spans_the_mask() -> None:
    mask = np.zeros((30, 40), bool)
    mask[4:10, 7:21] = True
    np.testing.assert_array_equal(box_around(mask).xyxy, [7, 4, 20, 9])
    mask[:] = False
    mask[29, 39] = True
    np.testing.assert_array_equal(box_around(mask).xyxy, [39, 29, 40, 30])
    with pytest.raises(InputError, match="empty"):
        box_around(np.zeros((5, 5), bool))


def test_clicks_become_points_in_order() -> None:
    points = to_points([Click(3, 4, True), Click(5, 6, False)])
    np.testing.assert_array_equal(points.xy, [[3, 4], [5, 6]])
    np.testing.assert_array_equal(points.labels, [1, 0])
