"""Scenery of the larynx seen from above: glottis between two vocal folds, trachea, breathing tube,
lesions, blade.

It is painted in a frame of its own: v runs from the front commissure (0) to the back (1), u across;
the frame is then turned, scaled and sheared at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.materials import MATERIALS, Material, vary
from sam2s.synthetic.noise import Rng, f32, fbm, smooth_noise, smoothstep
from sam2s.synthetic.painting import (
    Canvas,
    Texture,
    blank,
    blob_field,
    contact_shadow,
    cover,
    dome,
    weave,
)

GLOTTIS, LEFT, RIGHT, TUBE, LESION = 1, 2, 3, 4, 5
"""Object ids."""
LEAST_AREA = 0.003
"""Square units of which a thing must show; one that shows less is not an object."""
TUBE_CHANCE, LESION_CHANCE, BLADE_CHANCE = 0.7, 0.6, 0.5

# In units (the view's shorter side):
GLOTTIS_LENGTH = (0.7, 1.7)
LESION_RADIUS = (0.05, 0.13)
# In lengths of the glottis, the frame that everything is painted in:
WIDEST = (0.12, 0.34)
"""Half the opening where it is widest, towards the back: from nearly closed to wide open."""
RAGGED = (0.001, 0.012)
"""How far the edge of the opening strays."""
FALSE_FOLDS, FALSE_FOLD_WIDTH, FALSE_FOLD_HEIGHT = (0.3, 0.45), (0.1, 0.2), (0.05, 0.2)
"""Crest (from the edge of the opening), width and height of the false folds."""
TUBE_START, TUBE_WIDTH = (0.35, 0.75), (0.11, 0.24)
"""Where along the glottis the tube begins, and half its width."""
RIB_PITCH = (0.02, 0.05)
CUFF = 0.10
"""From the tube's visible end to its cuff."""
FOLD_BREADTH, FOLD_HEIGHT = (0.10, 0.24), (0.04, 0.12)
FOLD_END = 1.28
"""Where the vocal folds end behind: at the arytenoids, beyond the back commissure at 1."""
BLADE_EDGE = (0.1, 0.45)
"""How far in front of the front commissure the laryngoscope's blade ends."""
RINGS = (18, 34)
"""Rate of the trachea's rings, radians a length."""

TUBE_COLOURS = (
    (0.82, 0.74, 0.62),  # yellowed plastic
    (0.55, 0.53, 0.50),  # grey
    (0.25, 0.24, 0.23),  # black
    (0.75, 0.82, 0.85),  # clear, bluish
    (0.85, 0.83, 0.80),  # white
)
BLADE_GREY = (0.42, 0.42, 0.34)
SPOT_RED = (0.55, 0.08, 0.06)


@dataclass(frozen=True, slots=True, eq=False)
class LarynxAxes:
    """``u``, ``v`` (H, W): the larynx's own coordinates of each canvas pixel; ``length``: of the
    glottis in units."""

    u: np.ndarray
    v: np.ndarray
    opening: np.ndarray
    length: float
    turn: float


def paint_larynx(rng: Rng, shape: tuple[int, int], unit: float) -> tuple[Canvas, dict[int, str]]:
    """Canvas of ``shape`` pixels and the class name of every id in it."""
    canvas = blank(shape, unit)
    axes = _draw_axes(rng, shape, unit)
    _outer(rng, canvas, axes)
    names = {GLOTTIS: "glottis"}
    _trachea(rng, canvas, axes)
    if rng.random() < TUBE_CHANCE:
        _tube(rng, canvas, axes)
        names[TUBE] = "intubation tube"
    fibre = vary(MATERIALS["fold"], rng)
    for side, object_id in ((-1, LEFT), (1, RIGHT)):
        _fold(rng, canvas, axes, vary(fibre, rng, 0.3), side, object_id)
        names[object_id] = "vocal fold"
    if rng.random() < LESION_CHANCE:
        _lesion(rng, canvas, axes)
        names[LESION] = "laryngeal lesion"
    if rng.random() < BLADE_CHANCE:
        _blade(rng, canvas, axes)
    _mucus(rng, canvas)
    canvas.blood[:] = np.clip(
        blob_field(rng, shape, f32(shape[::-1]) / 2, f32([unit, unit]) * 0.25, 0.4), 0, 1
    )
    visible = [i for i in names if np.count_nonzero(canvas.ids == i) > LEAST_AREA * unit * unit]
    canvas.ids[~np.isin(canvas.ids, visible)] = 0
    return canvas, {i: names[i] for i in sorted(visible)}


