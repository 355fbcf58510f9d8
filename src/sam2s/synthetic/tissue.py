"""Tissue as the camera sees it on one frame: warped by breathing and tools, wet, bleeding, in the
tools' shadow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.curves import Event, Wave, level, plan_events, wave
from sam2s.synthetic.noise import Rng, f32, smooth_noise
from sam2s.synthetic.spec import SceneSpec
from sam2s.synthetic.world import DEPTH_SIDE, World

GRID = 32
"""The warp is computed on GRID x GRID points of the view and interpolated."""
MODES = 4
"""Displacement fields: breathing, two slow drifts, the heart."""
MODE_CELL = GRID / 3.2
"""Grid points between bumps of a displacement field: about three across the canvas."""
MODE_HEIGHT = 0.018
"""Displacement of a field, in units."""
BREATHS, BEATS = (0.2, 0.4), (0.9, 1.5)
"""Breaths and heartbeats a second."""
TUG_REACH = 0.16
"""How far a tool drags tissue along, in shares of the view's shorter side."""
PARALLAX, PULL = (0.0, 0.10), (0.0, 0.06)
"""Largest shift of what is near against what is far, and drag of a tool, in units."""
FRESH_BLOOD = (70, 150)
"""Red of a pool, 0 to 255; its green and blue are `BLOOD_TINT` of that."""
BLOOD_TINT = (0.03, 0.12)
BLOOD_EDGE = 14.0
"""Grey levels of the pool's field over which its edge turns opaque."""
BLOOD_DEEP = 120.0
"""Levels below the surface at which blood is darkest."""
WETNESS = (60, 700)
"""Squared distance, in steps of a packed normal, from the mirror direction within which tissue
glints: how large highlights are."""
GLINT_GAIN = 2.2
"""A highlight is saturated over the inner half of that distance."""
LEAN = (25, 70)
"""How far, in those steps, the mirror direction turns from one side of the view to the other: the
lamp is close."""
TIP_SHADOW, SHADOW_OFFSET = 120, (0.35, 0.6)
"""Brightness (of 255) under a tool, and where its shadow falls, in shaft diameters."""


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """A world and how it moves. ``modes`` (MODES, GRID, GRID, 2) float32: displacement fields over
    the canvas, in canvas pixels; ``pulses``: their coefficients over time; ``pull``: how hard tools
    drag what they touch."""

    world: World
    size: tuple[int, int]
    modes: np.ndarray
    pulses: tuple[Wave, ...]
    sway: tuple[Wave, Wave]
    parallax: float
    pull: float
    tug: tuple[Wave, Wave]
    bleeding: tuple[Event, ...]
    blood: tuple[float, float, float]
    wet: float
    glint: tuple[Wave, Wave]
    tilt: tuple[np.ndarray, np.ndarray]

    def look(
        self, t: int, matrix: np.ndarray, tips: Sequence[tuple[np.ndarray, int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Picture (H, W, 3) uint8 and owner ids (H, W) uint8 of the tissue alone; ``tips`` (x, y)
        touch it."""
        across = self._warp(t, matrix, [tip for tip, _ in tips])
        linear, nearest = cv2.INTER_LINEAR, cv2.INTER_NEAREST
        image = cv2.remap(self.world.colour, across, None, linear, borderMode=cv2.BORDER_REFLECT)
        aux = cv2.remap(self.world.aux, across, None, linear, borderMode=cv2.BORDER_REFLECT)
        owner = cv2.remap(self.world.ids, across, None, nearest, borderMode=cv2.BORDER_REFLECT)
        channels = cv2.split(aux)
        image = self._bleed(t, image, owner, channels[3])
        return self._shine(t, image, channels), owner

    def _warp(self, t: int, matrix: np.ndarray, tips: Sequence[np.ndarray]) -> np.ndarray:
        """(H, W, 2) float32: the canvas position that each view pixel shows."""
        h, w = self.size
        ys, xs = np.meshgrid(
            np.linspace(0, h - 1, GRID), np.linspace(0, w - 1, GRID), indexing="ij"
        )
        # (GRID, GRID, 2): each grid point of the view, (x, y) on the canvas.
        at = (np.stack([xs, ys], -1) @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        canvas = self.world.ids.shape
        # The same points in the coordinates of the displacement fields, which span the canvas.
        cell = at / f32([canvas[1] / (GRID - 1), canvas[0] / (GRID - 1)])
        flow = np.tensordot(f32([p(t) for p in self.pulses]), self.modes, 1)
        moved = cv2.remap(flow, cell, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        near = cv2.remap(
            self.world.depth,
            cell * np.float32((DEPTH_SIDE - 1) / (GRID - 1)),
            None,
            cv2.INTER_LINEAR,
        )
        sway = f32([self.sway[0](t), self.sway[1](t)]) * np.float32(self.parallax)
        at = at + moved + near[..., None] * sway
        for index, tip in enumerate(tips):
            at -= self._tugged(t, index, xs - tip[0], ys - tip[1])
        return _spread(at, self.size)

    def _tugged(self, t: int, index: int, dx: np.ndarray, dy: np.ndarray) -> np.ndarray:
        """The drag of tool ``index`` around its tip, in canvas pixels."""
        reach = TUG_REACH * min(self.size)
        weight = np.exp(-(dx * dx + dy * dy) / (2 * reach * reach))
        # All tools share two waves; each reads them at another time, so they do not pull alike.
        drag = np.array([self.tug[0](t + 401 * index), self.tug[1](t + 173 * index)]) * self.pull
        return (weight[..., None] * drag).astype(np.float32)

    def _bleed(self, t: int, image: np.ndarray, owner: np.ndarray, field: np.ndarray) -> np.ndarray:
        """Let the pool rise: opaque blood hides tissue and takes it out of the masks."""
        rise = level(self.bleeding, t)
        if rise <= 0.02:
            return image
        edge = 255 * (1 - 0.8 * rise)
        table = np.clip((np.arange(256) - edge) * (255 / BLOOD_EDGE), 0, 255).astype(np.uint8)
        table[:8] = 0
        alpha = cv2.LUT(field, table)
        owner[alpha > 127] = 0
        keep = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGB)
        return cv2.add(cv2.multiply(image, keep, scale=1 / 255), self._pool(field, table, edge))

    def _pool(self, field: np.ndarray, cover: np.ndarray, edge: float) -> np.ndarray:
        """The blood's own colour times how far it covers: bright where it is thin, dark where it is
        deep."""
        thick = np.clip((np.arange(256) - edge) / BLOOD_DEEP, 0, 1)
        tone = (1.3 - 0.75 * np.sqrt(thick)) * cover / 255
        return cv2.merge(
            [cv2.LUT(field, np.clip(tone * c, 0, 255).astype(np.uint8)) for c in self.blood]
        )

    def _shine(self, t: int, image: np.ndarray, channels: Sequence[np.ndarray]) -> np.ndarray:
        """Wet highlights where the surface mirrors the lamp into the lens; they travel as either
        moves."""
        if self.wet <= 0:
            return image
        dx = cv2.subtract(
            channels[0], self.tilt[0] + np.float32(self.glint[0](t)), dtype=cv2.CV_32F
        )
        dy = cv2.subtract(
            channels[1], self.tilt[1] + np.float32(self.glint[1](t)), dtype=cv2.CV_32F
        )
        off = cv2.add(cv2.multiply(dx, dx), cv2.multiply(dy, dy))
        glint = cv2.convertScaleAbs(
            cv2.max(np.float32(self.wet) - off, 0), alpha=255 * GLINT_GAIN / self.wet
        )
        glint = cv2.multiply(glint, channels[2], scale=1 / 255)
        glint = cv2.GaussianBlur(glint, (3, 3), 0)
        return cv2.add(image, cv2.cvtColor(glint, cv2.COLOR_GRAY2RGB))


def _spread(at: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate positions on the grid's corners to every pixel."""
    h, w = size
    zoom = f32([[(GRID - 1) / (w - 1), 0, 0], [0, (GRID - 1) / (h - 1), 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(at, zoom, (w, h), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def make_tissue(rng: Rng, world: World, spec: SceneSpec) -> Tissue:
    """Draw how the tissue of a scene moves, bleeds and glistens."""
    unit, fps = world.unit, spec.fps
    fields = [[smooth_noise(rng, (GRID, GRID), MODE_CELL) for _ in range(2)] for _ in range(MODES)]
    # (MODES, 2, GRID, GRID) to (MODES, GRID, GRID, 2): x and y last, as remap gives them.
    modes = f32(fields).transpose(0, 2, 3, 1) * np.float32(MODE_HEIGHT * unit)
    breath, heart = fps / rng.uniform(*BREATHS), fps / rng.uniform(*BEATS)
    pulses = (
        wave(rng, rng.uniform(0.3, 1.3), 0.95 * breath, 1.05 * breath, 1),
        wave(rng, rng.uniform(0.2, 1.0), 2 * fps, 10 * fps),
        wave(rng, rng.uniform(0.2, 1.0), 2 * fps, 10 * fps),
        wave(rng, rng.uniform(0.0, 0.25), 0.97 * heart, 1.03 * heart, 1),
    )
    h, w = spec.size
    lean = np.float32(rng.uniform(*LEAN))
    tilt_x = 128 - lean * (np.arange(w, dtype=np.float32) - w / 2) / min(h, w)
    tilt_y = 128 - lean * (np.arange(h, dtype=np.float32) - h / 2) / min(h, w)
    red = rng.uniform(*FRESH_BLOOD)
    return Tissue(
        world=world,
        size=spec.size,
        modes=modes,
        pulses=pulses,
        sway=(wave(rng, 1, 3 * fps, 10 * fps), wave(rng, 1, 3 * fps, 10 * fps)),
        parallax=rng.uniform(*PARALLAX) * unit * spec.motion,
        pull=rng.uniform(*PULL) * unit * spec.motion,
        tug=(wave(rng, 1.5, 1.0 * fps, 5 * fps), wave(rng, 1.5, 1.0 * fps, 5 * fps)),
        bleeding=plan_events(rng, spec.frames, 0.25 * spec.effects, (40, 200), (0.3, 0.9), 30),
        blood=(red, red * rng.uniform(*BLOOD_TINT), red * rng.uniform(*BLOOD_TINT)),
        wet=float(rng.uniform(*WETNESS)),
        glint=(wave(rng, 25, 2 * fps, 9 * fps), wave(rng, 25, 2 * fps, 9 * fps)),
        tilt=(
            np.broadcast_to(tilt_x[None, :], (h, w)).copy(),
            np.broadcast_to(tilt_y[:, None], (h, w)).copy(),
        ),
    )


def cast_shadows(
    image: np.ndarray, lines: Sequence[tuple[np.ndarray, ...]], units: Sequence[float]
) -> np.ndarray:
    """Darken the tissue beside each tool; computed at a quarter of the resolution."""
    if not lines:
        return image
    h, w = image.shape[:2]
    small = np.full((h // 4, w // 4), 255, np.uint8)
    for line, unit in zip(lines, units, strict=True):
        points = np.round((np.array(line) + np.array(SHADOW_OFFSET) * unit) * 2).astype(np.int32)
        cv2.polylines(
            small, [points], False, TIP_SHADOW, max(1, round(unit / 4 * 1.1)), cv2.LINE_8, 3
        )
    small = cv2.GaussianBlur(small, (0, 0), max(0.015 * min(h, w), 1.0))
    shade = cv2.cvtColor(
        cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR), cv2.COLOR_GRAY2RGB
    )
    return cv2.multiply(image, shade, scale=1 / 255)
