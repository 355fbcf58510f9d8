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
            vary(MATERIALS[str(rng.choice((*procedure.grounds, "pale fat", "connective")))], rng),
        )
    names: dict[int, str] = {}
    chosen = [organ for organ in procedure.organs if rng.random() < organ.chance] or [
        procedure.organs[0]
    ]
    for index, organ in enumerate(chosen, 1):
        _lay_organ(rng, canvas, organ, index)
        names[index] = organ.name
    for _ in range(int(rng.integers(0, 3))):
        _lay_attachment(
            rng, canvas, vary(MATERIALS[str(rng.choice(("fat", "pale fat", "connective")))], rng)
        )
    if rng.random() < 0.15:
        _lay_gauze(rng, canvas)
    spill_blood(rng, canvas)
    visible = {i for i in names if np.count_nonzero(canvas.ids == i) > 0.004 * unit * unit}
    canvas.ids[~np.isin(canvas.ids, list(visible))] = 0
    return canvas, {i: name for i, name in names.items() if i in visible}


def _lay_ground(rng: Rng, canvas: Canvas, material: Material) -> None:
    texture = weave(rng, canvas.shape, canvas.unit, material)
    slope = fbm(rng, canvas.shape, rng.uniform(0.5, 1.0) * canvas.unit, 3) * np.float32(
        rng.uniform(0.05, 0.13)
    )
    folds = ridged(rng, canvas.shape, rng.uniform(0.3, 0.7) * canvas.unit) * np.float32(
        rng.uniform(0.0, 0.06)
    )
    cover(canvas, np.ones(canvas.shape, np.float32), texture, slope + folds + texture.relief)


def _lay_patch(rng: Rng, canvas: Canvas, material: Material) -> None:
    """A region of another tissue that is scenery only: it has no id, and tears through the lining
    with ragged edges."""
    field = fbm(rng, canvas.shape, rng.uniform(0.4, 0.9) * canvas.unit, 5, 0.42)
    alpha = smoothstep(0.0, rng.uniform(0.08, 0.5), field - rng.uniform(0.2, 0.9))
    texture = weave(rng, canvas.shape, canvas.unit, material)
    contact_shadow(canvas, alpha, 0.35)
    lift = np.float32(rng.uniform(0.0, 0.06))
    cover(
        canvas,
        alpha,
        texture,
        canvas.height + lift * dome(np.clip(field, 0, 2), 0.8) + texture.relief,
    )


def _lay_organ(rng: Rng, canvas: Canvas, organ: Organ, object_id: int) -> None:
    unit = canvas.unit
    h, w = canvas.shape
    radius = rng.uniform(*organ.radius) * unit
    centre = np.array([w, h]) * rng.uniform(0.25, 0.75, 2)
    if organ.form == "tube":
        field = tube_field(rng, canvas.shape, centre, radius, rng.uniform(0.7, 1.6) * unit)
        thickness = radius / unit
    else:
        radii = radius * np.array([1.0, rng.uniform(0.55, 0.95)])
        field = blob_field(rng, canvas.shape, centre, radii, 0.12 if organ.form == "dome" else 0.3)
        thickness = (0.45 if organ.form == "dome" else 0.15) * radius / unit
    edge = rng.uniform(0.8, 2.5) / radius
    alpha = smoothstep(-edge, edge, field)
    texture = weave(rng, canvas.shape, unit, vary(MATERIALS[organ.material], rng))
    contact_shadow(canvas, alpha, rng.uniform(0.15, 0.5), rng.uniform(0.02, 0.06))
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
    rim = 4 * edge * (1 - edge)
    field = (
        rim
        + 0.55 * fbm(rng, canvas.shape, rng.uniform(0.3, 0.8) * unit, 3, 0.4)
        - rng.uniform(0.8, 1.4)
    )
    alpha = smoothstep(0.0, rng.uniform(0.08, 0.5), field)
    texture = weave(rng, canvas.shape, unit, material)
    contact_shadow(canvas, alpha, 0.3, 0.02)
    base = cv2.GaussianBlur(canvas.height, (0, 0), 0.03 * unit)
    cover(canvas, alpha, texture, base + np.float32(0.02) * dome(field, 1.0) + texture.relief)


def _lay_gauze(rng: Rng, canvas: Canvas) -> None:
    """A white swab lying about: bright, woven, blood-stained."""
    unit = canvas.unit
    h, w = canvas.shape
    radii = unit * rng.uniform(0.15, 0.35, 2)
    field = blob_field(rng, canvas.shape, np.array([w, h]) * rng.uniform(0.1, 0.9, 2), radii, 0.25)
    alpha = smoothstep(0, 0.04, field)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    warp = 0.03 * unit * fbm(rng, canvas.shape, 0.3 * unit, 2)
    pitch = np.float32(2 * np.pi / max(0.022 * unit, 3))
    woven = 0.5 + 0.25 * np.sin((x + warp) * pitch) + 0.25 * np.sin((y - warp) * pitch)
    stain = smoothstep(0.2, 1.6, fbm(rng, canvas.shape, 0.2 * unit, 4))[..., None]
    white = f32([0.93, 0.90, 0.86]) * (0.7 + 0.3 * woven)[..., None]
    albedo = white + (f32([0.55, 0.10, 0.09]) - white) * stain * np.float32(rng.uniform(0.2, 0.95))
    relief = 0.002 * woven + 0.025 * np.abs(fbm(rng, canvas.shape, 0.15 * unit, 3))
    contact_shadow(canvas, alpha, 0.4)
    texture = Texture(albedo.astype(np.float32), relief, np.full(canvas.shape, 0.05, np.float32))
    cover(canvas, alpha, texture, (canvas.height + 0.03 + relief).astype(np.float32))


def spill_blood(rng: Rng, canvas: Canvas, chance: float = 0.5) -> None:
    """Thin stains painted in now, and the field along which a pool may rise later
    (``Canvas.blood``)."""
    unit = canvas.unit
    red = f32([rng.uniform(0.32, 0.6), rng.uniform(0.02, 0.07), rng.uniform(0.02, 0.06)])
    if rng.random() < chance:
        stain = smoothstep(
            rng.uniform(0.5, 1.4), 2.4, fbm(rng, canvas.shape, rng.uniform(0.1, 0.4) * unit, 5, 0.6)
        )
        canvas.albedo += (
            (red - canvas.albedo) * stain[..., None] * np.float32(rng.uniform(0.3, 0.8))
        )
    h, w = canvas.shape
    centre = np.array([w, h]) * rng.uniform(0.25, 0.75, 2)
    pool = blob_field(rng, canvas.shape, centre, unit * rng.uniform(0.2, 0.45, 2), 0.35)
    low = cv2.GaussianBlur(canvas.height, (0, 0), 0.03 * unit)
    canvas.blood[:] = np.clip(0.15 + 0.8 * pool - 0.9 * (low - float(low.mean())), 0, 1)
