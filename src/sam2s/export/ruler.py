"""A picture with its pixels counted along the edges, to read off where to click."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

STEPS = (5, 10, 20, 25, 50, 100, 200, 250, 500, 1000)
"""Pixels from one number to the next."""
PAPER, INK, LINE = (250, 250, 250), (30, 30, 30), (255, 255, 255)


def with_rulers(image: np.ndarray) -> np.ndarray:
    """``image`` (H, W, 3) uint8 RGB with a ruler above and left of it, and a faint grid over it.

    Numbers are source pixels counted from 0, x from left to right and y from top to bottom; the
    pixels of the picture itself are not scaled. Gives (H + h, W + w, 3) uint8.
    """
    height, width = image.shape[:2]
    letters = max(10, round(min(height, width) / 40))
    font = ImageFont.load_default(size=letters)
    widest = round(font.getlength(str(max(height, width)))) + letters
    left, top = widest, round(1.8 * letters)
    step = next((s for s in STEPS if s >= widest and max(height, width) / s <= 24), STEPS[-1])
    canvas = Image.new("RGB", (width + left, height + top), PAPER)
    gridded = image.copy()
    for line in range(step, width, step):
        gridded[:, line] = (gridded[:, line].astype(np.uint16) * 3 + 255) // 4
    for line in range(step, height, step):
        gridded[line] = (gridded[line].astype(np.uint16) * 3 + 255) // 4
    canvas.paste(Image.fromarray(gridded), (left, top))
    draw = ImageDraw.Draw(canvas)
    for x in range(0, width, step):
        draw.line([(left + x, top - letters // 3), (left + x, top)], fill=INK)
        draw.text((left + x, top - letters // 3), str(x), fill=INK, font=font, anchor="mb")
    for y in range(0, height, step):
        draw.line([(left - letters // 3, top + y), (left, top + y)], fill=INK)
        draw.text((left - letters // 2, top + y), str(y), fill=INK, font=font, anchor="rm")
    return np.asarray(canvas)
