"""Scenery of any procedure: picks the stage, paints it, lights it."""

from __future__ import annotations

from sam2s.synthetic.cavity import paint_cavity
from sam2s.synthetic.colon import paint_colon
from sam2s.synthetic.larynx import paint_larynx
from sam2s.synthetic.noise import Rng
from sam2s.synthetic.procedures import Procedure
from sam2s.synthetic.world import Grade, World, light_canvas


def paint_scenery(
    rng: Rng, procedure: Procedure, shape: tuple[int, int], unit: float, grade: Grade
) -> tuple[World, dict[int, str]]:
    """The lit world of a scene and the class name of every object id that is part of it."""
    if procedure.stage == "tunnel":
        return paint_colon(rng, procedure.organs[0], shape, unit, grade)
    if procedure.stage == "larynx":
        canvas, names = paint_larynx(rng, shape, unit)
    else:
        canvas, names = paint_cavity(rng, procedure, shape, unit)
    return light_canvas(rng, canvas, grade), names
