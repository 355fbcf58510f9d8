"""Hard things as sprites: an outline with a rounded, lit, stained metal or plastic surface, drawn
by one affine warp.

Outlines are in tool units (1 = the shaft's diameter), x towards the tip, y across, origin at the
joint the part turns about. A sprite is baked once per scene and drawn per frame; its alpha decides
both picture and mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.noise import Rng, f32, fbm, smooth_noise, smoothstep

SUPERSAMPLE = 3
PAD = 2
"""Empty pixels around a sprite, which the warp interpolates its edge with."""
SUBPIXEL_BITS = 4
"""Fractional bits of the coordinates that OpenCV fills polygons by."""
BRUSHED = (2.0, 12.0)
"""Width in pixels, and length over width, of the scratches along a part."""
REFLECTIONS = (3.5, 6.5)
"""How often what is around a metal rod is mirrored across it: bright and dark stripes along it."""
GLOSSINESS = 42
"""Exponent of the highlight: polished steel."""
STAIN = (0.42, 0.05, 0.05)
STAIN_REACH = 3.0
"""Shaft diameters over which blood thins out from the tip."""


@dataclass(frozen=True, slots=True)
class Finish:
    """A surface. ``metal``: 0 = plastic, 1 = polished; ``shine``: strength of the highlight."""

    colour: tuple[float, float, float]
    metal: float = 0.0
    shine: float = 0.5


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of the part from ``start`` to ``stop`` along x with another finish."""

    start: float
    stop: float
    finish: Finish


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """``outline`` (N, 2); ``holes``: outlines cut out of it; ``bevel``: how far the rounding
    reaches in from the edge; ``ribs``: (period along x, strength) of grooves across."""

    outline: np.ndarray
    finish: Finish
    bevel: float = 0.5
    holes: tuple[np.ndarray, ...] = ()
    bands: tuple[Band, ...] = ()
    ribs: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """``rgba`` (h, w, 4) uint8, premultiplied; ``origin`` (x, y) px of the joint in it; ``scale``:
    pixels a unit."""

    rgba: np.ndarray
    origin: tuple[float, float]
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceLook:
    """What a scene does to its tools: ``light`` direction in the tool's frame (3,), ``blood`` and
    ``tint``."""

    light: np.ndarray
    blood: float
    tint: np.ndarray
    exposure: float


def bake(rng: Rng, part: Part, scale: float, look: SurfaceLook) -> Sprite:
    """Render ``part`` at ``scale`` pixels a unit."""
    low = part.outline.min(0) * scale - PAD
    size = np.ceil(part.outline.max(0) * scale + PAD - low).astype(int) + 1
    alpha = _fill(part, scale, low, size)
    height = _rounded(alpha, part.bevel * scale)
    x = (np.arange(size[0], dtype=np.float32) + np.float32(low[0])) / np.float32(scale)
    if part.ribs[0] > 0:
        height += (
            np.float32(part.ribs[1] * scale)
            * np.abs(np.sin(np.pi * x / np.float32(part.ribs[0])))[None, :]
        )
    colour = _surface(rng, part, alpha.shape, height, x, look)
    if look.blood > 0:
        colour = _stain(rng, colour, x, scale, look.blood)
    rgba = np.dstack([colour * alpha[..., None], alpha])
    return Sprite(
        (np.clip(rgba, 0, 1) * 255 + 0.5).astype(np.uint8), (float(-low[0]), float(-low[1])), scale
    )


