"""Scenery of a body cavity, for the laparoscopic and robotic procedures: lining, folds, fat,
organs, gauze, blood."""

from __future__ import annotations

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.materials import MATERIALS, Material, vary
from sam2s.synthetic.noise import Rng, f32, fbm, ridged, smoothstep
from sam2s.synthetic.painting import (
    Canvas,
    Texture,
    blank,
    blob_field,
    contact_shadow,
    cover,
    dome,
    tube_field,
    weave,
)
from sam2s.synthetic.procedures import Organ, Procedure

# Lengths, heights and cell sizes are in units (the view's shorter side), as everywhere on a canvas.
LEAST_AREA = 0.004
"""Square units of which an organ must show; one that shows less is not an object."""
SCENERY = ("pale fat", "connective")
"""What may lie about in any cavity, besides the procedure's own linings."""
OVERGROWTH = ("fat", "pale fat", "connective")
"""What may grow over the edge of an organ."""

GROUND_SWELL, GROUND_SWELL_HEIGHT = (0.5, 1.0), (0.05, 0.13)
"""Size and height of the slow rise and fall of the lining."""
GROUND_FOLDS, GROUND_FOLDS_HEIGHT = (0.3, 0.7), (0.0, 0.06)
"""Size and height of its sharp folds."""
PATCH_CELL, PATCH_LIFT = (0.4, 0.9), (0.0, 0.06)
SOFT_EDGE = (0.08, 0.5)
"""Width of a transition between tissues that grow into each other, in levels of their noise."""
TUBE_LENGTH = (0.7, 1.6)
OBLATENESS = (0.55, 0.95)
"""Short over long radius of an organ."""
DOME_ROUGHNESS, PATCH_ROUGHNESS = 0.12, 0.3
"""How far the outline strays from an ellipse, in radii."""
DOME_HEIGHT, PATCH_HEIGHT = 0.45, 0.15
"""In radii."""
ORGAN_EDGE = (0.8, 2.5)
"""Pixels over which an organ's outline fades: nearly sharp, since its mask ends there."""
PLACE = (0.25, 0.75)
"""Where on the canvas the middle of an organ or a pool may lie, in shares of its sides."""

GAUZE_CHANCE = 0.15
GAUZE_RADIUS = (0.15, 0.35)
GAUZE_WHITE = (0.93, 0.90, 0.86)
GAUZE_PITCH = 0.022
"""From thread to thread; at least 3 pixels, or the weave would alias."""
GAUZE_LIFT = 0.03
GAUZE_GLOSS = 0.05
SOAKED = (0.55, 0.10, 0.09)
"""Colour of gauze full of blood."""

BLOOD_RED, BLOOD_GREEN, BLOOD_BLUE = (0.32, 0.6), (0.02, 0.07), (0.02, 0.06)
"""From dried to fresh."""
POOL_RADIUS = (0.2, 0.45)


def paint_cavity(
    rng: Rng, procedure: Procedure, shape: tuple[int, int], unit: float
) -> tuple[Canvas, dict[int, str]]:
    """Canvas of ``shape`` pixels and the class name of every tissue id in it (1, 2, ...)."""
    canvas = blank(shape, unit)
    lining = vary(MATERIALS[str(rng.choice(procedure.grounds))], rng)
    _lay_ground(rng, canvas, lining)
    for _ in range(int(rng.integers(1, 4))):
        _lay_patch(
            rng,
            canvas,
            vary(MATERIALS[str(rng.choice((*procedure.grounds, *SCENERY)))], rng),
        )
    names: dict[int, str] = {}
    chosen = [organ for organ in procedure.organs if rng.random() < organ.chance] or [
        procedure.organs[0]
    ]
    for index, organ in enumerate(chosen, 1):
        _lay_organ(rng, canvas, organ, index)
        names[index] = organ.name
    for _ in range(int(rng.integers(0, 3))):
        _lay_attachment(rng, canvas, vary(MATERIALS[str(rng.choice(OVERGROWTH))], rng))
    if rng.random() < GAUZE_CHANCE:
        _lay_gauze(rng, canvas)
    spill_blood(rng, canvas)
    visible = {i for i in names if np.count_nonzero(canvas.ids == i) > LEAST_AREA * unit * unit}
    canvas.ids[~np.isin(canvas.ids, list(visible))] = 0
    return canvas, {i: name for i, name in names.items() if i in visible}


