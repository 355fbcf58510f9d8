"""What lies between the scene and the picture: light, smoke, fog, blur, noise, the endoscope's
round mask.

Rule for masks: smoke, fog, drops, blur and noise never change a mask, since none of them hides more
than ``MOST_HAZE`` of what is behind. A withdrawn scope hides everything: all masks are empty while
it hides more than half. The black rim of the round view cuts masks exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.curves import Event, Wave, level, plan_events, wave
from sam2s.synthetic.noise import Rng, f32, fbm, smooth_noise
from sam2s.synthetic.procedures import Procedure
from sam2s.synthetic.spec import SceneSpec

MOST_HAZE = 0.8
NOISE_TILE = 96


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


@dataclass(frozen=True, slots=True, eq=False)
class Disturbances:
    """The passing parts: events and slow waves."""

    smoke: tuple[Event, ...]
    fog: tuple[Event, ...]
    blur: tuple[Event, ...]
    away: tuple[Event, ...]
    dirt: tuple[Event, ...]
    glow: Wave
    lamp_x: Wave
    lamp_y: Wave


def make_lens(rng: Rng, spec: SceneSpec, procedure: Procedure) -> Lens:
    """Draw a camera."""
    h, w = spec.size
    grain = rng.normal(0, rng.uniform(0.8, 5.0), (h + NOISE_TILE, w + NOISE_TILE)).astype(
        np.float32
    )
    if rng.random() < 0.6:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.6) * 1.7
    colours = grain[..., None] * rng.uniform(0.6, 1.2, 3).astype(np.float32)
    pattern = fbm(rng, (256, 256), 110, 5)
    return Lens(
        lamp=_lamp(rng, (h, w)),
        rim=_rim(rng, (h, w)) if rng.random() < procedure.round_view else None,
        haze=np.clip(112 + 70 * pattern, 0, 255).astype(np.uint8),
        grain=np.round(colours).astype(np.int16),
        backdrop=_backdrop(rng, (h, w)),
        drops=_drops(rng, (h, w)),
        haze_colour=(rng.uniform(170, 225),) * 3 if rng.random() < 0.7 else (205.0, 190.0, 175.0),
        sharpen=float(rng.choice([0.0, rng.uniform(0.3, 1.6)])),
        defocus=float(rng.choice([0.0, rng.uniform(0.3, 0.9)])),
    )


def make_disturbances(rng: Rng, spec: SceneSpec, procedure: Procedure) -> Disturbances:
    """Draw the events of a scene."""
    often = spec.effects
    smoke_rate = 0.5 if procedure.stage == "cavity" else 0.1
    return Disturbances(
        smoke=plan_events(rng, spec.frames, smoke_rate * often, (25, 120), (0.15, 0.6), 15),
        fog=plan_events(rng, spec.frames, 0.15 * often, (20, 80), (0.08, 0.35), 12),
        blur=plan_events(rng, spec.frames, 0.4 * often, (4, 25), (0.4, 1.0), 3),
        away=tuple(
            e
            for e in plan_events(rng, spec.frames, 0.1 * often, (5, 30), (1.0, 1.0), 3)
            if e.start > 10
        ),
        dirt=plan_events(rng, spec.frames, 0.15 * often, (30, 200), (0.5, 1.0), 2),
        glow=wave(rng, 0.12 * often, 10, 8 * spec.fps),
        lamp_x=wave(rng, 0.6, 2 * spec.fps, 10 * spec.fps),
        lamp_y=wave(rng, 0.6, 2 * spec.fps, 10 * spec.fps),
    )


def _lamp(rng: Rng, size: tuple[int, int]) -> np.ndarray:
    """The light's fall-off over 1.3 times the view: bright near its middle, dim at the corners. 200
    = full light."""
    h, w = (int(1.3 * side) for side in size)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    radius2 = ((x - w / 2) ** 2 + (y - h / 2) ** 2) / np.float32((0.5 * np.hypot(*size)) ** 2)
    falloff = 1 / (1 + np.float32(rng.uniform(0.1, 1.1)) * radius2)
    uneven = 1 + np.float32(0.06) * smooth_noise(rng, (h, w), 0.5 * min(size))
    return np.clip(200 * rng.uniform(0.95, 1.2) * falloff * uneven, 0, 255).astype(np.uint8)


def _rim(rng: Rng, size: tuple[int, int]) -> np.ndarray:
    """The visible part of an endoscope's picture: a disc, or a square with cut corners."""
    h, w = size
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    dx, dy = (
        np.abs(x - w / 2 + rng.normal(0, 0.01 * w)),
        np.abs(y - h / 2 + rng.normal(0, 0.01 * h)),
    )
    if rng.random() < 0.5:
        return np.hypot(dx, dy) < min(size) / 2 * rng.uniform(0.94, 1.22)
    half_x, half_y = w / 2 * rng.uniform(0.84, 1.0), h / 2 * rng.uniform(0.88, 1.0)
    cut = min(half_x, half_y) * rng.uniform(0.15, 0.45)
    return (dx < half_x) & (dy < half_y) & (dx + dy < half_x + half_y - cut)


