"""Lit scenery: the canvas after the light, ready to be warped into any view of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.noise import Rng, f32, fbm, smooth_noise, smoothstep
from sam2s.synthetic.painting import Canvas

LAMP_HEIGHT = 1.3
"""Units between the lamp and the canvas: the distance at which a scope works."""
LAMP_STRAY = 0.25
"""Standard deviation, in units, of the lamp's place from the middle of the canvas."""
AMBIENT, DIRECT = 0.30, 0.78
"""Light that is scattered about the cavity, and light that comes straight from the lamp."""
HOLLOWS, DARKEST_HOLLOW = 5, 0.35
"""Loss of light per unit below the surroundings, and the most that a hollow can lose."""
SHADE_TINT = (0.92, 1.1, 1.14)
"""Exponents of shade per channel: light that has gone through tissue is red, so shade is redder."""
SLOPE_SCALE = 0.125
"""Of a 3 x 3 Sobel filter, for a slope per pixel."""
SLOPE_OFFSET, SLOPE_STEPS = 128, 110
"""How ``World.aux`` holds a normal's x or y in a byte: 0 is 128, and 1 is 110 above it."""
SKIN_LUMPS, SKIN_LUMPS_CELL = (0.04, 0.14), (0.04, 0.10)
SKIN_GRAIN, SKIN_GRAIN_CELL = (0.003, 0.03), (0.006, 0.015)
"""Slope and size (units) of the roughness that breaks highlights up."""
DEPTH_SIDE = 48
"""Side of ``World.depth``: parallax is smooth, so few numbers do."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """``colour`` (H, W, 3) uint8 RGB; ``aux`` (H, W, 4) uint8: normal x, normal y (both
    `SLOPE_OFFSET` + `SLOPE_STEPS` n), gloss, blood; ``ids`` (H, W) uint8; ``depth`` (h, w) float32,
    small, 0 = far and 1 = near; ``unit``: the view's shorter side in canvas pixels."""

    colour: np.ndarray
    aux: np.ndarray
    ids: np.ndarray
    depth: np.ndarray
    unit: float


@dataclass(frozen=True, slots=True, eq=False)
class Grade:
    """One camera's way with colour: ``gain`` and ``gamma`` per channel (3,), ``saturation``,
    ``exposure``."""

    gain: np.ndarray
    gamma: np.ndarray
    saturation: float
    exposure: float

    def apply(self, colour: np.ndarray) -> np.ndarray:
        """Graded copy of linear-ish (..., 3) float32 colour in [0, 1]."""
        x = np.clip(colour * np.float32(self.exposure), 0, 4)
        x = x / np.maximum(1, 0.72 + 0.28 * x)  # a soft shoulder instead of clipped highlights
        grey = x @ f32([0.3, 0.59, 0.11])
        x = grey[..., None] + (x - grey[..., None]) * np.float32(self.saturation)
        return np.clip(x * f32(self.gain), 0, 1) ** f32(self.gamma)


def random_grade(rng: Rng) -> Grade:
    """A camera: warm or cold, flat or contrasty."""
    return Grade(
        gain=np.exp(rng.normal(0, 0.05, 3)),
        gamma=np.exp(rng.normal(0, 0.14) + rng.normal(0, 0.03, 3)),
        saturation=float(np.clip(rng.normal(1.0, 0.17), 0.55, 1.35)),
        exposure=float(np.exp(rng.normal(0.1, 0.16))),
    )


