"""Smooth random fields: the raw material of every texture. All take a Generator, none touches
global state.

``shape`` is (H, W); ``cell`` the size of the largest bump in pixels; results are float32 (H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sam2s.opencv import cv2

Rng = np.random.Generator


def f32(values: Sequence[Any] | np.ndarray | float) -> np.ndarray:
    """``values`` as a float32 array."""
    return np.asarray(values, np.float32)


def smooth_noise(rng: Rng, shape: tuple[int, int], cell: float, stretch: float = 1.0) -> np.ndarray:
    """Normal noise on a grid of ``cell`` pixels (``cell * stretch`` along x), cubic between; std a
    little under 1."""
    h, w = shape
    rows, cols = max(2, int(np.ceil(h / cell)) + 3), max(2, int(np.ceil(w / (cell * stretch))) + 3)
    grid = rng.standard_normal((rows, cols), dtype=np.float32)
    scale_x, scale_y = 1.0 / (cell * stretch), 1.0 / cell
    offset_x, offset_y = rng.uniform(0.5, 1.5, 2)
    matrix = f32([[scale_x, 0, offset_x], [0, scale_y, offset_y]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(grid, matrix, (w, h), flags=flags, borderMode=cv2.BORDER_REFLECT)


def fbm(
    rng: Rng, shape: tuple[int, int], cell: float, octaves: int = 4, gain: float = 0.5
) -> np.ndarray:
    """Sum of octaves of smooth noise, each half the size and ``gain`` times the height; about unit
    variance."""
    total = np.zeros(shape, np.float32)
    weight, power = 1.0, 0.0
    for _ in range(octaves):
        if cell < 1.5:
            break
        total += weight * smooth_noise(rng, shape, cell)
        power += weight * weight
        weight *= gain
        cell *= 0.5
    return total * np.float32(1.4 / np.sqrt(max(power, 1e-6)))


def ridged(rng: Rng, shape: tuple[int, int], cell: float, octaves: int = 3) -> np.ndarray:
    """Sharp crests between smooth valleys, in [0, 1]: folds of a lining, creases of a serosa."""
    return np.exp(-2.2 * np.abs(fbm(rng, shape, cell, octaves)), dtype=np.float32)


def streaks(
    rng: Rng, shape: tuple[int, int], cell: float, stretch: float, angle: float
) -> np.ndarray:
    """Fibres ``stretch`` times longer than wide, running at ``angle`` radians from the x axis;
    about unit variance."""
    side = int(np.hypot(*shape)) + 4
    straight = smooth_noise(rng, (side, side), cell, stretch) + 0.6 * smooth_noise(
        rng, (side, side), cell / 2, stretch
    )
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), -np.degrees(angle), 1.0)
    turn[:, 2] -= ((side - shape[1]) / 2, (side - shape[0]) / 2)
    return cv2.warpAffine(
        straight, turn, (shape[1], shape[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def lobules(rng: Rng, shape: tuple[int, int], cell: float) -> tuple[np.ndarray, np.ndarray]:
    """Rounded lumps packed side by side: (height in [0, 1], one random number in [0, 1] per
    lump)."""
    h, w = shape
    count = max(4, int(1.3 * h * w / (cell * cell)))
    seeds = np.full(shape, 255, np.uint8)
    seeds[rng.integers(0, h, count), rng.integers(0, w, count)] = 0
    distance, label = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    tone = rng.random(count + 1, dtype=np.float32)
    height = np.sqrt(np.clip(1 - (distance / (0.95 * cell)) ** 2, 0, 1))
    return cv2.GaussianBlur(height, (0, 0), max(0.08 * cell, 0.6)), tone[np.minimum(label, count)]


def smoothstep(low: float, high: float, x: np.ndarray | float) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, an S between them."""
    u = np.clip((np.asarray(x, np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    return u * u * (3 - 2 * u)
