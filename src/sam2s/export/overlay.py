"""Draws masks on pictures: a translucent fill, an outline and a label for each object, in colours
told apart; and pictures side by side in one file.

`draw_overlay` draws a whole result on its frame; `fill_mask`, `outline_mask` and `save_grid` are
what every other picture of masks is made of.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sam2s.files import replacing
from sam2s.masklets.masks import bounding_window
from sam2s.types import FrameResult

COLOURS = (
    (5, 199, 255),
    (229, 251, 122),
    (206, 62, 145),
    (132, 184, 0),
    (152, 80, 253),
    (246, 143, 178),
    (50, 130, 212),
    (156, 254, 14),
    (253, 206, 155),
    (237, 6, 80),
)
"""Of ids 1 to 10: bright hues that people with any of the three colour-blindnesses tell apart as
well (any two differ by more than 20 in CIELAB, a test says), and light enough for black letters;
later ids take hues a golden angle apart."""
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

    A label holds the object's number, its name in ``names`` (or the class that the model gives it),
    and its score, and lies above its mask; objects that are not in view are listed in the top left
    corner. Labels grow with the picture and do not cover one another while there is room.
    """
    canvas = image.copy()
    thickness = max(1, round(min(image.shape[:2]) / 360))
    letters = max(9, round(min(image.shape[:2]) / 34))
    labels: list[tuple[int, int, np.ndarray]] = []
    absent_y = thickness
    known = {**result.classes, **(names or {})}
    for object_id, mask in sorted(result.masks.items()):
        text, colour = f"#{object_id} {known.get(object_id, '')}".rstrip(), colour_of(object_id)
        box = bounding_box(mask)
        if box is None:
            label = _label(f"{text} absent", colour, letters)
            labels.append((thickness, absent_y, label))
            absent_y += label.shape[0] + thickness
            continue
        top, bottom, left, right = box
        patch, inside = canvas[top:bottom, left:right], mask[top:bottom, left:right]
        fill_mask(patch, inside, colour)
        outline_mask(patch, inside, colour, thickness)
        label = _label(f"{text} {result.scores.get(object_id, 0.0):.2f}", colour, letters)
        labels.append((left, top - label.shape[0] - thickness, label))
    taken: list[tuple[int, int, int, int]] = []
    for left, top, label in labels:
        taken.append(_stamp(canvas, label, left, top, taken))
    return canvas


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """(top, bottom, left, right), ends exclusive, of the True pixels of (H, W) bool; None when
    there are none."""
    window = bounding_window(mask)
    if window is None:
        return None
    rows, columns = window
    return rows.start, rows.stop, columns.start, columns.stop


def fill_mask(canvas: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Tint ``canvas`` (H, W, 3) uint8 where ``mask`` (H, W) bool is True, in place."""
    tint = np.array(colour, np.uint16) * FILL
    canvas[mask] = ((canvas[mask].astype(np.uint16) * (256 - FILL) + tint) >> 8).astype(np.uint8)


def outline_mask(
    canvas: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int], thickness: int = 1
) -> None:
    """Paint the outer ``thickness`` pixels of ``mask`` (H, W) bool on ``canvas`` (H, W, 3) uint8,
    in place; the edge of the picture counts as outside."""
    inner = np.pad(mask, 1)
    for _ in range(thickness):
        shrunk = np.zeros_like(inner)
        shrunk[1:-1, 1:-1] = (
            inner[1:-1, 1:-1]
            & inner[:-2, 1:-1]
            & inner[2:, 1:-1]
            & inner[1:-1, :-2]
            & inner[1:-1, 2:]
        )
        inner = shrunk
    canvas[mask & ~inner[1:-1, 1:-1]] = colour


def save_grid(path: Path, rows: Sequence[Sequence[np.ndarray]]) -> None:
    """Write a PNG of tiles (H, W, 3) uint8 of one size, as many in every row, in one move."""
    lines = [np.concatenate(row, axis=1) for row in rows]
    with replacing(path) as hidden:
        Image.fromarray(np.concatenate(lines)).save(hidden, format="PNG")


@lru_cache(maxsize=512)
def _label(text: str, colour: tuple[int, int, int], letters: int) -> np.ndarray:
    """(h, w, 3) uint8: black text, ``letters`` pixels high, on the object's colour."""
    font, margin = _font(letters), max(2, letters // 5)
    left, top, right, bottom = font.getbbox(text)
    size = round(right - left) + 2 * margin, round(bottom - top) + 2 * margin
    picture = Image.new("RGB", size, colour)
    ImageDraw.Draw(picture).text((margin - left, margin - top), text, fill=(0, 0, 0), font=font)
    return np.asarray(picture)


@lru_cache(maxsize=8)
def _font(letters: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=letters)


Rectangle = tuple[int, int, int, int]
"""(top, bottom, left, right), ends exclusive."""


def _stamp(
    canvas: np.ndarray, label: np.ndarray, left: int, top: int, taken: Sequence[Rectangle]
) -> Rectangle:
    """Put ``label`` into ``canvas``, moved and cropped so that it lies inside and, where there is
    room above or below, on none of the places that are ``taken``; gives its place."""
    height, width = canvas.shape[:2]
    label = label[:height, :width]
    high, wide = label.shape[:2]
    left = min(max(left, 0), width - wide)
    wished = min(max(top, 0), height - high)
    beside = [(t, b) for t, b, lo, hi in taken if lo < left + wide and left < hi]
    tops = [wished, *(b for _, b in beside), *(t - high for t, _ in beside)]
    free = [
        t
        for t in tops
        if 0 <= t <= height - high and all(t >= b or t + high <= a for a, b in beside)
    ]
    top = min(free, key=lambda t: abs(t - wished), default=wished)
    canvas[top : top + high, left : left + wide] = label
    return top, top + high, left, left + wide
