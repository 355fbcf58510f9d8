"""Smooth motion for still pictures: paths over time, a moving view, and soft tissue that bends.

Coordinates are shares of the side: the still, and the view of it, are squares from 0 to 1, (x, y).
Time is counted in ticks of the clip's clock and may be any real number, so a clip can be drawn
frame by frame in any order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2

WAVES = 3
"""Sines that make up one coordinate of a path."""
BENDS = 4
"""Plane waves that make up the deformation of tissue."""
FINEST_BEND = 1.6
"""Most periods of such a wave over the picture; with amplitudes of a few percent nothing folds."""
COARSE = 24
"""Side of the grid on which the deformation is computed before it is enlarged."""


@dataclass(frozen=True, eq=False)
class Path:
    """A smooth function of time with D values: sums of sines. ``size``, ``rate``, ``phase``:
    (WAVES, D)."""

    size: np.ndarray
    rate: np.ndarray
    phase: np.ndarray

    def at(self, time: float) -> np.ndarray:
        """(D,) float64, each within what was asked of `draw_path`."""
        return np.asarray((self.size * np.sin(self.rate * time + self.phase)).sum(axis=0))


def draw_path(
    spread: tuple[float, ...], periods: tuple[float, float], rng: np.random.Generator
) -> Path:
    """A path whose value d stays within ``spread[d]``; its sines take between ``periods`` ticks a
    turn."""
    shape = (WAVES, len(spread))
    shares = rng.dirichlet(np.full(WAVES, 2.0), len(spread)).T
    turns = np.exp(rng.uniform(math.log(periods[0]), math.log(periods[1]), shape))
    return Path(
        shares * np.asarray(spread), 2 * math.pi / turns, rng.uniform(0, 2 * math.pi, shape)
    )


@dataclass(frozen=True)
class Episode:
    """A stretch of time in which something is elsewhere: 0 outside it, 1 for ``hold`` ticks on
    either side of ``middle``, with smooth ramps of ``ramp`` ticks."""

    middle: float
    hold: float
    ramp: float

    def at(self, time: float) -> float:
        """How far away, from 0 to 1."""
        inside = min(1.0, max(0.0, (self.hold + self.ramp - abs(time - self.middle)) / self.ramp))
        return inside * inside * (3 - 2 * inside)


def draw_episode(times: tuple[int, ...], rng: np.random.Generator, gone: float = 0.0) -> Episode:
    """An absence during a clip with frames at ``times`` (two or more): at least one frame is in its
    hold, the first frame of the clip is outside it, and where the clip is long enough there is a
    frame on either side. ``gone``: how likely it lasts to the end, away from the first frame."""
    first, ordered = times[0], sorted(times)
    inner = [t for t in ordered[1:-1] if t != first]
    middle = float(rng.choice(inner or [t for t in ordered if t != first]))
    gap = float(np.median(np.diff(ordered)))
    hold = gap * rng.uniform(0.1, max(0.2, len(times) / 4))
    ramp = gap * rng.uniform(0.7, 2.0)
    # The first frame, which is prompted, must see the object: the episode ends just before it.
    distance = abs(middle - first)
    if gone and rng.random() < gone:
        span = ordered[-1] - ordered[0]
        far = middle + math.copysign(span, middle - first)
        return Episode(far, span, min(ramp, 0.98 * distance))
    shrink = min(1.0, 0.98 * distance / (hold + ramp))
    return Episode(middle, hold * shrink, ramp * shrink)


@dataclass(frozen=True, eq=False)
class View:
    """What the camera sees of the still: ``centre`` (2,) of the view in the still, ``zoom`` (1 =
    all of it), ``angle`` in radians."""

    centre: np.ndarray
    zoom: float
    angle: float

    def matrix(self) -> np.ndarray:
        """(2, 3): position in the view -> position in the still, both in shares of the side."""
        cos, sin = math.cos(self.angle) / self.zoom, math.sin(self.angle) / self.zoom
        turn = np.array([[cos, -sin], [sin, cos]])
        return np.column_stack([turn, self.centre - turn @ np.array([0.5, 0.5])])


@dataclass(frozen=True, eq=False)
class Bend:
    """A deformation that hangs on the tissue: plane waves over the still. ``wave``, ``push``
    (BENDS, 2); ``phase`` runs with time."""

    wave: np.ndarray
    push: np.ndarray
    phase: Path

    def at(self, where: np.ndarray, time: float) -> np.ndarray:
        """Displacement, in shares of the side, of the positions ``where`` (..., 2)."""
        angles = where @ self.wave.T + self.phase.at(time)
        return np.asarray(np.sin(angles) @ self.push)


def draw_bend(strength: float, periods: tuple[float, float], rng: np.random.Generator) -> Bend:
    """A bend that moves tissue by at most ``strength`` of the side."""
    heading, fineness = rng.uniform(0, 2 * math.pi, BENDS), rng.uniform(0.5, FINEST_BEND, BENDS)
    wave = 2 * math.pi * fineness[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    pushing = rng.uniform(0, 2 * math.pi, BENDS)
    shares = strength * rng.dirichlet(np.full(BENDS, 2.0))
    push = shares[:, None] * np.stack([np.cos(pushing), np.sin(pushing)], axis=1)
    slow = (2 * periods[0], 2 * periods[1])
    return Bend(wave, push, draw_path((math.pi,) * BENDS, slow, rng))


def view_map(view: View, bend: Bend, time: float, size: int) -> np.ndarray:
    """(size, size, 2) float32: the position in the still, in shares of its side, of every pixel of
    the view."""
    matrix = view.matrix()
    where = _positions(size, matrix)
    coarse = _positions(COARSE, matrix)
    moved = bend.at(coarse, time).astype(np.float32)
    # The deformation is smooth, so a coarse grid of it, enlarged, costs little and shows nowhere.
    where += cv2.resize(moved, (size, size), interpolation=cv2.INTER_CUBIC)
    return where


def _positions(size: int, matrix: np.ndarray) -> np.ndarray:
    """``matrix`` applied to the pixel centres of a ``size`` x ``size`` view: (size, size, 2)
    float32."""
    line = ((np.arange(size) + 0.5) / size).astype(np.float32)
    matrix = matrix.astype(np.float32)
    # x varies along rows and y down columns, so the affine map is a sum of a row and a column.
    where = np.empty((size, size, 2), np.float32)
    for axis in (0, 1):
        where[..., axis] = (
            line * matrix[axis, 0] + (line * matrix[axis, 1] + matrix[axis, 2])[:, None]
        )
    return where


def sample_planes(planes: np.ndarray, pixels: np.ndarray, *, mirror: bool) -> np.ndarray:
    """``planes`` (H, W, C) uint8 at ``pixels`` (h, w, 2) float32, (x, y) in pixel indices,
    bilinear: (h, w, C) uint8.

    Beyond the border the picture is mirrored, or 0.
    """
    border = cv2.BORDER_REFLECT_101 if mirror else cv2.BORDER_CONSTANT
    # remap takes four channels at most, and drops the last axis of a single one.
    parts = [
        cv2.remap(
            planes[..., at : at + 4],
            pixels,
            None,
            cv2.INTER_LINEAR,
            borderMode=border,
            borderValue=0,
        )
        for at in range(0, planes.shape[-1], 4)
    ]
    return np.concatenate([part.reshape(*pixels.shape[:2], -1) for part in parts], axis=-1)
