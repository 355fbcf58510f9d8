"""The canvas that scenery is painted on: colour, height, wetness and object ids, before any light.

A canvas is larger than the view. ``unit`` is the view's shorter side in canvas pixels; heights,
radii and cells are fractions of it. Object ids are exact by construction: whoever is painted last
owns the pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.materials import Material
from sam2s.synthetic.noise import Rng, f32, fbm, lobules, smooth_noise, smoothstep, streaks

FIXED_POINT_BITS = 3
"""Fractional bits of the coordinates that OpenCV draws lines by."""
BUMP_HEIGHT, LOBULE_HEIGHT, FIBRE_HEIGHT = 0.009, 0.2, 0.0022
"""Relief of a material's bumps, lobules (times their size) and fibres, in units."""
FIBRE_TONE, PIT_TONE = 0.10, 0.35
"""How far fibres lighten or darken the colour, and how far pits darken it."""
FIBRE_LENGTH = (5, 14)
"""Over their width."""
PIT_SIZE = 0.012
VESSEL_DENSITY = 6.0
"""Trees per square unit of a material with ``vessels`` 1."""
MOST_TREES = 60
VESSEL_WIDTH = (0.0008, 0.006)
"""Half the width of a tree's trunk, in units, drawn evenly on a log scale: most are thin."""
VESSEL_INK = (0.35, 0.75)
"""Strength of a vessel's colour at its middle: they lie under the surface."""
BRANCHINGS = 3
NARROWING = 0.6
"""Width of a branch over its stem's."""
BRANCH_ANGLE = (0.4, 1.1)


@dataclass(slots=True)
class Canvas:
    """``albedo`` (H, W, 3) float32 in [0, 1]; ``height``, ``gloss`` (H, W) float32; ``ids`` (H, W)
    uint8, 0 = nothing.

    ``blood`` (H, W) float32 in [0, 1]: how early a pixel is covered when blood rises (0 = never).
    """

    unit: float
    albedo: np.ndarray
    height: np.ndarray
    gloss: np.ndarray
    ids: np.ndarray
    blood: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in canvas pixels."""
        return self.ids.shape[0], self.ids.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A material laid out over a rectangle: ``albedo`` (h, w, 3), ``relief`` (h, w) in units,
    ``gloss`` (h, w)."""

    albedo: np.ndarray
    relief: np.ndarray
    gloss: np.ndarray


def blank(shape: tuple[int, int], unit: float) -> Canvas:
    """An empty canvas."""
    zeros = [np.zeros(shape, np.float32) for _ in range(3)]
    return Canvas(
        unit,
        np.zeros((*shape, 3), np.float32),
        zeros[0],
        zeros[1],
        np.zeros(shape, np.uint8),
        zeros[2],
    )


def weave(
    rng: Rng, shape: tuple[int, int], unit: float, material: Material, grain: float | None = None
) -> Texture:
    """Lay out ``material`` over ``shape`` pixels; ``grain``: the angle its fibres run at, None =
    any."""
    grain = rng.uniform(0, np.pi) if grain is None else grain
    mix = smoothstep(-1.6, 1.6, fbm(rng, shape, max(material.mottle * unit, 4), 5, 0.55))
    dark, light = f32(material.dark), f32(material.light)
    albedo = dark + (light - dark) * mix[..., None]
    relief = fbm(rng, shape, max(material.bump_cell * unit, 3), 3) * np.float32(
        BUMP_HEIGHT * material.bumps
    )
    if material.lobes > 0.005:
        lumps, tone = lobules(rng, shape, max(material.lobes * unit, 4))
        albedo *= (0.62 + 0.3 * lumps + 0.12 * cv2.GaussianBlur(tone, (0, 0), 1.0))[..., None]
        relief += lumps * np.float32(LOBULE_HEIGHT * material.lobes)
    if material.fibres > 0.05:
        threads = streaks(rng, shape, max(0.02 * unit, 1.5), rng.uniform(*FIBRE_LENGTH), grain)
        albedo *= (1 + FIBRE_TONE * material.fibres * threads)[..., None]
        relief += threads * np.float32(FIBRE_HEIGHT * material.fibres)
    if material.pits > 0.05:
        dots = smoothstep(1.3, 2.2, smooth_noise(rng, shape, max(PIT_SIZE * unit, 1.5)))
        albedo *= (1 - PIT_TONE * material.pits * dots)[..., None]
    draw_vessels(rng, albedo, unit, material)
    return Texture(albedo, relief, np.full(shape, material.gloss, np.float32))


