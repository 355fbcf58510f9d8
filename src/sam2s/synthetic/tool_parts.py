"""What instruments are put together from: finishes, shafts, wrists, pairs of jaws.

Dimensions are in tool units, 1 = the shaft's diameter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.synthetic.noise import Rng
from sam2s.synthetic.part_outlines import JawShape, jaw, rod, window
from sam2s.synthetic.sprites import Band, Finish, Part

SHAFT_LENGTH = 34.0

STEEL = Finish((0.80, 0.81, 0.84), 1.0, 0.9)
DARK_STEEL = Finish((0.50, 0.50, 0.53), 0.9, 0.7)
BLACK = Finish((0.09, 0.09, 0.10), 0.0, 0.35)
GREY = Finish((0.46, 0.46, 0.47), 0.1, 0.45)
WHITE = Finish((0.90, 0.90, 0.88), 0.0, 0.5)
GOLD = Finish((0.85, 0.66, 0.32), 0.9, 0.8)
BLUE = Finish((0.16, 0.33, 0.66), 0.0, 0.5)
GREEN = Finish((0.20, 0.52, 0.36), 0.0, 0.5)
AMBER = Finish((0.62, 0.37, 0.18), 0.0, 0.5)
PURPLE = Finish((0.50, 0.25, 0.62), 0.0, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """``shaft``; ``wrist``: a part that bends on the shaft's end, or None; ``jaws``: one or two
    parts on the wrist.

    ``wrist_length``: from the shaft's end to the jaws' joint; ``reach``: from there to the tip;
    ``opening``: widest half angle between the jaws, radians; ``bend``: largest angle of the wrist;
    ``width``: shaft diameter as a fraction of the view's shorter side; ``loop``: the jaw is a wire
    loop that widens as it opens.
    """

    shaft: Part
    jaws: tuple[Part, ...]
    wrist: Part | None = None
    wrist_length: float = 0.0
    reach: float = 2.0
    opening: float = 0.0
    bend: float = 0.0
    width: tuple[float, float] = (0.085, 0.2)
    loop: bool = False


def tube_shaft(finish: Finish, bands: tuple[Band, ...] = (), end: float = 1.0) -> Part:
    """A shaft that runs from the joint back out of the view, a little wider towards the camera."""
    outline = rod(SHAFT_LENGTH, 1.0 + 0.012 * SHAFT_LENGTH, end) - (SHAFT_LENGTH, 0)
    return Part(outline, finish, 0.55, bands=bands)


def laparoscopic(rng: Rng) -> Part:
    """A thin straight shaft: black, steel or coloured, with or without a steel end."""
    finish = (BLACK, BLACK, DARK_STEEL, STEEL, GREY, BLUE)[rng.integers(6)]
    collar = (STEEL, DARK_STEEL, BLACK, AMBER)[rng.integers(4)]
    return tube_shaft(finish, (Band(-rng.uniform(0.4, 1.6), 0.1, collar),))


def robotic(rng: Rng) -> Part:
    """A dark shaft with the pale end piece that holds the wrist's cables."""
    pale = (GREY, WHITE, DARK_STEEL)[rng.integers(3)]
    end = -rng.uniform(1.4, 2.4)
    body = (BLACK, GREY)[int(rng.random() < 0.3)]
    return tube_shaft(body, (Band(end, 0.2, pale), Band(end - 0.25, end, DARK_STEEL)))


def clevis(rng: Rng, length: float = 1.3) -> Part:
    """A robotic wrist: a waisted steel fork with a pulley hole."""
    x = np.linspace(-0.35, length, 15)
    width = 0.92 - 0.22 * np.sin(np.pi * np.clip(x / length, 0, 1))
    outline = np.vstack([np.stack([x, -width / 2], 1), np.stack([x, width / 2], 1)[::-1]])
    pin = np.stack(
        [length - 0.2 + 0.12 * np.cos(a := np.linspace(0, 6.3, 10)), 0.12 * np.sin(a)], 1
    )
    return Part(outline, (STEEL, DARK_STEEL)[rng.integers(2)], 0.3, holes=(pin,))


def pair(
    finish: Finish, shape: JawShape, fenestrated: bool = False, bands: tuple[Band, ...] = ()
) -> tuple[Part, ...]:
    """Two mirrored jaws, which bend the same way where the shape is curved; ``fenestrated``: each
    with a window."""
    return tuple(
        Part(jaw(shape, side), finish, 0.22, (window(shape, side),) if fenestrated else (), bands)
        for side in (1, -1)
    )
