"""From semantic masks to things: connected components, and instruments out of their parts."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

EIGHT = np.ones((3, 3), dtype=bool)
"""Pixels that touch at a corner are connected."""


def bounds(mask: np.ndarray) -> tuple[slice, slice] | None:
    """The smallest window that holds all of a (H, W) bool mask, None when it is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def components(mask: np.ndarray, min_fraction: float = 0.0005, bridge: int = 0) -> list[np.ndarray]:
    """The connected parts (8-neighbours) of a (H, W) bool mask, largest first.

    ``min_fraction``: of the picture's pixels; smaller parts are specks and are left out. ``bridge``: gaps of up to
    twice this many pixels do not separate.
    """
    window = bounds(mask)
    if window is None:
        return []
    inside = np.pad(mask[window], bridge)
    labels, count = ndimage.label(widened(inside, bridge), EIGHT)
    core = slice(bridge, -bridge or None)
    labels = np.where(mask[window], labels[core, core], 0)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = [i for i in np.argsort(-areas, kind="stable") if areas[i] >= max(1.0, min_fraction * mask.size)]
    return [_place(labels == i + 1, window, mask.shape) for i in order]


def widened(mask: np.ndarray, reach: int) -> np.ndarray:
    """The mask grown by ``reach`` pixels in all eight directions."""
    for _ in range(reach):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        mask = grown.copy()
        mask[:, 1:] |= grown[:, :-1]
        mask[:, :-1] |= grown[:, 1:]
    return mask


def instruments(parts: dict[str, np.ndarray], min_fraction: float = 0.0005) -> list[np.ndarray]:
    """Whole instruments out of the masks of their parts ("shaft", "wrist", "clasper"; missing ones may be left out).

    The parts are united and split into components. A component in which several shafts reach wrists of their own is
    two crossing tools: its pixels go to the nearest such shaft.
    """
    present = [mask for mask in parts.values() if mask.any()]
    if not present:
        return []
    whole = np.logical_or.reduce(present)
    found: list[np.ndarray] = []
    for tool in components(whole, min_fraction, bridge=1):
        found += _uncross(tool, parts.get("shaft"), parts.get("wrist"), min_fraction)
    return found


def _uncross(
    tool: np.ndarray, shaft: np.ndarray | None, wrist: np.ndarray | None, min_fraction: float
) -> list[np.ndarray]:
    if shaft is None or wrist is None:
        return [tool]
    shafts = components(tool & shaft, min_fraction)
    wrists = components(tool & wrist, min_fraction / 4)
    if len(shafts) < 2 or len(wrists) < 2:
        return [tool]
    near = np.array([[_touch(s, w) for w in wrists] for s in shafts])
    rows, columns = linear_sum_assignment(~near)
    seeds = [shafts[row] for row, column in zip(rows, columns, strict=True) if near[row, column]]
    if len(seeds) < 2:
        return [tool]
    distances = np.stack([ndimage.distance_transform_edt(~seed) for seed in seeds])
    owner = distances.argmin(axis=0)
    return [tool & (owner == i) for i in range(len(seeds))]


def _touch(a: np.ndarray, b: np.ndarray, reach: int = 2) -> bool:
    return bool((widened(a, reach) & b).any())


def _place(part: np.ndarray, window: tuple[slice, slice], shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[window] = part
    return mask
