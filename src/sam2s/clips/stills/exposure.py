"""What the camera makes of a finished frame of a still: light, sensor noise, and the dark surround
of the screen."""

from __future__ import annotations

import numpy as np

from sam2s.opencv import cv2


def lit(shade: np.ndarray, light: np.ndarray) -> np.ndarray:
    """The picture (S, S, 3) float32 under ``light``: log brightness, log of three colours, slope
    across and down."""
    line = np.linspace(-1, 1, len(shade), dtype=np.float32)
    slope = (
        np.exp(np.float32(light[4]) * line)[None, :] * np.exp(np.float32(light[5]) * line)[:, None]
    )
    gains = np.exp(light[0] + light[1:4])
    return np.asarray(cv2.multiply(shade, cv2.merge([slope * np.float32(gain) for gain in gains])))


def draw_grain(size: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """(2 size, 2 size) float32 sensor noise, of which every frame takes another part."""
    return np.asarray(
        rng.standard_normal((2 * size, 2 * size), dtype=np.float32) * np.float32(strength)
    )


def with_grain(shade: np.ndarray, grain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture with some of ``grain``, the same in all colours."""
    size = len(shade)
    down, across = rng.integers(0, len(grain) - size + 1, 2)
    noise = grain[down : down + size, across : across + size]
    return np.asarray(cv2.add(shade, cv2.merge([noise] * 3)))


def in_surround(shade: np.ndarray, masks: list[np.ndarray], surround: np.ndarray) -> np.ndarray:
    """The picture under the dark surround of the screen, which hides objects as well."""
    dark = cv2.resize(surround, shade.shape[1::-1], interpolation=cv2.INTER_AREA)
    for mask in masks:
        mask &= dark < 128
    return np.asarray(shade * (1 - dark.astype(np.float32)[..., None] / 255))