def _lay_ground(rng: Rng, canvas: Canvas, material: Material) -> None:
    """The lining everywhere: it rises and falls slowly, with sharp folds on top."""
    shape, unit = canvas.shape, canvas.unit
    texture = weave(rng, shape, unit, material)
    swell = fbm(rng, shape, rng.uniform(*GROUND_SWELL) * unit, 3)
    swell = swell * np.float32(rng.uniform(*GROUND_SWELL_HEIGHT))
    folds = ridged(rng, shape, rng.uniform(*GROUND_FOLDS) * unit)
    folds = folds * np.float32(rng.uniform(*GROUND_FOLDS_HEIGHT))
    cover(canvas, np.ones(shape, np.float32), texture, swell + folds + texture.relief)


def _lay_patch(rng: Rng, canvas: Canvas, material: Material) -> None:
    """A region of another tissue that is scenery only: it has no id, and tears through the lining
    with ragged edges."""
    field = fbm(rng, canvas.shape, rng.uniform(*PATCH_CELL) * canvas.unit, 5, 0.42)
    # The higher the threshold, the smaller the patch.
    alpha = smoothstep(0.0, rng.uniform(*SOFT_EDGE), field - rng.uniform(0.2, 0.9))
    texture = weave(rng, canvas.shape, canvas.unit, material)
    contact_shadow(canvas, alpha, 0.35)
    lift = np.float32(rng.uniform(*PATCH_LIFT))
    cover(
        canvas,
        alpha,
        texture,
        canvas.height + lift * dome(np.clip(field, 0, 2), 0.8) + texture.relief,
    )


def _lay_organ(rng: Rng, canvas: Canvas, organ: Organ, object_id: int) -> None:
    """An organ in front of what is there: dome, tube or flat patch."""
    unit = canvas.unit
    h, w = canvas.shape
    radius = rng.uniform(*organ.radius) * unit
    centre = np.array([w, h]) * rng.uniform(*PLACE, 2)
    if organ.form == "tube":
        field = tube_field(rng, canvas.shape, centre, radius, rng.uniform(*TUBE_LENGTH) * unit)
        thickness = radius / unit
    else:
        domed = organ.form == "dome"
        radii = radius * np.array([1.0, rng.uniform(*OBLATENESS)])
        roughness = DOME_ROUGHNESS if domed else PATCH_ROUGHNESS
        field = blob_field(rng, canvas.shape, centre, radii, roughness)
        thickness = (DOME_HEIGHT if domed else PATCH_HEIGHT) * radius / unit
    edge = rng.uniform(*ORGAN_EDGE) / radius
    alpha = smoothstep(-edge, edge, field)
    texture = weave(rng, canvas.shape, unit, vary(MATERIALS[organ.material], rng))
    contact_shadow(canvas, alpha, rng.uniform(0.15, 0.5), rng.uniform(0.02, 0.06))
    # The organ rests on the ground's large forms; its small ones would show through as dents.
    base = cv2.GaussianBlur(canvas.height, (0, 0), 0.1 * unit)
    body = (
        base
        + np.float32(thickness * rng.uniform(0.7, 1.1)) * dome(field, rng.uniform(0.9, 1.6))
        + texture.relief
    )
    cover(canvas, alpha, texture, body, object_id)