def _backdrop(rng: Rng, size: tuple[int, int]) -> np.ndarray:
    """The inside of a port, the room, or a lens pressed against tissue: blurred and without
    detail."""
    h, w = size
    colour = ((150, 40, 30), (70, 70, 75), (190, 170, 160), (60, 15, 12))[rng.integers(4)]
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
        radius = min(h, w) * np.exp(rng.uniform(np.log(0.015), np.log(0.12)))
        axes = (max(1, int(radius * rng.uniform(0.7, 1.3))), max(1, int(radius)))
        centre = (int(rng.integers(0, w)), int(rng.integers(0, h)))
        cv2.ellipse(
            mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, int(rng.integers(120, 204)), -1
        )
    return cv2.GaussianBlur(mask, (0, 0), 0.012 * min(h, w))


def illuminate(image: np.ndarray, lens: Lens, disturbances: Disturbances, t: int) -> np.ndarray:
    """Multiply by the lamp, which wanders and flickers."""
    h, w = image.shape[:2]
    spare_y, spare_x = lens.lamp.shape[0] - h, lens.lamp.shape[1] - w
    top = int(np.clip((0.5 + 0.5 * disturbances.lamp_y(t)) * spare_y, 0, spare_y))
    left = int(np.clip((0.5 + 0.5 * disturbances.lamp_x(t)) * spare_x, 0, spare_x))
    lamp = cv2.cvtColor(lens.lamp[top : top + h, left : left + w], cv2.COLOR_GRAY2RGB)
    return cv2.multiply(image, lamp, scale=(1 + disturbances.glow(t)) / 200)


def add_haze(image: np.ndarray, lens: Lens, disturbances: Disturbances, t: int) -> np.ndarray:
    """Smoke in drifting swathes and an even fog on the lens."""
    smoke, fog = level(disturbances.smoke, t), level(disturbances.fog, t)
    if max(smoke, fog) < 0.02:
        return image
    h, w = image.shape[:2]
    turn = f32([[1, 0, 40 * np.sin(t / 37) + 64], [0, 1, (t * 0.9) % 512 - 64]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    swathe = cv2.warpAffine(lens.haze, turn, (96, 96), flags=flags, borderMode=cv2.BORDER_REFLECT)
    table = np.clip(255 * fog + smoke * 1.7 * np.arange(256), 0, 255 * MOST_HAZE).astype(np.uint8)
    alpha = cv2.resize(cv2.LUT(swathe, table), (w, h), interpolation=cv2.INTER_LINEAR)
    if fog > 0.25:
        image = cv2.GaussianBlur(image, (0, 0), 0.008 * min(h, w) * fog)
    clear = cv2.multiply(
        image, cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGB), scale=1 / 255
    )
    return cv2.add(
        clear, cv2.merge([cv2.convertScaleAbs(alpha, alpha=c / 255) for c in lens.haze_colour])
    )


def add_drops(image: np.ndarray, lens: Lens, disturbances: Disturbances, t: int) -> np.ndarray:
    """Drops smear what is behind them to a soft, slightly brighter spot."""
    strength = level(disturbances.dirt, t)
    if strength < 0.05:
        return image
    h, w = image.shape[:2]
    soft = cv2.resize(cv2.resize(image, (w // 12, h // 12), interpolation=cv2.INTER_AREA), (w, h))
    alpha = cv2.cvtColor(cv2.convertScaleAbs(lens.drops, alpha=strength), cv2.COLOR_GRAY2RGB)
    smeared = cv2.multiply(soft, alpha, scale=1.12 / 255)
    return cv2.add(cv2.multiply(image, cv2.bitwise_not(alpha), scale=1 / 255), smeared)


def withdraw(
    image: np.ndarray, lens: Lens, disturbances: Disturbances, t: int
) -> tuple[np.ndarray, bool]:
    """The scope leaves for a moment: (picture, whether the scene is hidden)."""
    share = level(disturbances.away, t)
    if share < 0.02:
        return image, False
    return cv2.addWeighted(image, 1 - share, lens.backdrop, share, 0), share > 0.5


def blur(
    image: np.ndarray, lens: Lens, disturbances: Disturbances, t: int, motion: np.ndarray
) -> np.ndarray:
    """Defocus events, the lens' own softness, and smear along ``motion`` (x, y) pixels a frame."""
    short = min(image.shape[:2])
    sigma = (lens.defocus + 4.0 * level(disturbances.blur, t)) * short / 256
    speed = float(np.hypot(*motion))
    if speed > 3.0 * short / 256:
        image = _smear(image, motion * min(1.0, 0.035 * short / speed) * 0.7)
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.3 else image


def _smear(image: np.ndarray, motion: np.ndarray) -> np.ndarray:
    reach = int(np.ceil(np.abs(motion).max() / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    ends = [np.round((reach + sign * motion / 2) * 8).astype(int) for sign in (-1, 1)]
    cv2.line(kernel, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1.0, 1, cv2.LINE_8, 3)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def develop(image: np.ndarray, lens: Lens, rng: Rng) -> np.ndarray:
    """Sharpen as endoscope processors do, add sensor noise, blacken outside the rim."""
    h, w = image.shape[:2]
    if lens.sharpen > 0:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2 * min(h, w) / 256)
        image = cv2.addWeighted(image, 1 + lens.sharpen, soft, -lens.sharpen, 0)
    top, left = rng.integers(0, NOISE_TILE, 2)
    image = cv2.add(image, lens.grain[top : top + h, left : left + w], dtype=cv2.CV_8U)
    if lens.rim is not None:
        image[~lens.rim] = 0
    return image
