"""The camera of one scene: its lamp, the shape of its picture, its sensor, and what may lie on its
lens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.noise import Rng, f32, fbm, smooth_noise
from sam2s.synthetic.procedures import Procedure
from sam2s.synthetic.spec import SceneSpec

# The lamp at the scope's tip.
FULL_LIGHT = 200
"""Value of ``Lens.lamp`` at which the picture keeps its brightness; the middle may be brighter."""
LAMP_OVERSIZE = 1.3
"""Sides of the lamp's field over the view's: what it can wander by."""
LAMP_FALLOFF = (0.1, 1.1)
"""How much of the light is lost at the view's corner: 1 / (1 + falloff) is left there."""
LAMP_BRIGHTNESS = (0.95, 1.2)
LAMP_UNEVENNESS = np.float32(0.06)

# The sensor.
NOISE_TILE = 96
"""Pixels by which the noise is larger than the view; every frame takes another part of it."""
NOISE_SIGMA = (0.8, 5.0)
"""Standard deviation in grey values."""
COARSE_NOISE = 0.6
"""Share of cameras whose noise is blotchy, as after the processor's denoising."""
CHANNEL_NOISE = (0.6, 1.2)
SHARPENING = (0.3, 1.6)
"""Strength of the processor's unsharp mask, on half of the cameras."""
SOFT_LENS = (0.3, 0.9)
"""Blur radius of a lens that is never quite in focus, on half of the cameras."""

# What lies on the lens, and behind a withdrawn one.
SMOKE_GREY, SMOKE_CONTRAST = 112, 70
"""Mean and standard deviation of the pattern that smoke scrolls over."""
WHITE_SMOKE = 0.7
"""Share of scenes whose smoke is a neutral grey; the rest has `WARM_SMOKE`."""
WARM_SMOKE = (205.0, 190.0, 175.0)
DROP_RADIUS = (0.015, 0.12)
"""In shares of the view's shorter side."""
BACKDROPS = ((150, 40, 30), (70, 70, 75), (190, 170, 160), (60, 15, 12))
"""What a withdrawn scope shows: red tissue against the lens, the room, a pale swab or drape, the
dark inside of a port."""


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """The fixed parts of one scene's camera.

    ``lamp`` (h, w) uint8: the light's fall-off, larger than the view; ``rim`` (H, W) bool: the
    visible part, or None; ``haze`` (h, w) uint8: the pattern that smoke scrolls over; ``grain`` (h,
    w, 3) int16: the sensor's noise; ``backdrop`` (H, W, 3) uint8: what a withdrawn scope sees;
    ``drops`` (H, W) uint8: water or dirt on the lens.
    """

    lamp: np.ndarray
    rim: np.ndarray | None
    haze: np.ndarray
    grain: np.ndarray
    backdrop: np.ndarray
    drops: np.ndarray
    haze_colour: tuple[float, float, float]
    sharpen: float
    defocus: float


def make_lens(rng: Rng, spec: SceneSpec, procedure: Procedure) -> Lens:
    """Draw a camera."""
    h, w = spec.size
    tile = (h + NOISE_TILE, w + NOISE_TILE)
    grain = rng.normal(0, rng.uniform(*NOISE_SIGMA), tile).astype(np.float32)
    if rng.random() < COARSE_NOISE:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.6) * 1.7  # blurring takes strength: restore it
    colours = grain[..., None] * rng.uniform(*CHANNEL_NOISE, 3).astype(np.float32)
    pattern = fbm(rng, (256, 256), 110, 5)
    return Lens(
        lamp=_lamp(rng, (h, w)),
        rim=_rim(rng, (h, w)) if rng.random() < procedure.round_view else None,
        haze=np.clip(SMOKE_GREY + SMOKE_CONTRAST * pattern, 0, 255).astype(np.uint8),
        grain=np.round(colours).astype(np.int16),
        backdrop=_backdrop(rng, (h, w)),
        drops=_drops(rng, (h, w)),
        haze_colour=(rng.uniform(170, 225),) * 3 if rng.random() < WHITE_SMOKE else WARM_SMOKE,
        sharpen=float(rng.choice([0.0, rng.uniform(*SHARPENING)])),
        defocus=float(rng.choice([0.0, rng.uniform(*SOFT_LENS)])),
    )


def _lamp(rng: Rng, size: tuple[int, int]) -> np.ndarray:
    """The light's fall-off over more than the view: bright near its middle, dim at the corners."""
    h, w = (int(LAMP_OVERSIZE * side) for side in size)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    radius2 = ((x - w / 2) ** 2 + (y - h / 2) ** 2) / np.float32((0.5 * np.hypot(*size)) ** 2)
    falloff = 1 / (1 + np.float32(rng.uniform(*LAMP_FALLOFF)) * radius2)
    uneven = 1 + LAMP_UNEVENNESS * smooth_noise(rng, (h, w), 0.5 * min(size))
    return np.clip(FULL_LIGHT * rng.uniform(*LAMP_BRIGHTNESS) * falloff * uneven, 0, 255).astype(
        np.uint8
    )


def _rim(rng: Rng, size: tuple[int, int]) -> np.ndarray:
    """The visible part of an endoscope's picture: a disc, or a square with cut corners."""
    h, w = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    dx, dy = (
        np.abs(x - w / 2 + rng.normal(0, 0.01 * w)),
        np.abs(y - h / 2 + rng.normal(0, 0.01 * h)),
    )
    if rng.random() < 0.5:  # a disc, which may be cut off by the picture's sides
        return np.hypot(dx, dy) < min(size) / 2 * rng.uniform(0.94, 1.22)
    half_x, half_y = w / 2 * rng.uniform(0.84, 1.0), h / 2 * rng.uniform(0.88, 1.0)
    cut = min(half_x, half_y) * rng.uniform(0.15, 0.45)
    return (dx < half_x) & (dy < half_y) & (dx + dy < half_x + half_y - cut)


def _backdrop(rng: Rng, size: tuple[int, int]) -> np.ndarray:
    """The inside of a port, the room, or a lens pressed against tissue: blurred and without
    detail."""
    h, w = size
    colour = BACKDROPS[rng.integers(len(BACKDROPS))]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    radius = np.hypot(x - w * rng.uniform(0.3, 0.7), y - h * rng.uniform(0.3, 0.7)) / min(h, w)
    rings = 1 + 0.25 * np.sin(radius * rng.uniform(4, 16) + rng.uniform(0, 6))
    blotches = 1 + 0.3 * fbm(rng, size, 0.5 * min(h, w), 2)
    return np.clip(
        f32(colour) * (rings * blotches * (1.1 - 0.5 * radius))[..., None], 0, 255
    ).astype(np.uint8)


def _drops(rng: Rng, size: tuple[int, int]) -> np.ndarray:
    """A few round or running drops with soft edges."""
    h, w = size
    mask = np.zeros(size, np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        radius = min(h, w) * np.exp(rng.uniform(*np.log(DROP_RADIUS)))
        axes = (max(1, int(radius * rng.uniform(0.7, 1.3))), max(1, int(radius)))
        centre = (int(rng.integers(0, w)), int(rng.integers(0, h)))
        cv2.ellipse(
            mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, int(rng.integers(120, 204)), -1
        )
    return cv2.GaussianBlur(mask, (0, 0), 0.012 * min(h, w))
