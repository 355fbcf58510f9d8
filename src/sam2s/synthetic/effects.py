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
from sam2s.synthetic.lens import FULL_LIGHT, NOISE_TILE, Lens
from sam2s.synthetic.noise import Rng, f32
from sam2s.synthetic.procedures import Procedure
from sam2s.synthetic.spec import SceneSpec

MOST_HAZE = 0.8
"""Largest share of a pixel that smoke and fog together hide."""
REFERENCE = 256
"""Pixels of the view's shorter side that blur radii are given for; other sizes scale them."""

# The lamp, over time.
LAMP_FLICKER = 0.12
"""Largest relative change of brightness over time."""
LAMP_WANDER = 0.6
"""How far the lamp's middle strays, 1 = to the end of its field."""

# Motion and focus.
DEFOCUS = 4.0
"""Blur radius of a full defocus event."""
SMEARING_SPEED = 3.0
"""Pixels a frame from which on motion smears."""
SHUTTER = 0.7
"""Share of a frame's time in which light is gathered."""
LONGEST_SMEAR = 0.035
"""In shares of the view's shorter side."""

# Smoke, fog and drops.
SMOKE_DENSITY = 1.7
"""Times the pattern: its light parts reach ``MOST_HAZE`` first, which makes swathes."""
BLURRING_FOG = 0.25
"""Strength of fog from which on it takes sharpness too."""
DROP_GRAIN = 12
"""Pixels that a drop melts into one."""
DROP_GAIN = 1.12
"""A drop gathers light: its spot is a little brighter."""
UNSEEN = 0.02
"""Strength under which an event is not drawn at all."""


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


def make_disturbances(rng: Rng, spec: SceneSpec, procedure: Procedure) -> Disturbances:
    """Draw the events of a scene. Rates are events per 100 frames, lengths and ramps frames,
    strengths shares of the full effect."""
    often = spec.effects
    # Smoke comes from cutting with current, which is done in body cavities above all.
    smoke_rate = 0.5 if procedure.stage == "cavity" else 0.1
    return Disturbances(
        smoke=plan_events(rng, spec.frames, smoke_rate * often, (25, 120), (0.15, 0.6), 15),
        fog=plan_events(rng, spec.frames, 0.15 * often, (20, 80), (0.08, 0.35), 12),
        blur=plan_events(rng, spec.frames, 0.4 * often, (4, 25), (0.4, 1.0), 3),
        away=tuple(
            e
            for e in plan_events(rng, spec.frames, 0.1 * often, (5, 30), (1.0, 1.0), 3)
            if e.start > 10  # a video begins with something to point at
        ),
        dirt=plan_events(rng, spec.frames, 0.15 * often, (30, 200), (0.5, 1.0), 2),
        glow=wave(rng, LAMP_FLICKER * often, 10, 8 * spec.fps),
        lamp_x=wave(rng, LAMP_WANDER, 2 * spec.fps, 10 * spec.fps),
        lamp_y=wave(rng, LAMP_WANDER, 2 * spec.fps, 10 * spec.fps),
    )


def illuminate(image: np.ndarray, lens: Lens, disturbances: Disturbances, t: int) -> np.ndarray:
    """Multiply by the lamp, which wanders and flickers."""
    h, w = image.shape[:2]
    spare_y, spare_x = lens.lamp.shape[0] - h, lens.lamp.shape[1] - w
    top = int(np.clip((0.5 + 0.5 * disturbances.lamp_y(t)) * spare_y, 0, spare_y))
    left = int(np.clip((0.5 + 0.5 * disturbances.lamp_x(t)) * spare_x, 0, spare_x))
    lamp = cv2.cvtColor(lens.lamp[top : top + h, left : left + w], cv2.COLOR_GRAY2RGB)
    return cv2.multiply(image, lamp, scale=(1 + disturbances.glow(t)) / FULL_LIGHT)


def add_haze(image: np.ndarray, lens: Lens, disturbances: Disturbances, t: int) -> np.ndarray:
    """Smoke in drifting swathes and an even fog on the lens."""
    smoke, fog = level(disturbances.smoke, t), level(disturbances.fog, t)
    if max(smoke, fog) < UNSEEN:
        return image
    h, w = image.shape[:2]
    # The pattern sways sideways and scrolls by, one pixel of a 96 x 96 picture a frame.
    turn = f32([[1, 0, 40 * np.sin(t / 37) + 64], [0, 1, (t * 0.9) % 512 - 64]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    swathe = cv2.warpAffine(lens.haze, turn, (96, 96), flags=flags, borderMode=cv2.BORDER_REFLECT)
    table = np.clip(255 * fog + smoke * SMOKE_DENSITY * np.arange(256), 0, 255 * MOST_HAZE).astype(
        np.uint8
    )
    alpha = cv2.resize(cv2.LUT(swathe, table), (w, h), interpolation=cv2.INTER_LINEAR)
    if fog > BLURRING_FOG:
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
    soft = cv2.resize(
        cv2.resize(image, (w // DROP_GRAIN, h // DROP_GRAIN), interpolation=cv2.INTER_AREA), (w, h)
    )
    alpha = cv2.cvtColor(cv2.convertScaleAbs(lens.drops, alpha=strength), cv2.COLOR_GRAY2RGB)
    smeared = cv2.multiply(soft, alpha, scale=DROP_GAIN / 255)
    return cv2.add(cv2.multiply(image, cv2.bitwise_not(alpha), scale=1 / 255), smeared)


def withdraw(
    image: np.ndarray, lens: Lens, disturbances: Disturbances, t: int
) -> tuple[np.ndarray, bool]:
    """The scope leaves for a moment: (picture, whether the scene is hidden)."""
    share = level(disturbances.away, t)
    if share < UNSEEN:
        return image, False
    return cv2.addWeighted(image, 1 - share, lens.backdrop, share, 0), share > 0.5


def blur(
    image: np.ndarray, lens: Lens, disturbances: Disturbances, t: int, motion: np.ndarray
) -> np.ndarray:
    """Defocus events, the lens' own softness, and smear along ``motion`` (x, y) pixels a frame."""
    short = min(image.shape[:2])
    sigma = (lens.defocus + DEFOCUS * level(disturbances.blur, t)) * short / REFERENCE
    speed = float(np.hypot(*motion))
    if speed > SMEARING_SPEED * short / REFERENCE:
        image = _smear(image, motion * min(1.0, LONGEST_SMEAR * short / speed) * SHUTTER)
    return cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.3 else image


def _smear(image: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """Average along ``motion`` (x, y) pixels: a line of that length is the kernel."""
    reach = int(np.ceil(np.abs(motion).max() / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    ends = [np.round((reach + sign * motion / 2) * 8).astype(int) for sign in (-1, 1)]
    cv2.line(kernel, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 1.0, 1, cv2.LINE_8, 3)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def develop(image: np.ndarray, lens: Lens, rng: Rng) -> np.ndarray:
    """Sharpen as endoscope processors do, add sensor noise, blacken outside the rim."""
    h, w = image.shape[:2]
    if lens.sharpen > 0:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2 * min(h, w) / REFERENCE)
        image = cv2.addWeighted(image, 1 + lens.sharpen, soft, -lens.sharpen, 0)
    top, left = rng.integers(0, NOISE_TILE, 2)
    image = cv2.add(image, lens.grain[top : top + h, left : left + w], dtype=cv2.CV_8U)
    if lens.rim is not None:
        image[~lens.rim] = 0
    return image