def _draw_axes(rng: Rng, shape: tuple[int, int], unit: float) -> LarynxAxes:
    """A larynx somewhere on the canvas, slightly turned, sheared and wavy; one in four is
    upside down."""
    h, w = shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    turn = rng.normal(0, 0.35) + (np.pi if rng.random() < 0.25 else 0)
    length = rng.uniform(*GLOTTIS_LENGTH)
    scale = np.float32(1 / (length * unit))
    offset = 0.5 * length * unit * rng.uniform(0.6, 1.2)
    apex = f32([w, h]) / 2 - f32([-np.sin(turn), np.cos(turn)]) * np.float32(offset)
    dx, dy = (x - apex[0]) * scale, (y - apex[1]) * scale
    u = dx * np.float32(np.cos(turn)) + dy * np.float32(np.sin(turn))
    v = -dx * np.float32(np.sin(turn)) + dy * np.float32(np.cos(turn))
    u = u + np.float32(rng.normal(0, 0.12)) * v + 0.03 * smooth_noise(rng, shape, 0.5 * unit)
    v = v + 0.03 * smooth_noise(rng, shape, 0.5 * unit)
    widest = rng.uniform(*WIDEST)
    along = np.clip(v, 0, 1.6)
    opening = (
        np.float32(widest)
        * along ** np.float32(rng.uniform(0.6, 1.1))
        * smoothstep(1.55, 1.0, along)
    )
    ragged = np.float32(rng.uniform(*RAGGED))
    opening = opening + ragged * fbm(rng, shape, rng.uniform(0.1, 0.3) * unit, 3) * smoothstep(
        0, 0.1, along
    )
    return LarynxAxes(u, v, f32(opening - 0.02 * (v < 0)), length, turn)


def _outer(rng: Rng, canvas: Canvas, axes: LarynxAxes) -> None:
    """The tissue around: false folds that bulge beside the vocal folds, the walls beyond."""
    shape, unit = canvas.shape, canvas.unit
    texture = weave(rng, shape, unit, vary(MATERIALS["larynx"], rng))
    beside = np.abs(axes.u) - axes.opening
    crest = (beside - rng.uniform(*FALSE_FOLDS)) / rng.uniform(*FALSE_FOLD_WIDTH)
    bulge = np.exp(-(crest**2)) * np.float32(rng.uniform(*FALSE_FOLD_HEIGHT))
    lump = fbm(rng, shape, 0.5 * unit, 3) * np.float32(rng.uniform(0.04, 0.1))
    rise = np.float32(0.25) * np.clip(beside, 0, 1.2)
    cover(canvas, np.ones(shape, np.float32), texture, bulge + lump + rise + texture.relief)


def _trachea(rng: Rng, canvas: Canvas, axes: LarynxAxes) -> None:
    """The dark opening with the windpipe's rings in its depth."""
    field = (axes.opening - np.abs(axes.u)) * axes.length * canvas.unit
    alpha = smoothstep(-1.0, 1.0, field)
    texture = weave(rng, canvas.shape, canvas.unit, vary(MATERIALS["trachea"], rng))
    rings = np.sin((axes.v + 0.6 * axes.u**2) * rng.uniform(*RINGS) + rng.uniform(0, 6))
    deep = smoothstep(0.0, 0.35 * axes.length, axes.opening - np.abs(axes.u))
    albedo = (
        texture.albedo * ((1 + 0.22 * rings) * (0.9 - 0.75 * deep * rng.uniform(0.3, 1)))[..., None]
    )
    texture = Texture(f32(np.clip(albedo, 0.01, 1)), texture.relief, texture.gloss)
    cover(canvas, alpha, texture, canvas.height - 0.05 + 0.3 * texture.relief, GLOTTIS)


def _tube(rng: Rng, canvas: Canvas, axes: LarynxAxes) -> None:
    """A ribbed breathing tube that lies in the back of the glottis and goes down behind a dark
    cuff."""
    unit = canvas.unit
    start, width = rng.uniform(*TUBE_START), rng.uniform(*TUBE_WIDTH)
    middle = rng.normal(0, 0.05) + rng.normal(0, 0.15) * (axes.v - start)
    across = (axes.u - np.float32(middle)) / np.float32(width)
    end = start + 0.10 * (1 - np.sqrt(np.clip(1 - across**2, 0, 1)))
    length = axes.length * unit
    inside = np.minimum((1 - np.abs(across)) * width, axes.v - end) * length
    within = (axes.opening - np.abs(axes.u)) * length
    alpha = smoothstep(-0.8, 0.8, np.minimum(inside, within))
    arc = axes.v - 0.25 * width * np.sqrt(np.clip(1 - across**2, 0, 1))
    ribs = np.abs(np.sin(arc * np.pi / rng.uniform(*RIB_PITCH))) ** 0.6
    colour = f32(np.array(TUBE_COLOURS)[rng.integers(len(TUBE_COLOURS))] * rng.uniform(0.8, 1.1))
    round_shade = np.sqrt(np.clip(1 - across**2, 0.05, 1)) * (0.6 + 0.4 * ribs)
    cuff = smoothstep(end + CUFF + 0.06, end + CUFF, axes.v) * (rng.random() < 0.6)
    albedo = colour * round_shade[..., None] * (1 - 0.88 * f32(cuff))[..., None]
    gloss = np.full(canvas.shape, 0.7, np.float32)
    relief = 0.1 * np.sqrt(np.clip(1 - across**2, 0, 1)) * width + 0.006 * ribs
    contact_shadow(canvas, alpha, 0.4)
    cover(
        canvas, alpha, Texture(f32(albedo), f32(relief), gloss), f32(canvas.height + relief), TUBE
    )