def _fill(part: Part, scale: float, low: np.ndarray, size: np.ndarray) -> np.ndarray:
    big = np.zeros((size[1] * SUPERSAMPLE, size[0] * SUPERSAMPLE), np.uint8)

    def pixels(outline: np.ndarray) -> list[np.ndarray]:
        return [
            np.round(
                ((outline * scale - low + 0.5) * SUPERSAMPLE - 0.5) * (1 << SUBPIXEL_BITS)
            ).astype(np.int32)
        ]

    cv2.fillPoly(big, pixels(part.outline), 255, cv2.LINE_8, SUBPIXEL_BITS)
    for hole in part.holes:
        cv2.fillPoly(big, pixels(hole), 0, cv2.LINE_8, SUBPIXEL_BITS)
    small = cv2.resize(big, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def _rounded(alpha: np.ndarray, bevel: float) -> np.ndarray:
    """Height in pixels of a body whose edge is a quarter circle of radius ``bevel`` pixels."""
    inside = cv2.distanceTransform((alpha > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    u = np.clip(inside / max(bevel, 1.0), 0, 1)
    return cv2.GaussianBlur(np.sqrt(1 - (1 - u) ** 2) * np.float32(bevel), (0, 0), 0.7)


def _surface(
    rng: Rng,
    part: Part,
    shape: tuple[int, int],
    height: np.ndarray,
    x: np.ndarray,
    look: SurfaceLook,
) -> np.ndarray:
    gx, gy = (
        cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=0.125),
    )
    nz = 1 / np.sqrt(1 + gx * gx + gy * gy)
    nx, ny = -gx * nz, -gy * nz
    brushed = smooth_noise(rng, shape, *BRUSHED)
    base, metal, shine = _finishes(part, x)
    light = f32(look.light)
    facing = np.clip(nx * light[0] + ny * light[1] + nz * light[2], 0, 1)
    phase, bands = rng.uniform(0, 2 * np.pi), rng.uniform(*REFLECTIONS)
    mirror = 0.5 + 0.36 * np.sin(bands * (ny + 0.5 * nx) + phase + 0.25 * brushed)
    # Plastic scatters light as it falls in; metal shows its surroundings as well, in stripes.
    grey = (0.22 + 0.75 * facing) * (1 - metal) + (0.18 + 0.5 * mirror + 0.45 * facing) * metal
    colour = base * (grey * (1 + 0.04 * brushed))[..., None] * f32(look.exposure)
    colour = colour * (1 - 0.5 * metal[..., None]) + 0.5 * metal[..., None] * colour * f32(
        look.tint
    )
    half = light + f32([0, 0, 1])  # Blinn's half vector; the viewer looks along z
    half /= np.linalg.norm(half)
    glint = np.clip(nx * half[0] + ny * half[1] + nz * half[2], 0, 1) ** GLOSSINESS
    return colour + (glint * shine * np.clip(0.8 + 0.25 * brushed, 0, 1.4))[..., None]


def _finishes(part: Part, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Colour (1, w, 3), metal and shine (1, w) along the part."""
    rows = f32([[*part.finish.colour, part.finish.metal, part.finish.shine]]).repeat(len(x), 0)
    for band in part.bands:
        rows[(x >= band.start) & (x < band.stop)] = (
            *band.finish.colour,
            band.finish.metal,
            band.finish.shine,
        )
    return rows[None, :, :3], rows[None, :, 3], rows[None, :, 4]


def _stain(rng: Rng, colour: np.ndarray, x: np.ndarray, scale: float, amount: float) -> np.ndarray:
    """Dried and fresh blood near the tip: it fades with the distance from the joint."""
    field = fbm(rng, colour.shape[:2], max(1.2 * scale, 4), 4, 0.6)
    near = np.exp(-np.abs(x - 1.0) / STAIN_REACH).astype(np.float32)[None, :]
    alpha = smoothstep(0.3, 1.9, field + 1.6 * amount * near - 0.5)[..., None] * np.float32(
        rng.uniform(0.4, 0.9)
    )
    return colour + (f32(STAIN) * (0.4 + colour) - colour) * alpha


def draw(
    image: np.ndarray, owner: np.ndarray, sprite: Sprite, matrix: np.ndarray, object_id: int
) -> None:
    """Blend a sprite into ``image`` (H, W, 3) uint8 and claim its pixels in ``owner`` (H, W) uint8,
    both in place.

    ``matrix`` (2, 3): from sprite pixels to image pixels. A pixel is the object's when it hides
    more than half of it.
    """
    h, w = sprite.rgba.shape[:2]
    corners = matrix[:, :2] @ np.array([[0, w, w, 0], [0, 0, h, h]], float) + matrix[:, 2:]
    x0, y0 = np.maximum(np.floor(corners.min(1)).astype(int) - 1, 0)
    x1, y1 = np.minimum(np.ceil(corners.max(1)).astype(int) + 2, (image.shape[1], image.shape[0]))
    if x0 >= x1 or y0 >= y1:
        return
    local = matrix.copy()
    local[:, 2] -= (x0, y0)
    patch = cv2.warpAffine(sprite.rgba, local, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    alpha = patch[..., 3]
    keep = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGB)
    region = image[y0:y1, x0:x1]
    behind = cv2.multiply(region, keep, scale=1 / 255)
    np.copyto(region, cv2.add(behind, cv2.cvtColor(patch, cv2.COLOR_RGBA2RGB)))
    owner[y0:y1, x0:x1][alpha > 127] = object_id


def part_matrix(
    sprite: Sprite,
    at: np.ndarray,
    angle: float,
    unit: float,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Affine (2, 3) that puts a sprite's joint at ``at`` (x, y) px, turned by ``angle``, ``unit``
    pixels a tool unit.

    ``stretch``: along and across the part before turning (foreshortening, a turn about its own
    axis).
    """
    c, s = np.cos(angle), np.sin(angle)
    k = unit / sprite.scale
    linear = np.array(
        [[c * k * stretch[0], -s * k * stretch[1]], [s * k * stretch[0], c * k * stretch[1]]]
    )
    offset = np.asarray(at, float) - linear @ np.array(sprite.origin)
    return np.hstack([linear, offset[:, None]])