def normals(height: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit surface normals (x, y, z), each (H, W), of a height map in units."""
    scaled = height * np.float32(unit)
    nx = -cv2.Sobel(scaled, cv2.CV_32F, 1, 0, scale=SLOPE_SCALE)
    ny = -cv2.Sobel(scaled, cv2.CV_32F, 0, 1, scale=SLOPE_SCALE)
    nz = 1 / np.sqrt(1 + nx * nx + ny * ny)
    return nx * nz, ny * nz, nz


def light_canvas(rng: Rng, canvas: Canvas, grade: Grade) -> World:
    """Light a painted canvas from the endoscope: facing surfaces bright, slopes and hollows dark
    and redder."""
    h, w = canvas.shape
    unit = canvas.unit
    nx, ny, nz = normals(cv2.GaussianBlur(canvas.height, (0, 0), 0.0045 * unit), unit)
    light = _light_directions(rng, (h, w), unit)
    facing = np.clip(nx * light[0] + ny * light[1] + nz * light[2], 0, 1)
    hollow = np.clip(
        (cv2.GaussianBlur(canvas.height, (0, 0), 0.07 * unit) - canvas.height) * HOLLOWS,
        0,
        DARKEST_HOLLOW,
    )
    far = cv2.resize(
        smooth_noise(rng, (max(h // 8, 4), max(w // 8, 4)), unit / 8), (w, h)
    ) * np.float32(0.10)
    shade = (AMBIENT + DIRECT * facing) * (1 - hollow) * (1 + far)
    tinted = np.clip(shade, 0.02, 2)[..., None] ** f32(SHADE_TINT)
    colour = grade.apply(canvas.albedo * tinted)
    return assemble(rng, canvas, colour, nx, ny)


def _wetness(
    rng: Rng, nx: np.ndarray, ny: np.ndarray, colour: np.ndarray, unit: float
) -> np.ndarray:
    """Where highlights show: on ridges and bumps, in patches, never in the dark."""
    spread = cv2.Sobel(nx, cv2.CV_32F, 1, 0) + cv2.Sobel(ny, cv2.CV_32F, 0, 1)
    spread = cv2.GaussianBlur(spread, (0, 0), 0.006 * unit)
    ridge = 0.1 + 0.9 * smoothstep(0.2, 1.2, spread / max(float(spread.std()), 1e-6))
    patches = smoothstep(-0.8, 0.8, fbm(rng, nx.shape, 0.4 * unit, 2))
    return ridge * patches * smoothstep(0.08, 0.35, colour.mean(2))


def _light_directions(
    rng: Rng, shape: tuple[int, int], unit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors towards a lamp that sits `LAMP_HEIGHT` above a point near the middle of the
    canvas."""
    at = rng.normal(0, LAMP_STRAY, 2) * unit + (shape[1] / 2, shape[0] / 2)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    lx, ly, lz = np.float32(at[0]) - x, np.float32(at[1]) - y, np.float32(LAMP_HEIGHT * unit)
    norm = 1 / np.sqrt(lx * lx + ly * ly + lz * lz)
    return lx * norm, ly * norm, lz * norm


def assemble(rng: Rng, canvas: Canvas, colour: np.ndarray, nx: np.ndarray, ny: np.ndarray) -> World:
    """Pack a lit canvas. The normals get the fine roughness that breaks wet highlights into
    speckles."""
    unit = canvas.unit
    lumpy, rough = rng.uniform(*SKIN_LUMPS), rng.uniform(*SKIN_GRAIN)
    wide = unit * rng.uniform(*SKIN_LUMPS_CELL)
    fine = max(unit * rng.uniform(*SKIN_GRAIN_CELL), 1.6)
    slopes = []
    for slope in (nx, ny):
        slope = cv2.GaussianBlur(slope, (0, 0), 0.008 * unit) + np.float32(lumpy) * fbm(
            rng, canvas.shape, wide, 2
        )
        slopes.append(slope + np.float32(rough) * fbm(rng, canvas.shape, fine, 2))
    gloss = canvas.gloss * _wetness(rng, slopes[0], slopes[1], colour, unit)
    packed = [SLOPE_OFFSET + SLOPE_STEPS * slope for slope in slopes]
    channels = [*packed, 255 * gloss, 255 * canvas.blood]
    aux = np.stack([np.clip(c, 0, 255).astype(np.uint8) for c in channels], -1)
    depth = cv2.resize(canvas.height, (DEPTH_SIDE, DEPTH_SIDE), interpolation=cv2.INTER_AREA)
    depth = cv2.GaussianBlur(depth, (0, 0), 1.5)
    depth = (depth - depth.min()) / max(float(np.ptp(depth)), 1e-3)
    return World((colour * 255 + 0.5).astype(np.uint8), aux, canvas.ids, depth, unit)
