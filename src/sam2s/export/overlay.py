"""Draws a result on its frame: a translucent fill, an outline and a label for each object, in
colours told apart."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sam2s.types import FrameResult

COLOURS = (
    (0, 200, 255),
    (255, 235, 59),
    (0, 230, 118),
    (213, 0, 249),
    (255, 145, 0),
    (41, 121, 255),
    (198, 255, 0),
    (255, 64, 129),
    (100, 255, 218),
    (179, 136, 255),
)
"""Of ids 1 to 10: bright hues, without the reds of tissue; later ids take hues a golden angle
apart."""
FILL = 90
"""Opacity of the fill, of 256."""


def colour_of(object_id: int) -> tuple[int, int, int]:
    """The RGB colour of an object, the same in every run."""
    if 1 <= object_id <= len(COLOURS):
        return COLOURS[object_id - 1]
    red, green, blue = colorsys.hsv_to_rgb(object_id * 0.618034 % 1.0, 0.75, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_overlay(
    image: np.ndarray, result: FrameResult, names: Mapping[int, str] | None = None
) -> np.ndarray:
    """A copy of ``image`` (H, W, 3) uint8 with every object of ``result`` drawn on it.

    A label holds the object's id (or its name in ``names``) and score, above its mask; objects that
    are not in view are listed in the top left corner.
    """
    canvas = image.copy()
    scale = max(1, round(min(image.shape[:2]) / 360))
    labels: list[tuple[int, int, np.ndarray]] = []
    absent_y = scale
    for object_id, mask in sorted(result.masks.items()):
        text, colour = (names or {}).get(object_id, str(object_id)), colour_of(object_id)
        box = bounding_box(mask)
        if box is None:
            label = _label(f"{text} absent", colour, scale)
            labels.append((scale, absent_y, label))
            absent_y += label.shape[0] + scale
            continue
        top, bottom, left, right = box
        _paint(canvas[top:bottom, left:right], mask[top:bottom, left:right], colour, scale)
        label = _label(f"{text} {result.scores.get(object_id, 0.0):.2f}", colour, scale)
        labels.append((left, top - label.shape[0] - scale, label))
    for left, top, label in labels:
        _stamp(canvas, label, left, top)
    return canvas


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """(top, bottom, left, right), ends exclusive, of the True pixels of (H, W) bool; None when
    there are none."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _paint(
    patch: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int], thickness: int
) -> None:
    """Fill and outline ``mask`` in ``patch``, in place."""
    tint = np.array(colour, np.uint16) * FILL
    patch[mask] = ((patch[mask].astype(np.uint16) * (256 - FILL) + tint) >> 8).astype(np.uint8)
    patch[mask & ~_erode(mask, thickness)] = colour


def _erode(mask: np.ndarray, steps: int) -> np.ndarray:
    """The mask without its outer ``steps`` pixels; the edge of the array counts as outside."""
    inner = np.pad(mask, 1)
    for _ in range(steps):
        shrunk = np.zeros_like(inner)
        shrunk[1:-1, 1:-1] = (
            inner[1:-1, 1:-1]
            & inner[:-2, 1:-1]
            & inner[2:, 1:-1]
            & inner[1:-1, :-2]
            & inner[1:-1, 2:]
        )
        inner = shrunk
    return inner[1:-1, 1:-1]


@lru_cache(maxsize=512)
def _label(text: str, colour: tuple[int, int, int], scale: int) -> np.ndarray:
    """(h, w, 3) uint8: black text on the object's colour."""
    font = _font(scale)
    left, top, right, bottom = font.getbbox(text)
    picture = Image.new(
        "RGB", (round(right - left) + 4 * scale, round(bottom - top) + 4 * scale), colour
    )
    ImageDraw.Draw(picture).text(
        (2 * scale - left, 2 * scale - top), text, fill=(0, 0, 0), font=font
    )
    return np.asarray(picture)


@lru_cache(maxsize=8)
def _font(scale: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=9 * scale)


def _stamp(canvas: np.ndarray, label: np.ndarray, left: int, top: int) -> None:
    """Put ``label`` into ``canvas``, moved and cropped so that it lies inside."""
    height, width = canvas.shape[:2]
    label = label[:height, :width]
    top = min(max(top, 0), height - label.shape[0])
    left = min(max(left, 0), width - label.shape[1])
    canvas[top : top + label.shape[0], left : left + label.shape[1]] = label