def _lay_attachment(rng: Rng, canvas: Canvas, material: Material) -> None:
    """Fat or strands that grow over the edge of an organ and hide part of it; no object."""
    unit = canvas.unit
    inside = (canvas.ids > 0).astype(np.float32)
    edge = cv2.GaussianBlur(inside, (0, 0), rng.uniform(0.06, 0.2) * unit)
    rim = 4 * edge * (1 - edge)  # 1 on the outlines of organs, 0 away from them
    field = (
        rim
        + 0.55 * fbm(rng, canvas.shape, rng.uniform(0.3, 0.8) * unit, 3, 0.4)
        - rng.uniform(0.8, 1.4)
    )
    alpha = smoothstep(0.0, rng.uniform(*SOFT_EDGE), field)
    texture = weave(rng, canvas.shape, unit, material)
    contact_shadow(canvas, alpha, 0.3, 0.02)
    base = cv2.GaussianBlur(canvas.height, (0, 0), 0.03 * unit)
    cover(canvas, alpha, texture, base + np.float32(0.02) * dome(field, 1.0) + texture.relief)


def _lay_gauze(rng: Rng, canvas: Canvas) -> None:
    """A white swab lying about: bright, woven, blood-stained."""
    unit = canvas.unit
    h, w = canvas.shape
    radii = unit * rng.uniform(*GAUZE_RADIUS, 2)
    field = blob_field(rng, canvas.shape, np.array([w, h]) * rng.uniform(0.1, 0.9, 2), radii, 0.25)
    alpha = smoothstep(0, 0.04, field)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    warp = 0.03 * unit * fbm(rng, canvas.shape, 0.3 * unit, 2)  # the cloth lies in soft folds
    pitch = np.float32(2 * np.pi / max(GAUZE_PITCH * unit, 3))
    woven = 0.5 + 0.25 * np.sin((x + warp) * pitch) + 0.25 * np.sin((y - warp) * pitch)
    stain = smoothstep(0.2, 1.6, fbm(rng, canvas.shape, 0.2 * unit, 4))[..., None]
    white = f32(GAUZE_WHITE) * (0.7 + 0.3 * woven)[..., None]
    albedo = white + (f32(SOAKED) - white) * stain * np.float32(rng.uniform(0.2, 0.95))
    relief = 0.002 * woven + 0.025 * np.abs(fbm(rng, canvas.shape, 0.15 * unit, 3))
    contact_shadow(canvas, alpha, 0.4)
    texture = Texture(
        albedo.astype(np.float32), relief, np.full(canvas.shape, GAUZE_GLOSS, np.float32)
    )
    cover(canvas, alpha, texture, (canvas.height + GAUZE_LIFT + relief).astype(np.float32))


def spill_blood(rng: Rng, canvas: Canvas, chance: float = 0.5) -> None:
    """Thin stains painted in now, and the field along which a pool may rise later
    (``Canvas.blood``)."""
    unit = canvas.unit
    red = f32([rng.uniform(*BLOOD_RED), rng.uniform(*BLOOD_GREEN), rng.uniform(*BLOOD_BLUE)])
    if rng.random() < chance:
        stain = smoothstep(
            rng.uniform(0.5, 1.4), 2.4, fbm(rng, canvas.shape, rng.uniform(0.1, 0.4) * unit, 5, 0.6)
        )
        canvas.albedo += (
            (red - canvas.albedo) * stain[..., None] * np.float32(rng.uniform(0.3, 0.8))
        )
    h, w = canvas.shape
    centre = np.array([w, h]) * rng.uniform(*PLACE, 2)
    pool = blob_field(rng, canvas.shape, centre, unit * rng.uniform(*POOL_RADIUS, 2), 0.35)
    # Blood collects where the ground is low.
    low = cv2.GaussianBlur(canvas.height, (0, 0), 0.03 * unit)
    canvas.blood[:] = np.clip(0.15 + 0.8 * pool - 0.9 * (low - float(low.mean())), 0, 1)
