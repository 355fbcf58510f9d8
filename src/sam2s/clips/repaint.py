"""Repainting: part of an object in another colour, all through its clip.

What a small model takes for an object is often one of its colours: the red panels of a bus without
its windows, a sail's stripe. Here one side of an object, cut along a line that goes with it, takes
on another tone, while its mask stays whole; and so does a part of the background, which no mask
holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
SOFT = 1.0
"""Standard deviation, in pixels, of the line between two tones."""
OFF_CENTRE = 0.6
"""Farthest that the line passes the object's middle, in radii of a disc of its area."""


@dataclass(frozen=True)
class RepaintConfig:
    """``share``: of the clips in which an object is repainted; ``strength``: least and largest
    share of the new tone; ``gain``: its brightness against the old one; ``ground``: in how many of
    these clips a part of the background is repainted instead."""

    share: float = 0.0
    strength: tuple[float, float] = (0.4, 0.9)
    gain: tuple[float, float] = (0.5, 1.6)
    ground: float = 0.3


def repaint(
    images: np.ndarray, masks: np.ndarray, config: RepaintConfig, rng: np.random.Generator
) -> np.ndarray:
    """Images (T, H, W, 3) uint8 of which one side of an object of ``masks`` (T, O, H, W) bool, or
    of the background about it, has another tone; the line between both goes with the object."""
    number = int(rng.integers(masks.shape[1]))
    heading = rng.uniform(0, 2 * math.pi)
    normal = np.array([math.cos(heading), math.sin(heading)], np.float32)
    offset = rng.uniform(-OFF_CENTRE, OFF_CENTRE)
    strength = np.float32(rng.uniform(*config.strength))
    tone = rng.dirichlet((1.5, 1.5, 1.5)).astype(np.float32)
    tone = tone / (tone @ LUMA) * np.float32(rng.uniform(*config.gain))
    ground = rng.random() < config.ground
    painted = []
    for image, seen in zip(images, masks, strict=True):
        mask = seen[number]
        area = int(mask.sum())
        if area == 0:
            painted.append(image)
            continue
        region = ~seen.any(axis=0) if ground else mask
        side = _side(mask, normal, offset * math.sqrt(area / math.pi)) & region
        weight = strength * cv2.GaussianBlur(side.astype(np.float32), (0, 0), SOFT)
        weight = np.where(region, weight, 0)[..., None]
        other = (image.astype(np.float32) @ LUMA)[..., None] * tone
        mixed = image * (1 - weight) + other * weight
        painted.append(np.clip(mixed, 0, 255).astype(np.uint8))
    return np.stack(painted)


def _side(mask: np.ndarray, normal: np.ndarray, offset: float) -> np.ndarray:
    """(H, W) bool: the pixels beyond a line across ``normal``, ``offset`` pixels from the middle of
    ``mask``."""
    rows, columns = np.nonzero(mask)
    x = np.arange(mask.shape[1], dtype=np.float32) - columns.mean()
    y = np.arange(mask.shape[0], dtype=np.float32) - rows.mean()
    return np.asarray(x[None, :] * normal[0] + y[:, None] * normal[1] > offset)
