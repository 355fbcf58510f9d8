"""Masks as polygons along the edges of their pixels, and back.

A corner (x, y) lies between pixels: pixel (0, 0) is the square from (0, 0) to (1, 1), as COCO, CVAT
and LabelMe have it. Outlines are exact: what they enclose is the mask, but for its holes, which
most formats cannot hold. Pixels that touch at a corner alone are two parts.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from sam2s.masklets.masks import EIGHT_CONNECTED

Corner = tuple[int, int]
RIGHT, DOWN, LEFT, UP = range(4)


def polygons_of(mask: np.ndarray) -> list[np.ndarray]:
    """Outer outlines of (H, W) bool: (P, 2) int (x, y) each, clockwise as one sees it, largest
    part first; none for an empty mask."""
    sides = _sides(mask)
    outlines = []
    while sides:
        outline = _walk(sides)
        x, y = outline.T
        doubled = int((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())
        if doubled > 0:  # a hole is walked the other way round
            outlines.append((doubled, outline))
    return [outline for _, outline in sorted(outlines, key=lambda one: -one[0])]


def _sides(mask: np.ndarray) -> dict[tuple[Corner, int], Corner]:
    """{(where a straight side begins, its direction): where it ends}, the object on its right."""
    below, above = np.pad(mask, ((0, 1), (0, 0))), np.pad(mask, ((1, 0), (0, 0)))
    after, before = np.pad(mask, ((0, 0), (0, 1))), np.pad(mask, ((0, 0), (1, 0)))
    sides: dict[tuple[Corner, int], Corner] = {}
    for y, start, stop in _runs(below & ~above):
        sides[(start, y), RIGHT] = (stop, y)
    for y, start, stop in _runs(above & ~below):
        sides[(stop, y), LEFT] = (start, y)
    for x, start, stop in _runs((before & ~after).T):
        sides[(x, start), DOWN] = (x, stop)
    for x, start, stop in _runs((after & ~before).T):
        sides[(x, stop), UP] = (x, start)
    return sides


def _runs(edges: np.ndarray) -> Iterable[tuple[int, int, int]]:
    """(line, start, stop) of the runs of True in each line."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    lines, starts = np.nonzero(steps == 1)
    stops = np.nonzero(steps == -1)[1]
    return zip(lines.tolist(), starts.tolist(), stops.tolist(), strict=True)


def _walk(sides: dict[tuple[Corner, int], Corner]) -> np.ndarray:
    """Take one closed outline out of ``sides``. Where two parts touch at a corner it turns right,
    so that each part keeps its own."""
    corner, direction = next(iter(sides))
    corners = []
    while (corner, direction) in sides:
        corners.append(corner)
        corner = sides.pop((corner, direction))
        right = (direction + 1) % 4
        direction = right if (corner, right) in sides else (direction + 3) % 4
    return np.array(corners)


def inside(polygons: Iterable[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: pixels whose centre lies within any of the polygons, each (P, 2) (x, y)."""
    height, width = size
    mask = np.zeros(size, bool)
    for polygon in polygons:
        crossed = np.zeros((height, width + 1), bool)
        for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
            low, high = np.clip(np.ceil(np.sort([y0, y1]) - 0.5), 0, height).astype(int)
            if low == high:
                continue
            rows = np.arange(low, high)
            x = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
            crossed[rows, np.clip(np.ceil(x - 0.5), 0, width).astype(int)] ^= True
        mask |= np.logical_xor.accumulate(crossed, axis=1)[:, :width]
    return mask


def without_holes(mask: np.ndarray) -> np.ndarray:
    """What the outer outlines of (H, W) bool enclose."""
    return ndimage.binary_fill_holes(mask, structure=EIGHT_CONNECTED)
