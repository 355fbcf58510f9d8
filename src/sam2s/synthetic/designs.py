"""How each instrument class is built: shaft, wrist and jaws as outlines with finishes. One function
a class.

Dimensions are in tool units, 1 = the shaft's diameter. Every class has its own silhouette; ``rng``
varies proportions and colours between makes of the same class.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sam2s.errors import InputError
from sam2s.synthetic.noise import Rng
from sam2s.synthetic.part_outlines import JawShape, jaw, ribbon, rod
from sam2s.synthetic.sprites import Band, Finish, Part
from sam2s.synthetic.tool_parts import (
    AMBER,
    BLACK,
    BLUE,
    DARK_STEEL,
    GOLD,
    GREEN,
    GREY,
    PURPLE,
    STEEL,
    WHITE,
    Design,
    clevis,
    laparoscopic,
    pair,
    robotic,
    tube_shaft,
)


def grasper(rng: Rng) -> Design:
    """Two long toothed jaws, most with a window."""
    length = rng.uniform(2.6, 3.6)
    jaws = pair(STEEL, JawShape(length, 0.42, 0.3, teeth=0.14), fenestrated=rng.random() < 0.7)
    return Design(laparoscopic(rng), jaws, reach=length, opening=0.55)


def dissect_and_grasp(rng: Rng) -> Design:
    """Maryland dissector: two slender jaws that curve to one side and end in a point."""
    length = rng.uniform(1.9, 2.6)
    jaws = pair(STEEL, JawShape(length, 0.4, 0.1, curve=rng.uniform(0.5, 0.9), teeth=0.07))
    return Design(laparoscopic(rng), jaws, reach=length, opening=0.5)


def scissors(rng: Rng) -> Design:
    """Two blades without teeth that taper to a point, slightly curved."""
    length = rng.uniform(1.9, 2.5)
    jaws = pair(STEEL, JawShape(length, 0.36, 0.05, curve=rng.uniform(0.25, 0.5)))
    return Design(laparoscopic(rng), jaws, reach=length, opening=0.6)


def hook(rng: Rng) -> Design:
    """A rod in an insulating sleeve whose end turns through a right angle."""
    reach, drop = rng.uniform(1.8, 2.4), rng.uniform(0.7, 1.0)
    bent = [[reach - 0.35, 0], [reach - 0.1, 0.1], [reach, 0.35], [reach - 0.05, drop]]
    sleeve = Band(-0.4, rng.uniform(0.4, 0.9), (AMBER, BLACK)[rng.integers(2)])
    tip = Part(ribbon(np.array([[-0.3, 0], [0.6, 0], *bent]), 0.26), STEEL, 0.13, bands=(sleeve,))
    return Design(laparoscopic(rng), (tip,), reach=reach)


def bipolar(rng: Rng) -> Design:
    """Two thin prongs that bow apart, insulated at the root."""
    length = rng.uniform(2.8, 3.6)
    insulated = (Band(-0.4, length * 0.6, (BLUE, AMBER, BLACK)[rng.integers(3)]),)
    halves = []
    for side in (1, -1):
        x = np.linspace(-0.2, length, 12)
        bow = side * (0.12 + 0.38 * np.sin(np.pi * np.clip(x / length, 0, 1)) ** 0.8)
        halves.append(
            Part(
                ribbon(np.stack([x, bow], 1), np.linspace(0.34, 0.22, 12)),
                STEEL,
                0.12,
                bands=insulated,
            )
        )
    return Design(laparoscopic(rng), tuple(halves), reach=length, opening=0.22)


def clip_applier(rng: Rng) -> Design:
    """Two broad blunt jaws with a clip of another colour between their ends."""
    length = rng.uniform(2.2, 2.8)
    clip = (PURPLE, WHITE, GREEN, STEEL)[rng.integers(4)]
    jaws = pair(
        STEEL, JawShape(length, 0.52, 0.42), bands=(Band(0.55 * length, 0.95 * length, clip),)
    )
    return Design(laparoscopic(rng), jaws, reach=length, opening=0.3, width=(0.08, 0.17))


def suction(rng: Rng) -> Design:
    """A tube with a rounded end and three holes in its side."""
    length = rng.uniform(3.0, 4.5)
    holes = [
        np.stack([x + 0.13 * np.cos(a := np.linspace(0, 6.3, 9)), y + 0.10 * np.sin(a)], 1)
        for x, y in ((length - 0.6, 0.12), (length - 1.1, -0.12), (length - 1.6, 0.12))
    ]
    finish = (STEEL, STEEL, GREY, WHITE)[rng.integers(4)]
    tip = Part(
        rod(length, 0.78, 0.72, True) - (0.3, 0), finish, 0.38, tuple(h - (0.3, 0) for h in holes)
    )
    return Design(
        tube_shaft((STEEL, DARK_STEEL, BLACK, WHITE)[rng.integers(4)]), (tip,), reach=length - 0.3
    )


def needle_driver(rng: Rng) -> Design:
    """Robotic: two short strong jaws, some with golden inlays."""
    length = rng.uniform(1.3, 1.7)
    jaws = pair(
        STEEL,
        JawShape(length, 0.36, 0.22, teeth=0.05),
        bands=(Band(0.3 * length, length, GOLD),) * (rng.random() < 0.4),
    )
    return _wristed(rng, jaws, length, 0.45)


def needle_holder(rng: Rng) -> Design:
    """Two broad golden jaws on a straight steel shaft."""
    length = rng.uniform(1.8, 2.3)
    jaws = pair(GOLD, JawShape(length, 0.5, 0.3, teeth=0.04))
    return Design(
        tube_shaft((STEEL, DARK_STEEL)[rng.integers(2)]), jaws, reach=length, opening=0.35
    )


def bipolar_forceps(rng: Rng) -> Design:
    """Robotic: two slender fenestrated jaws, insulated at the root."""
    length = rng.uniform(2.3, 2.9)
    root = Band(-0.4, 0.5, (AMBER, WHITE)[rng.integers(2)])
    jaws = pair(STEEL, JawShape(length, 0.4, 0.16, curve=0.25), fenestrated=True, bands=(root,))
    return _wristed(rng, jaws, length, 0.45)


def prograsp_forceps(rng: Rng) -> Design:
    """Robotic: two broad fenestrated jaws with coarse teeth."""
    length = rng.uniform(2.0, 2.6)
    jaws = pair(DARK_STEEL, JawShape(length, 0.52, 0.46, teeth=0.12), fenestrated=True)
    return _wristed(rng, jaws, length, 0.5)


def monopolar_scissors(rng: Rng) -> Design:
    """Robotic: two short curved blades out of a coloured insulating boot."""
    length = rng.uniform(1.6, 2.1)
    jaws = pair(STEEL, JawShape(length, 0.34, 0.07, curve=rng.uniform(0.35, 0.6)))
    boot = Part(rod(1.6, 0.98, 0.72) - (0.35, 0), (AMBER, BLACK, PURPLE)[rng.integers(3)], 0.45)
    return Design(robotic(rng), jaws, boot, 1.15, length, 0.55, 0.7)


def vessel_sealer(rng: Rng) -> Design:
    """A dark and a pale jaw of different widths on a ribbed wrist."""
    length = rng.uniform(2.3, 2.9)
    upper = Part(jaw(JawShape(length, 0.48, 0.3, 0.3)), (GREY, DARK_STEEL)[rng.integers(2)], 0.3)
    lower = Part(
        jaw(JawShape(length, 0.42, 0.3, 0.3, 0.06), -1), (WHITE, STEEL)[rng.integers(2)], 0.3
    )
    wrist = Part(rod(1.5, 1.0, 0.85) - (0.3, 0), GREY, 0.45, ribs=(0.3, 0.06))
    return Design(tube_shaft(BLACK), (upper, lower), wrist, 1.1, length, 0.38, 0.6, (0.09, 0.18))


def ligature(rng: Rng) -> Design:
    """Two broad dark jaws with a white band at the root, and a white collar on the shaft."""
    length = rng.uniform(2.2, 2.8)
    jaws = pair(
        DARK_STEEL,
        JawShape(length, 0.5, 0.36, curve=rng.uniform(0.0, 0.3)),
        bands=(Band(0.2, 0.55, WHITE),),
    )
    shaft = tube_shaft((BLACK, BLUE, GREY)[rng.integers(3)], (Band(-1.2, 0.2, WHITE),))
    return Design(shaft, jaws, reach=length, opening=0.4, width=(0.09, 0.18))


def grasper_retractor(rng: Rng) -> Design:
    """Robotic: two long even jaws, fenestrated and toothed."""
    length = rng.uniform(3.0, 3.8)
    jaws = pair(STEEL, JawShape(length, 0.4, 0.4, teeth=0.1), fenestrated=True)
    return _wristed(rng, jaws, length, 0.6)


def us_probe(rng: Rng) -> Design:
    """A drop-in ultrasound probe: a thick rounded rod with a dark face, no jaws."""
    length = rng.uniform(3.0, 4.0)
    face = Band(0.5, length - 0.4, (BLACK, GREY)[rng.integers(2)])
    shell = (WHITE, GREY)[rng.integers(2)]
    head = Part(
        rod(length, 1.5, 1.35, True) - (0.5, 0), shell, 0.5, bands=(face,), ribs=(0.55, 0.05)
    )
    return Design(
        tube_shaft((BLACK, GREY)[rng.integers(2)]),
        (head,),
        reach=length - 0.5,
        bend=0.5,
        width=(0.08, 0.12),
    )


def snare(rng: Rng) -> Design:
    """A wire loop that leaves a thin plastic sheath; it widens as it opens."""
    length, half = rng.uniform(4.5, 6.5), rng.uniform(1.3, 1.9)
    a = np.linspace(0, 2 * np.pi, 40)
    loop = np.stack([length / 2 * (1 - np.cos(a)), half * np.sin(a) * (1 - 0.35 * np.cos(a))], 1)
    wire = ribbon(loop[:-1], 0.22)
    outer, inner = wire[: len(wire) // 2], wire[len(wire) // 2 :]
    big, small = (outer, inner) if np.ptp(outer[:, 1]) > np.ptp(inner[:, 1]) else (inner, outer)
    part = Part(big, STEEL, 0.1, (small,))
    sheath = tube_shaft((WHITE, BLUE, GREEN, AMBER)[rng.integers(4)], (Band(-0.5, 0.1, STEEL),))
    return Design(sheath, (part,), reach=length, width=(0.035, 0.075), loop=True)


def catheter(rng: Rng) -> Design:
    """A thin flexible tube with a bent end and a dark mark, no jaws."""
    length = rng.uniform(3, 5)
    x = np.linspace(-0.3, length, 14)
    path = np.stack([x, rng.uniform(-1, 1) * (x / length) ** 2], 1)
    finish = (AMBER, BLUE, GREEN, WHITE, Finish((0.85, 0.75, 0.35), 0, 0.6))[rng.integers(5)]
    tip = Part(
        ribbon(path, np.linspace(1.0, 0.8, 14)),
        finish,
        0.45,
        bands=(Band(length - 1.0, length - 0.7, BLACK),),
    )
    return Design(tube_shaft(finish), (tip,), reach=length, width=(0.04, 0.09))


def clamp(rng: Rng) -> Design:
    """Two long narrow jaws that curve to one side."""
    length = rng.uniform(3.4, 4.4)
    jaws = pair(
        (GOLD, STEEL)[rng.integers(2)],
        JawShape(length, 0.26, 0.2, curve=rng.uniform(0.8, 1.4), teeth=0.08),
    )
    return Design(tube_shaft(STEEL, end=0.7), jaws, reach=length, opening=0.25, width=(0.06, 0.13))


def _wristed(rng: Rng, jaws: tuple[Part, ...], length: float, opening: float) -> Design:
    return Design(robotic(rng), jaws, clevis(rng), 1.1, length, opening, 0.8, (0.09, 0.2))


DESIGNS: dict[str, Callable[[Rng], Design]] = {
    "grasper": grasper,
    "dissect & grasp": dissect_and_grasp,
    "scissors": scissors,
    "hook": hook,
    "bipolar": bipolar,
    "clip applier": clip_applier,
    "suction": suction,
    "needle driver": needle_driver,
    "needle holder": needle_holder,
    "bipolar forceps": bipolar_forceps,
    "prograsp forceps": prograsp_forceps,
    "monopolar scissors": monopolar_scissors,
    "vessel sealer": vessel_sealer,
    "ligature": ligature,
    "grasper retractor": grasper_retractor,
    "US probe": us_probe,
    "snare": snare,
    "catheter": catheter,
    "clamp": clamp,
}


def make_design(class_name: str, rng: Rng) -> Design:
    """One make of an instrument class; InputError for a class that has no design."""
    if class_name not in DESIGNS:
        raise InputError(
            f"instrument {class_name!r}: has no design; use one of {', '.join(DESIGNS)}"
        )
    return DESIGNS[class_name](rng)