def draw_vessels(rng: Rng, albedo: np.ndarray, unit: float, material: Material) -> None:
    """Branching vessels painted into ``albedo`` in place: a few broad blurred ones, many thin
    ones."""
    h, w = albedo.shape[:2]
    trees = int(rng.poisson(material.vessels * VESSEL_DENSITY * h * w / (unit * unit)))
    if trees == 0:
        return
    ink = np.zeros((h, w), np.uint8)
    for _ in range(min(trees, MOST_TREES)):
        start = rng.uniform((0, 0), (w, h))
        _branch(
            rng,
            ink,
            start,
            rng.uniform(0, 2 * np.pi),
            unit * np.exp(rng.uniform(*np.log(VESSEL_WIDTH))),
            BRANCHINGS,
            unit,
        )
    ink = cv2.GaussianBlur(ink, (0, 0), max(0.002 * unit, 0.5))
    strength = (ink.astype(np.float32) * np.float32(rng.uniform(*VESSEL_INK) / 255))[..., None]
    albedo += (f32(material.vessel_colour) - albedo) * strength


def _branch(
    rng: Rng, ink: np.ndarray, at: np.ndarray, angle: float, width: float, depth: int, unit: float
) -> None:
    """One vessel that wanders on in ``steps``, and two branches of it."""
    steps = int(rng.integers(6, 16))
    turns = rng.normal(0, 0.35, steps).cumsum() + angle
    stride = 0.035 * unit
    path = np.asarray(at) + stride * np.stack([np.cos(turns), np.sin(turns)], 1).cumsum(0)
    # A vessel thinner than a pixel is drawn paler instead.
    tone = int(255 * min(1.0, 0.25 + 0.75 * width / (0.004 * unit)))
    points = np.round(path * (1 << FIXED_POINT_BITS)).astype(np.int32)
    cv2.polylines(
        ink, [points], False, tone, max(1, round(2 * width)), cv2.LINE_AA, FIXED_POINT_BITS
    )
    if depth > 0:
        for index in rng.integers(1, steps, 2):
            side = rng.choice((-1, 1)) * rng.uniform(*BRANCH_ANGLE)
            _branch(rng, ink, path[index], turns[index] + side, width * NARROWING, depth - 1, unit)


def cover(
    canvas: Canvas, alpha: np.ndarray, texture: Texture, height: np.ndarray, object_id: int = 0
) -> None:
    """Put a texture over the canvas where ``alpha`` (H, W) in [0, 1] says; ``height`` already holds
    its relief.

    Pixels with alpha above one half take ``object_id``.
    """
    a = alpha[..., None]
    canvas.albedo += (texture.albedo - canvas.albedo) * a
    canvas.height += (height - canvas.height) * alpha
    canvas.gloss += (texture.gloss - canvas.gloss) * alpha
    canvas.ids[alpha > 0.5] = object_id


def contact_shadow(canvas: Canvas, alpha: np.ndarray, depth: float, width: float = 0.045) -> None:
    """Darken what surrounds ``alpha``, as a raised thing does to the ground beside it."""
    soft = cv2.GaussianBlur(alpha, (0, 0), width * canvas.unit)
    canvas.albedo *= (1 - depth * soft * (1 - alpha))[..., None]


def blob_field(
    rng: Rng, shape: tuple[int, int], centre: np.ndarray, radii: np.ndarray, rough: float
) -> np.ndarray:
    """A wobbly ellipse as a field: 1 at the centre, 0 on the outline, negative outside; all in
    pixels."""
    angle = rng.uniform(0, np.pi)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    dx, dy = x - f32(centre[0]), y - f32(centre[1])
    u = (dx * np.cos(angle) + dy * np.sin(angle)) / np.float32(radii[0])
    v = (-dx * np.sin(angle) + dy * np.cos(angle)) / np.float32(radii[1])
    wobble = smooth_noise(rng, shape, float(radii.mean())) + 0.4 * smooth_noise(
        rng, shape, float(radii.mean()) * 0.4
    )
    return (1 - np.sqrt(u * u + v * v) + np.float32(rough) * wobble).astype(np.float32)


def tube_field(
    rng: Rng, shape: tuple[int, int], centre: np.ndarray, radius: float, length: float
) -> np.ndarray:
    """A winding tube as a field: 1 on its middle line, 0 on its outline, negative outside. All in
    pixels."""
    steps = 24
    turns = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.22, steps).cumsum()
    path = np.stack([np.cos(turns), np.sin(turns)], 1).cumsum(0) * (length / steps)
    path += np.asarray(centre) - path[steps // 2]
    line = np.full(shape, 255, np.uint8)
    points = np.round(path * (1 << FIXED_POINT_BITS)).astype(np.int32)
    cv2.polylines(line, [points], False, 0, 1, cv2.LINE_8, FIXED_POINT_BITS)
    distance = cv2.GaussianBlur(
        cv2.distanceTransform(line, cv2.DIST_L2, 5), (0, 0), max(0.15 * radius, 1)
    )
    swell = 1 + 0.16 * smooth_noise(rng, shape, radius * 1.6)
    return (1 - distance / (radius * swell)).astype(np.float32)


def dome(field: np.ndarray, steepness: float = 1.0) -> np.ndarray:
    """The height in [0, 1] of a rounded body over ``field``: steep at the outline, flat on top."""
    u = np.clip(field * np.float32(steepness), 0, 1)
    return np.sqrt(1 - (1 - u) ** 2)
