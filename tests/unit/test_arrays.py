"""Numbers from outside: what is an array, what is a mask, and the one line for everything else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sam2s
from sam2s.arrays import to_array, to_mask
from sam2s.errors import InputError
from sam2s.types import Box, Mask, Points

SHAPE = np.zeros((6, 8), bool)
SHAPE[1:4, 2:7] = True


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        np.array([[1, 2], [3, 4]], np.uint16),
        torch.tensor([[1, 2], [3, 4]]),
        torch.tensor([[1.0, 2], [3, 4]], requires_grad=True),
        torch.tensor([[1.0, 2], [3, 4]], dtype=torch.bfloat16),
        torch.tensor([[1.0, 2], [3, 4]], dtype=torch.float16),
        Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8)),
    ],
)
def test_whatever_holds_numbers_is_an_array(value: object):
    assert np.array_equal(to_array(value, "x"), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "value",
    [
        None,
        "12",
        [[1, 2], [3]],
        [["a", "b"]],
        [None],
        object(),
        10**400,
        1j,
        {1: 2},
        [torch.ones(1, requires_grad=True)],
        torch.ones(2).to_sparse(),
        Image.new("P", (2, 2)),
    ],
)
def test_what_holds_none_is_one_error_that_names_it(value: object):
    with pytest.raises(InputError, match=r"^points: .*") as caught:
        to_array(value, "points")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        SHAPE,
        SHAPE.astype(np.uint8),
        SHAPE * np.uint8(255),
        SHAPE * np.uint16(700),
        SHAPE * 7,
        SHAPE.astype(np.float32),
        SHAPE * 255.0,
        SHAPE.tolist(),
        torch.from_numpy(SHAPE),
        torch.from_numpy(SHAPE).to(torch.bfloat16),
        Image.fromarray(SHAPE),
        Image.fromarray(SHAPE * np.uint8(255)),
    ],
)
def test_arrays_of_two_values_are_masks(value: object):
    assert np.array_equal(to_mask(value, "mask"), SHAPE)
    assert np.array_equal(Mask(value).mask, SHAPE)


@pytest.mark.parametrize(
    "value",
    [
        np.where(SHAPE, 0.98, 0.01),  # probabilities
        np.where(SHAPE, 0.98, 0.0),
        np.where(SHAPE, 5.0, -5.0),  # logits
        np.where(SHAPE, 1, -1),
        np.where(SHAPE, np.nan, 0.0),
        np.where(SHAPE, np.inf, 0.0),
        np.arange(48, dtype=np.uint8).reshape(6, 8),  # soft edges, or a map of ids
        SHAPE + np.uint8(1),
    ],
)
def test_what_is_no_mask_is_refused_and_never_everything(value: np.ndarray):
    with pytest.raises(InputError, match="expected True and False"):
        Mask(value)


@pytest.mark.parametrize("value", [SHAPE[None], SHAPE[..., None], SHAPE[0], True, []])
def test_masks_of_other_shapes(value: object):
    with pytest.raises(InputError, match=r"expected a \(height, width\) array"):
        Mask(value)


@pytest.mark.parametrize("value", [np.zeros((4, 4), int), np.zeros((0, 4)), np.zeros((4, 4))])
def test_empty_masks(value: np.ndarray):
    with pytest.raises(InputError, match="it is empty"):
        Mask(value)


@pytest.mark.parametrize(
    ("xy", "labels"),
    [
        ([[60, 80, 120], [60, 50, 70]], [1, 1, 1]),  # a row of x and a row of y
        ([60, 80], [1]),
        ([[[60, 80]]], [1]),
        ([[60, 80]], [[1]]),
        ([[60, 80]], 1),
        ([[60, 80]], [1, 1]),
        (np.zeros((0, 2)), []),
        ([[60, 80, 1]], [1]),
    ],
)
def test_points_of_other_shapes(xy: object, labels: object):
    with pytest.raises(InputError, match=r"^points: "):
        Points(xy, labels)


@pytest.mark.parametrize("label", [0.7, 2, -1, np.nan, 255])
def test_labels_are_one_or_zero(label: float):
    with pytest.raises(InputError, match="labels must be 1"):
        Points([[80, 60]], [label])


@pytest.mark.parametrize("labels", [[True, False], [1.0, 0.0], torch.tensor([1, 0])])
def test_labels_of_any_dtype(labels: object):
    points = Points([[80, 60], [1, 2]], labels)
    assert points.labels.tolist() == [1, 0]
    assert points.labels.dtype == np.int64


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_coordinates_are_finite(number: float):
    with pytest.raises(InputError, match="finite"):
        Points([[number, 1]], [1])
    with pytest.raises(InputError, match="finite"):
        Box([0, 0, number, 1])


@pytest.mark.parametrize("box", [[[1, 1, 9, 9]], [[1, 1], [9, 9]], [1, 1, 9], "abcd", None])
def test_boxes_of_other_shapes(box: object):
    with pytest.raises(InputError, match=r"^box: "):
        Box(box)


def test_points_with_gradients_or_in_bfloat16():
    assert Points(torch.ones(1, 2, requires_grad=True), [1]).xy.tolist() == [[1, 1]]
    assert Box(torch.tensor([1, 2, 3, 4], dtype=torch.bfloat16)).xyxy.tolist() == [1, 2, 3, 4]


def test_the_public_mask_is_this_one(tmp_path: Path):
    with pytest.raises(InputError, match="palette picture"):
        sam2s.Mask(Image.fromarray(SHAPE).convert("RGB").quantize(2))
