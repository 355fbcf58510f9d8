"""Growths: bumps of tissue that hardly stand out from what they grow on, made of the texture of a
real picture.

A polyp or a flat lesion differs from the mucosa around it by a little light, a little colour and a
soft edge, which is what a model learnt on cut-outs with clear borders does not see. A growth is a
piece of some picture in a smooth random outline, lit as a dome from one side, tinted slightly, now
and then glossy.
"""

from __future__ import annotations

import math

import numpy as np

from sam2s.clips.stills.extended import square
from sam2s.clips.stills.paste import CutOut, ends, premultiplied
from sam2s.masklets.catalogue import ObjectInfo
from sam2s.opencv import cv2

INFO = ObjectInfo("polyp", "tissue")
RADIUS = (0.05, 0.22)
"""Mean radius, in shares of the picture's side."""
WAVES = range(2, 6)
"""Waves round the outline; the more there are of a kind, the lower it is."""
EDGE = (0.8, 4.0)
"""Standard deviation of the soft edge in pixels."""
TINT = 0.1
"""Standard deviation of the log of each colour's gain."""
GLOSS = 0.6
"""Share of growths with bright reflections."""


def growth(image: np.ndarray, side: int, rng: np.random.Generator) -> CutOut:
    """A growth of the tissue of ``image`` (H, W, 3) uint8, in the middle of a frame of ``side``
    pixels."""
    distance, radius = _outline(side, rng)
    inside = distance < 1
    height = np.sqrt(np.clip(1 - distance * distance, 0, 1))
    shade = _lit_dome(height, distance, radius, rng)
    gains = np.exp(rng.normal(0, TINT, 3)).astype(np.float32)
    colours = _texture(square(image, side), rng).astype(np.float32) * shade[..., None] * gains
    if rng.random() < GLOSS:
        colours += 255 * _gloss(height, radius, rng)[..., None]
    # At most a quarter of the radius, or nothing would be left of a small one.
    edge = min(math.exp(rng.uniform(*np.log(EDGE))), radius / 4)
    alpha = cv2.GaussianBlur(inside.astype(np.uint8) * 255, (0, 0), edge)
    where = (np.argwhere(inside)[:, ::-1] + 0.5) / side
    outward, pivot, reach = ends(where, touched=np.zeros(4, bool))
    return CutOut(
        premultiplied(np.clip(colours, 0, 255).astype(np.uint8), alpha), outward, pivot, reach, INFO
    )


def _outline(side: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """(side, side) float32: distance from the middle, 1 on the outline; and the mean radius in
    pixels."""
    radius = side * math.exp(rng.uniform(*np.log(RADIUS)))
    line = np.arange(side, dtype=np.float32) - (side - 1) / 2
    stretch = np.float32(math.exp(rng.uniform(-0.35, 0.35)))
    x, y = line[None, :] / stretch, line[:, None] * stretch
    angle = np.arctan2(y, x)
    wave = sum(
        rng.normal(0, 0.18 / k) * np.cos(k * angle + rng.uniform(0, 2 * math.pi)) for k in WAVES
    )
    return (np.hypot(x, y) / (radius * np.clip(1 + wave, 0.4, 1.6))).astype(np.float32), radius


def _lit_dome(
    height: np.ndarray, distance: np.ndarray, radius: float, rng: np.random.Generator
) -> np.ndarray:
    """(side, side) float32: how bright a dome is under light from one side, with a darker rim; 1 =
    as the picture."""
    smooth = cv2.GaussianBlur(height, (0, 0), max(1.0, 0.15 * radius))
    down, across = np.gradient(smooth * np.float32(radius))
    heading = rng.uniform(0, 2 * math.pi)
    slope = (math.cos(heading) * across + math.sin(heading) * down) / np.sqrt(
        1 + across**2 + down**2
    )
    rim = np.clip(distance, 0, 1) ** 6  # below a tenth within two thirds of the radius
    shade = rng.uniform(0.9, 1.2) + rng.uniform(0.05, 0.4) * slope - rng.uniform(0, 0.35) * rim
    return np.asarray(np.clip(shade, 0.3, 1.8), np.float32)


def _texture(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture (R, R, 3) turned, scaled and moved, so that a growth does not repeat the place
    where it came from."""
    side = len(picture)
    turn = cv2.getRotationMatrix2D(
        (side / 2, side / 2), rng.uniform(0, 360), math.exp(rng.uniform(-0.4, 0.4))
    )
    turn[:, 2] += rng.uniform(-0.4, 0.4, 2) * side
    return np.asarray(
        cv2.warpAffine(picture, turn, (side, side), borderMode=cv2.BORDER_REFLECT_101)
    )


def _gloss(height: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    """(side, side) float32 in [0, 1]: some small reflections on the upper part of the dome."""
    cells = max(4, round(len(height) / max(2.0, 0.15 * radius)))
    coarse = rng.standard_normal((cells, cells), dtype=np.float32)
    noise = cv2.resize(coarse, height.shape, interpolation=cv2.INTER_CUBIC)
    return np.asarray(
        np.clip(2 * (noise - rng.uniform(1.3, 2.2)), 0, 0.8) * (height > 0.5), np.float32
    )
