"""What of many overlapping masks is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from sam2s.tracking.everything.grid import Crop

EDGE = 20
"""Pixels from a crop's edge within which a mask is taken to be cut off by it (SAM's)."""
EIGHT = np.ones((3, 3), bool)


def suppress(places: Sequence[Any], scores: Sequence[float], max_overlap: float) -> list[int]:
    """Indices of what stays, best first: of two that overlap by more (IoU), the better one.
    ``places``: all boxes (4,) left, top, width, height, or all COCO RLE."""
    from pycocotools import mask as coco

    if not places:
        return []
    many: Any = np.stack(places).astype(float) if isinstance(places[0], np.ndarray) else places
    overlap = coco.iou(many, many, [0] * len(places))
    kept: list[int] = []
    for k in np.argsort(-np.asarray(scores), kind="stable"):
        if not kept or overlap[k, kept].max() <= max_overlap:
            kept.append(int(k))
    return kept


def cut_off(mask: np.ndarray, crop: Crop, size: tuple[int, int]) -> bool:
    """Whether a mask (h, w) of a crop comes near an edge of it that is no edge of the picture of
    ``size`` (height, width): a larger crop, or its neighbour, sees it whole."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, right = columns[0] + crop.left, columns[-1] + crop.left
    top, bottom = rows[0] + crop.top, rows[-1] + crop.top
    sides = (
        (left, crop.left, 0),
        (top, crop.top, 0),
        (right, crop.right, size[1]),
        (bottom, crop.bottom, size[0]),
    )
    return any(abs(at - edge) <= EDGE < abs(at - end) for at, edge, end in sides)


def tidy(mask: np.ndarray, min_region: float) -> np.ndarray:
    """The mask (H, W) bool without holes and specks of fewer than ``min_region`` pixels; its
    largest part stays in any case. The same array where nothing was to do."""
    labels, count = ndimage.label(~mask, EIGHT)
    holes = np.flatnonzero(np.bincount(labels.ravel(), minlength=count + 1)[1:] < min_region) + 1
    if len(holes):
        mask = mask | np.isin(labels, holes)
    labels, count = ndimage.label(mask, EIGHT)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    small = np.flatnonzero(areas < min_region) + 1
    small = small[small != areas.argmax() + 1] if count else small
    return mask & ~np.isin(labels, small) if len(small) else mask
