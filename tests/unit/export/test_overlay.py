"""The picture that shows a result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.export.overlay import (
    COLOURS,
    bounding_box,
    colour_of,
    draw_overlay,
    fill_mask,
    outline_mask,
    save_grid,
)
from sam2s.types import FrameResult

GREY = np.full((120, 160, 3), 100, np.uint8)


def result(*masks: np.ndarray) -> FrameResult:
    planes = dict(enumerate(masks, 1))
    return FrameResult(0, 0.0, planes, dict.fromkeys(planes, 0.9), dict.fromkeys(planes, 0.8))


def square(top: int, left: int, side: int = 40) -> np.ndarray:
    mask = np.zeros((120, 160), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_fill_outline_and_background():
    drawn = draw_overlay(GREY, result(square(50, 60)))
    colour = np.array(colour_of(1))
    assert (drawn[50, 60:100] == colour).all()
    assert (drawn[50:90, 99] == colour).all()
    inside = drawn[70, 80].astype(int)
    assert np.abs(inside - (100 * 166 + colour * 90) / 256).max() <= 1
    assert np.array_equal(drawn[100:], GREY[100:])
    assert (GREY == 100).all()


def test_the_label_lies_above_the_mask_in_its_colour():
    drawn = draw_overlay(GREY, result(square(50, 60)))
    changed = (drawn[:50] != 100).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.min() > 30
    assert columns.min() == 60
    label = drawn[rows.min() : rows.max() + 1, 60 : columns.max() + 1]
    assert (label == colour_of(1)).all(axis=2).mean() > 0.3
    assert (label.max(axis=2) < 60).any()  # black text


def test_an_absent_object_is_named_in_the_corner():
    nothing = np.zeros((120, 160), bool)
    one, two = draw_overlay(GREY, result(nothing)), draw_overlay(GREY, result(nothing, nothing))
    assert (one[:14] != 100).any()
    assert (one[20:] == 100).all()
    assert (two[14:26, :40] == colour_of(2)).all(axis=2).any()


def test_names_replace_ids():
    plain = draw_overlay(GREY, result(square(50, 60)))
    named = draw_overlay(GREY, result(square(50, 60)), {1: "needle driver"})
    assert (named != 100).any(axis=2)[:50].sum() > (plain != 100).any(axis=2)[:50].sum() + 100


@pytest.mark.parametrize(("top", "left"), [(0, 0), (0, 159), (119, 0), (119, 159), (119, 150)])
def test_one_pixel_at_the_border(top: int, left: int):
    mask = np.zeros((120, 160), bool)
    mask[top, left] = True
    drawn = draw_overlay(GREY, result(mask))
    assert drawn.shape == GREY.shape
    assert (
        top == 0 or (drawn[top, left] == colour_of(1)).all()
    )  # at the top edge the label covers it


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (8, 8)])
def test_very_small_pictures(size: tuple[int, int]):
    image = np.zeros((*size, 3), np.uint8)
    for mask in (np.ones(size, bool), np.zeros(size, bool)):
        drawn = draw_overlay(image, FrameResult(0, None, {1: mask}, {1: 1.0}, {1: 1.0}))
        assert drawn.shape == image.shape


def test_nothing_to_draw():
    assert np.array_equal(draw_overlay(GREY, FrameResult(0, None)), GREY)


def test_every_number_has_a_colour_of_its_own():
    assert colour_of(37) == colour_of(37) != colour_of(38)
    assert all(0 <= c <= 255 for i in (0, 11, 254, 999) for c in colour_of(i))


def test_bounding_box():
    assert bounding_box(square(3, 5, 7)) == (3, 10, 5, 12)
    assert bounding_box(np.zeros((4, 4), bool)) is None


def test_labels_do_not_cover_one_another():
    masks = [square(50, 60 + 3 * k) for k in range(5)]
    drawn = draw_overlay(GREY, result(*masks))
    alone = {
        i: (draw_overlay(GREY, result(mask))[:50] == colour_of(1)).all(axis=2).sum()
        for i, mask in enumerate(masks, 1)
    }
    for i in range(1, 6):
        seen = (drawn == colour_of(i)).all(axis=2).sum()
        assert seen > 0.8 * alone[i], f"label {i} is covered"


@pytest.mark.parametrize(("height", "least"), [(480, 14), (2160, 60)])
def test_labels_can_be_read_at_any_size(height: int, least: int):
    image = np.full((height, height * 4 // 3, 3), 100, np.uint8)
    mask = np.zeros(image.shape[:2], bool)
    mask[height // 2 : height // 2 + 50, 100:200] = True
    drawn = draw_overlay(image, FrameResult(0, None, {1: mask}, {1: 1.0}, {1: 1.0}))
    rows = np.flatnonzero((drawn[: height // 2] != 100).any(axis=(1, 2)))
    assert rows.max() - rows.min() + 1 >= least


def test_classes_of_the_model_are_named():
    plain = result(square(50, 60))
    named = FrameResult(0, 0.0, plain.masks, plain.presence, plain.scores, {}, {1: "hook"}, {1: 1})
    assert (draw_overlay(GREY, named) != draw_overlay(GREY, plain)).any()


def test_a_mask_is_tinted_and_its_outline_lies_inside():
    canvas = np.full((12, 12, 3), 100, np.uint8)
    mask = np.zeros((12, 12), bool)
    mask[2:9, 3:12] = True
    fill_mask(canvas, mask, (200, 0, 100))
    assert (canvas[~mask] == 100).all()
    assert (canvas[mask] == [135, 64, 100]).all()
    outline_mask(canvas, mask, (0, 255, 0), thickness=2)
    inner = np.zeros((12, 12), bool)
    inner[4:7, 5:10] = True
    assert ((canvas == [0, 255, 0]).all(axis=2) == (mask & ~inner)).all()


def test_tiles_lie_side_by_side(tmp_path: Path):
    tiles = [[np.full((4, 5, 3), 40 * r + 10 * c, np.uint8) for c in range(3)] for r in range(2)]
    save_grid(tmp_path / "grid.png", tiles)
    with Image.open(tmp_path / "grid.png") as picture:
        seen = np.asarray(picture)
    assert seen.shape == (8, 15, 3)
    assert (seen[4:, 5:10] == 50).all()
    assert [path.name for path in tmp_path.iterdir()] == ["grid.png"]


SIGHTS = {
    "all cones": np.eye(3),
    "no red ones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green ones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue ones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""Linear RGB as people see it (Machado, Oliveira and Fernandes 2009, severity 1)."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colours: np.ndarray) -> np.ndarray:
    """sRGB 0 to 255 -> linear 0 to 1."""
    share = colours / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """Linear RGB -> CIELAB, D65."""
    xyz = rgb.clip(0, 1) @ TO_XYZ.T / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_are_told_apart_without_one_kind_of_cones(sight: str):
    seen = lab(linear(np.array(COLOURS)) @ np.array(SIGHTS[sight]).T)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=2) + 1000 * np.eye(len(seen))
    assert apart.min() > 20


def test_black_letters_can_be_read_on_every_colour():
    luminance = linear(np.array(COLOURS)) @ TO_XYZ[1]
    assert ((luminance + 0.05) / 0.05 >= 4.5).all(), "WCAG AA"