def _fold(
    rng: Rng, canvas: Canvas, axes: LarynxAxes, material: Material, side: int, object_id: int
) -> None:
    """One vocal fold: a pale fibrous band along the edge of the glottis."""
    breadth = rng.uniform(*FOLD_BREADTH) * (0.55 + 0.45 * np.clip(axes.v / 0.5, 0, 1))
    ends = np.minimum(axes.v + 0.02, FOLD_END - axes.v)
    out = side * axes.u - axes.opening
    wobble = np.float32(rng.uniform(0.0, 0.02)) * smooth_noise(
        rng, canvas.shape, 0.25 * canvas.unit
    )
    field = np.minimum(np.minimum(out, breadth + wobble - out), 0.6 * ends)
    alpha = smoothstep(-1.0, 1.0 + rng.uniform(0, 2), field * axes.length * canvas.unit)
    texture = weave(rng, canvas.shape, canvas.unit, material, axes.turn + np.pi / 2)
    contact_shadow(canvas, alpha, 0.3)
    profile = dome(field / np.maximum(0.5 * breadth, 1e-3)) * np.float32(rng.uniform(*FOLD_HEIGHT))
    cover(canvas, alpha, texture, f32(canvas.height + profile + texture.relief), object_id)


def _lesion(rng: Rng, canvas: Canvas, axes: LarynxAxes) -> None:
    """A papilloma, nodule or swelling on the edge of a fold."""
    side, v = rng.choice((-1, 1)), rng.uniform(0.15, 0.8)
    cost = (axes.v - v) ** 2 + (side * axes.u - axes.opening - rng.uniform(-0.01, 0.1)) ** 2
    row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
    radii = canvas.unit * rng.uniform(*LESION_RADIUS) * np.array([1, rng.uniform(0.6, 1)])
    field = blob_field(rng, canvas.shape, np.array([column, row]), radii, 0.25)
    alpha = smoothstep(-0.06, rng.uniform(0.06, 0.3), field)
    material = vary(MATERIALS[str(rng.choice(["lesion", "lesion", "larynx", "fold"]))], rng)
    texture = weave(rng, canvas.shape, canvas.unit, material)
    contact_shadow(canvas, alpha, 0.35, 0.03)
    height = (
        canvas.height
        + np.float32(0.5 * radii.mean() / canvas.unit) * dome(field)
        + 1.5 * texture.relief
    )
    cover(canvas, alpha, texture, f32(height), LESION)


def _blade(rng: Rng, canvas: Canvas, axes: LarynxAxes) -> None:
    """The laryngoscope's rough grey metal at the edge of the picture."""
    side = rng.uniform(*BLADE_EDGE)
    field = (-axes.v - side + 0.12 * axes.u + 0.25 * axes.u**2) * axes.length * canvas.unit
    alpha = smoothstep(-1, 1.5, field)
    grain = fbm(rng, canvas.shape, 4, 2)
    colour = f32(BLADE_GREY) * np.float32(rng.uniform(0.6, 1.3))
    albedo = (
        colour * (1 + 0.16 * grain + 0.12 * fbm(rng, canvas.shape, 0.4 * canvas.unit, 3))[..., None]
    )
    contact_shadow(canvas, alpha, 0.5)
    texture = Texture(
        f32(np.clip(albedo, 0, 1)), f32(0.002 * grain), np.full(canvas.shape, 0.3, np.float32)
    )
    cover(canvas, alpha, texture, f32(canvas.height + 0.05 + 0.002 * grain), 0)


def _mucus(rng: Rng, canvas: Canvas) -> None:
    """Small red spots and pale threads on the tissue."""
    spots = smoothstep(1.7, 2.4, smooth_noise(rng, canvas.shape, 0.03 * canvas.unit))
    spots *= smoothstep(0.3, 1.2, fbm(rng, canvas.shape, 0.4 * canvas.unit, 2))
    tissue = np.isin(canvas.ids, (0, LEFT, RIGHT))
    red = f32(SPOT_RED)
    canvas.albedo += (red - canvas.albedo) * (spots * tissue * np.float32(rng.uniform(0.2, 0.8)))[
        ..., None
    ]
    canvas.gloss = f32(
        np.clip(canvas.gloss + 0.25 * fbm(rng, canvas.shape, 0.2 * canvas.unit, 2), 0, 1)
    )
    canvas.gloss = cv2.GaussianBlur(canvas.gloss, (0, 0), 1.0)
