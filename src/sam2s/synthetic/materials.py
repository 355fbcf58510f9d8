"""What tissues are made of: colours and the strengths of the textures that ``painting`` lays on
them.

Colours are RGB in [0, 1], unlit. All lengths are fractions of the view's shorter side. The ranges
are wide on purpose: ``vary`` draws one appearance of a material, so that no two scenes show the
same liver.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

Colour = tuple[float, float, float]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Material:
    """One tissue's look. ``dark`` and ``light`` are mixed by noise of size ``mottle``.

    ``bumps``: height of fine relief (0 to about 1), of size ``bump_cell``; ``lobes``: lobule size,
    0 = none; ``fibres``: strength of streaks; ``vessels``: density of vessel trees; ``gloss``: how
    readily it shows wet highlights; ``pits``: strength of small dark dots.
    """

    dark: Colour
    light: Colour
    mottle: float = 0.25
    bumps: float = 0.25
    bump_cell: float = 0.08
    lobes: float = 0.0
    fibres: float = 0.0
    vessels: float = 0.3
    vessel_colour: Colour = (0.55, 0.1, 0.1)
    gloss: float = 0.5
    pits: float = 0.0


MATERIALS: dict[str, Material] = {
    "peritoneum": Material((0.62, 0.30, 0.26), (0.84, 0.55, 0.47), vessels=0.8, bumps=0.3),
    "muscle": Material((0.50, 0.16, 0.13), (0.74, 0.36, 0.29), fibres=0.8, vessels=0.3, bumps=0.3),
    "connective": Material(
        (0.72, 0.42, 0.34), (0.92, 0.76, 0.64), fibres=0.9, vessels=0.5, bumps=0.4, bump_cell=0.05
    ),
    "liver": Material(
        (0.36, 0.12, 0.09), (0.55, 0.23, 0.17), 0.4, 0.12, 0.05, vessels=0.05, gloss=0.8, pits=0.3
    ),
    "spleen": Material(
        (0.33, 0.11, 0.17), (0.50, 0.20, 0.24), 0.4, 0.15, 0.05, vessels=0.05, gloss=0.8, pits=0.2
    ),
    "gallbladder": Material(
        (0.46, 0.48, 0.32), (0.80, 0.74, 0.56), 0.35, 0.12, 0.1, vessels=0.7, gloss=0.9
    ),
    "fat": Material(
        (0.80, 0.52, 0.20), (0.95, 0.79, 0.43), 0.2, 0.3, 0.05, lobes=0.085, vessels=0.3, gloss=0.6
    ),
    "pale fat": Material(
        (0.86, 0.62, 0.42), (0.97, 0.86, 0.68), 0.2, 0.3, 0.05, lobes=0.07, vessels=0.35, gloss=0.5
    ),
    "uterus": Material(
        (0.70, 0.36, 0.34), (0.90, 0.62, 0.57), 0.35, 0.15, 0.07, vessels=0.7, gloss=0.8
    ),
    "kidney": Material(
        (0.45, 0.17, 0.15), (0.66, 0.31, 0.26), 0.3, 0.2, 0.06, vessels=0.2, gloss=0.7, pits=0.2
    ),
    "fascia": Material(
        (0.72, 0.44, 0.30), (0.93, 0.74, 0.53), 0.25, 0.35, 0.06, fibres=0.5, vessels=0.6, gloss=0.5
    ),
    "bowel": Material(
        (0.74, 0.42, 0.37), (0.92, 0.69, 0.60), 0.3, 0.2, 0.08, vessels=1.0, gloss=0.8
    ),
    "stomach": Material(
        (0.70, 0.38, 0.36), (0.88, 0.62, 0.57), 0.35, 0.15, 0.08, vessels=0.9, gloss=0.8
    ),
    "duct": Material(
        (0.70, 0.56, 0.36), (0.92, 0.82, 0.62), 0.2, 0.2, 0.06, fibres=0.3, vessels=0.4, gloss=0.7
    ),
    "artery": Material(
        (0.66, 0.22, 0.20), (0.88, 0.48, 0.42), 0.2, 0.1, 0.06, vessels=0.1, gloss=0.8
    ),
    "gland": Material(
        (0.66, 0.36, 0.28), (0.88, 0.62, 0.50), 0.2, 0.4, 0.05, lobes=0.06, vessels=0.6, gloss=0.6
    ),
    "mucosa": Material(
        (0.64, 0.40, 0.30), (0.86, 0.64, 0.50), 0.35, 0.2, 0.1, vessels=0.9, gloss=0.8
    ),
    "larynx": Material(
        (0.70, 0.33, 0.24), (0.90, 0.58, 0.46), 0.3, 0.2, 0.07, fibres=0.15, vessels=0.9, gloss=0.5
    ),
    "fold": Material(
        (0.74, 0.48, 0.32), (0.95, 0.82, 0.66), 0.2, 0.2, 0.06, fibres=0.55, vessels=0.7, gloss=0.8
    ),
    "lesion": Material(
        (0.80, 0.52, 0.48), (0.97, 0.86, 0.82), 0.1, 0.9, 0.035, lobes=0.035, vessels=0.2, gloss=0.7
    ),
    "trachea": Material(
        (0.16, 0.07, 0.06), (0.40, 0.20, 0.17), 0.2, 0.2, 0.07, vessels=0.5, gloss=0.15
    ),
}


def shift_colour(colour: Colour, hue: float, saturation: float, value: float) -> Colour:
    """Turn the hue by ``hue`` (of a full circle) and scale saturation and value."""
    h, s, v = colorsys.rgb_to_hsv(*np.clip(colour, 0, 1).tolist())
    return colorsys.hsv_to_rgb(
        (h + hue) % 1.0, min(max(s * saturation, 0), 1), min(max(v * value, 0), 1)
    )


def vary(material: Material, rng: Rng, amount: float = 1.0) -> Material:
    """One random appearance of ``material``; ``amount`` scales how far it may stray."""
    hue = rng.normal(0, 0.012 * amount)
    saturation, value = np.exp(rng.normal(0, 0.16 * amount)), np.exp(rng.normal(0, 0.10 * amount))
    factor = np.exp(rng.normal(0, 0.35 * amount, 7))
    return replace(
        material,
        dark=shift_colour(material.dark, hue, saturation, value * rng.uniform(0.85, 1.1)),
        light=shift_colour(material.light, hue + rng.normal(0, 0.006), saturation, value),
        mottle=material.mottle * factor[0],
        bumps=material.bumps * factor[1],
        bump_cell=material.bump_cell * factor[2],
        lobes=material.lobes * np.clip(factor[3], 0.6, 1.6),
        fibres=material.fibres * factor[4],
        vessels=material.vessels * factor[5],
        vessel_colour=shift_colour(
            material.vessel_colour, rng.normal(0, 0.02), 1.0, rng.uniform(0.8, 1.3)
        ),
        gloss=min(1.0, material.gloss * float(np.clip(factor[6], 0.4, 1.5))),
    )
