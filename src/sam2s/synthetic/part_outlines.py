"""Outlines of instrument parts, (N, 2) float64 in tool units (the shaft's diameter is 1): x to the
tip, y across."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def rod(length: float, start: float, end: float, round_tip: bool = False) -> np.ndarray:
    """A straight rod from x = 0 to ``length``, of diameters ``start`` and ``end``."""
    tip = [[length, -end / 2], [length, end / 2]]
    if round_tip:
        turn = np.linspace(-np.pi / 2, np.pi / 2, 9)
        tip = [[length - end / 2 + end / 2 * np.cos(a), end / 2 * np.sin(a)] for a in turn]
    return np.array([[0, -start / 2], *tip, [0, start / 2]], float)


@dataclass(frozen=True, slots=True)
class JawShape:
    """One jaw of a pair, in tool units. ``base``, ``tip``: its width at the joint and at its end;
    ``curve``: how far the tip bends sideways; ``teeth``: height of the teeth on its inner edge."""

    length: float
    base: float
    tip: float
    curve: float = 0.0
    teeth: float = 0.0


def jaw(shape: JawShape, side: int = 1) -> np.ndarray:
    """Half a pair of jaws: its inner edge runs along y = 0 (toothed), the outer one narrows from
    the base to the tip. ``side``: +1 or -1, which half."""
    length, base, tip = shape.length, shape.base, shape.tip
    x = np.linspace(0, length, 25)
    inner = shape.teeth * np.abs((x * 3.2) % 1 - 0.5)
    outer = base + (tip - base) * (x / length) ** 0.8
    outer = np.minimum(outer, 1.6 * np.sqrt(np.maximum(length - x, 0) * tip + 1e-3))
    bend = shape.curve * (x / length) ** 2
    below = np.stack([x, -side * inner * (x > 0.25 * length) - 0.02 * side + bend], 1)
    above = np.stack([x, side * outer + bend], 1)[::-1]
    back = np.array([[-0.25, side * base * 0.6], [-0.25, -side * 0.2]])
    return np.vstack([below, above, back])


def window(shape: JawShape, side: int = 1) -> np.ndarray:
    """The long rounded hole in the middle of a fenestrated jaw."""
    start, stop = 0.35 * shape.length, 0.82 * shape.length
    centre, width = side * 0.45 * shape.base, 0.16 * shape.base
    x = np.linspace(start, stop, 9)
    fade = np.sqrt(np.clip(1 - ((x - (start + stop) / 2) / ((stop - start) / 2)) ** 2, 0.02, 1))
    bend = centre + shape.curve * (x / shape.length) ** 2
    return np.vstack(
        [np.stack([x, bend - width * fade], 1), np.stack([x, bend + width * fade], 1)[::-1]]
    )


def ribbon(path: np.ndarray, width: np.ndarray | float) -> np.ndarray:
    """An outline that follows ``path`` (N, 2) at the given width."""
    step = np.gradient(path, axis=0)
    across = np.stack([-step[:, 1], step[:, 0]], 1) / np.linalg.norm(step, axis=1, keepdims=True)
    half = np.broadcast_to(np.asarray(width, float) / 2, (len(path),))[:, None] * across
    return np.vstack([path + half, (path - half)[::-1]])
