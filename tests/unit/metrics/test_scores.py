"""Conventions and errors of the metrics; their numbers are checked in
tests/parity/test_davis.py."""

import time

import numpy as np
import pytest
import torch

from sam2s.errors import InputError
from sam2s.metrics import (
    Score,
    boundary_f,
    jaccard,
    jaccards,
    mean_score,
    score_frame,
    score_sequence,
)
from sam2s.metrics.boundary import boundary, dilate, tolerance


def disc(size: int, radius: float) -> np.ndarray:
    rows, cols = np.mgrid[:size, :size]
    return (rows - size / 2) ** 2 + (cols - size / 2) ** 2 < radius**2


def test_jaccard_by_hand() -> None:
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    a[0, :3] = True
    b[0, 1:] = True
    assert jaccard(a, b) == 0.5
    assert jaccard(a, ~a) == 0.0
    assert jaccard(np.zeros((4, 4), bool), np.zeros((4, 4), bool)) == 1.0


@pytest.mark.parametrize("both_empty", [0.0, 1.0])
def test_jaccards_of_stacks_are_those_of_pairs(both_empty: float) -> None:
    """Of arrays and of tensors; a third overlaps, one of two is empty, both are empty."""
    one = np.array([[[1, 1, 0, 0]], [[0, 0, 0, 0]], [[0, 0, 0, 0]]], bool)
    two = np.array([[[1, 0, 1, 0]], [[1, 0, 1, 0]], [[0, 0, 0, 0]]], bool)
    by_hand = [pytest.approx(1 / 3), 0.0, both_empty]
    found = jaccards(one, two, both_empty=both_empty)
    assert found.tolist() == by_hand
    assert found[:2].tolist() == [jaccard(a, b) for a, b in zip(one[:2], two[:2], strict=True)]
    tensors = jaccards(torch.from_numpy(one), torch.from_numpy(two), both_empty=both_empty)
    assert tensors.dtype == torch.float32
    assert tensors.tolist() == by_hand


@pytest.mark.parametrize(
    ("shape", "radius"), [((480, 854), 8), ((512, 512), 6), ((256, 256), 3), ((3, 4), 1)]
)
def test_tolerance_is_rounded_up(shape: tuple[int, int], radius: int) -> None:
    assert tolerance(shape) == radius


def test_tolerance_in_pixels() -> None:
    assert tolerance((512, 512), 2) == 2
    with_far = boundary_f(disc(200, 50), disc(200, 56), bound_th=7)
    assert with_far == 1.0
    assert boundary_f(disc(200, 50), disc(200, 56), bound_th=2) == 0.0


def test_contour_is_half_a_pixel_towards_the_origin() -> None:
    mask = np.zeros((6, 6), bool)
    mask[2:4, 2:4] = True
    expected = np.zeros((6, 6), bool)
    expected[1:4, 1:4] = True
    expected[2, 2] = False
    np.testing.assert_array_equal(boundary(mask), expected)
    assert not boundary(np.ones((6, 6), bool)).any()


@pytest.mark.parametrize("radius", [1, 2, 3, 6, 12])
def test_dilation_is_a_disc(radius: int) -> None:
    edge = np.zeros((41, 37), bool)
    edge[20, 18] = True
    rows, cols = np.mgrid[:41, :37]
    np.testing.assert_array_equal(
        dilate(edge, radius), (rows - 20) ** 2 + (cols - 18) ** 2 <= radius**2
    )


def test_masks_must_be_bool_and_of_one_size() -> None:
    mask = np.zeros((4, 5), bool)
    for measure in (jaccard, boundary_f):
        with pytest.raises(InputError, match="differ in size"):
            measure(mask, mask.T)
        with pytest.raises(InputError, match="bool"):
            measure(mask.astype(np.uint8), mask)


def test_means_leave_out_what_was_not_scored() -> None:
    assert score_sequence([]) is None
    assert mean_score([None, None]) is None
    mean = mean_score([Score(1.0, 0.5, 10), None, Score(0.0, 0.5, 2)])
    assert mean == Score(0.5, 0.5, 12)
    assert mean.jf == 0.5


def test_fast_enough_for_long_videos() -> None:
    a, b = disc(512, 150), disc(512, 160)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        score_frame(a, b)
        best = min(best, time.perf_counter() - start)
    assert best < 0.05  # 1 to 2 ms on one core; the margin is for a busy machine
