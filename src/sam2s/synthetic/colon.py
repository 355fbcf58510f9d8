"""Scenery of a hollow organ seen from inside, for colonoscopy: haustral folds, a dark lumen, polyps
on the wall.

The picture is ray-marched once over the whole canvas, so folds hide what lies behind them and a
polyp is a real bump: of the wall's colour, told apart by shading, outline and highlights. The lamp
sits beside the lens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.materials import MATERIALS, Material, vary
from sam2s.synthetic.noise import Rng, f32, fbm, smooth_noise, smoothstep
from sam2s.synthetic.painting import Canvas, Texture, blank, weave
from sam2s.synthetic.procedures import Organ
from sam2s.synthetic.tunnel import (
    HALF_VIEW,
    Polyp,
    Tube,
    aim_camera,
    join_ends,
    lookup,
    march,
    random_wall,
    step_inside,
    surface_normals,
)
from sam2s.synthetic.world import SLOPE_SCALE, Grade, World, assemble

# Lengths are in radii of the tube unless said otherwise.
BEND, BEND_RATE = 0.35, (0.3, 0.9)
"""Standard deviation of the middle line's swing to either side, and its radians a radius."""
POLYP_DISTANCE = (0.35, 3.2)
"""Where a polyp may grow, from the lens: not on it, not where it would be a few pixels."""
POLYP_PLACE = 0.3
"""How far from the picture's middle, in shares of its sides."""
FACING = 0.25
"""Least cosine between the wall's normal and the ray: no polyp on a wall seen edge-on."""
LARGEST_POLYP = 0.4
POLYP_COUNTS = (1, 1, 1, 2, 2, 3)
"""Equally likely: most pictures show one."""
FLAT, ROUND, STALKED = (0.3, 0.55), (0.7, 1.1), (1.1, 1.8)
"""Height of a polyp over its radius ..."""
SHAPE_CHANCES = (0.35, 0.45, 0.2)
"""... and how common each shape is."""
POLYP_BLEND = (0.1, 0.45)
"""Width, in the polyp's radii, over which the wall flows into it."""
LEAST_AREA = 0.0015
"""Square units of which a polyp must show; one that shows less is not an object."""
LAMP_REACH, LAMP_LOSS = (0.10, 0.35), (0.25, 0.8)
"""Light at distance d is 1 / (reach + loss d^2): the lamp sits beside the lens, so what is near is
blown out and the lumen is dark."""
EXPOSED = (1.1, 2.6)
"""Light of the upper quartile after the camera's gain, before it saturates."""
FAR_TINT = (0.95, 1.04, 1.12)
"""Exponents of light per channel: light that has been scattered by the wall is redder."""
SEAM = 0.008
"""Half width, in units, of the dark lines that are closed along edges."""
TEXTURE_SIZE, TEXTURE_OVERLAP, TEXTURE_UNIT = (1100, 640), 128, 170.0
"""Texture of the wall in pixels along and around the tube, the columns in which its two ends fade
into each other, and pixels of a unit."""
FLUID_CHANCE, STOOL_CHANCE, POOL_CHANCE = 0.35, 0.25, 0.3
STOOL = (0.42, 0.34, 0.08)
LOBED_CHANCE = 0.4


def paint_colon(
    rng: Rng, organ: Organ, shape: tuple[int, int], unit: float, grade: Grade
) -> tuple[World, dict[int, str]]:
    """Lit world of ``shape`` pixels and {id: "polyp"} for each polyp that shows."""
    half = (max(shape[0] // 2, 32), max(shape[1] // 2, 32))
    rays, origin = aim_camera(rng, half)
    tube = Tube(
        random_wall(rng),
        f32([[rng.normal(0, BEND), rng.uniform(*BEND_RATE), rng.uniform(0, 6)] for _ in range(2)]),
    )
    origin = step_inside(tube, origin)
    thinned = rays[::4]
    bare = march(tube, origin, thinned)
    hits = _Hits(origin + thinned * bare[:, None], thinned, bare)
    polyps = _grow_polyps(rng, tube, organ, hits, half, unit / shape[0])
    tube = Tube(tube.wall, tube.bend, polyps)
    travel = march(tube, origin, rays)
    at = origin + rays * travel[:, None]
    normal = surface_normals(tube, at)
    fields = np.column_stack([at, normal, travel]).reshape(*half, 7)
    fields = np.dstack(
        [cv2.resize(fields[..., i], shape[::-1], interpolation=cv2.INTER_LINEAR) for i in range(7)]
    )
    canvas, names = _identify(tube, at, half, blank(shape, unit))
    return _paint(rng, canvas, tube, fields, origin, grade), names


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """Where every fourth ray meets the wall: ``at`` (N, 3) in tube coordinates, ``rays`` (N, 3)
    unit directions, ``travel`` (N,) distances."""

    at: np.ndarray
    rays: np.ndarray
    travel: np.ndarray


def _grow_polyps(
    rng: Rng, tube: Tube, organ: Organ, hits: _Hits, shape: tuple[int, int], unit: float
) -> tuple[Polyp, ...]:
    """One to three polyps where the bare wall shows. ``unit``: the view's shorter side over the
    canvas' height."""
    at, rays, travel = hits.at, hits.rays, hits.travel
    index = np.arange(len(rays)) * 4
    x, y = (index % shape[1]) / shape[1], (index // shape[1]) / shape[0]
    nearest, farthest = POLYP_DISTANCE
    good = (np.abs(x - 0.5) < POLYP_PLACE) & (np.abs(y - 0.5) < POLYP_PLACE)
    good &= (travel > nearest) & (travel < farthest)
    normals = surface_normals(tube, at)
    good &= -(normals * rays).sum(1) > FACING
    spots = np.nonzero(good)[0]
    if len(spots) == 0:
        spots = np.nonzero(travel < np.median(travel))[0]
    polyps = []
    for spot in rng.choice(spots, int(rng.choice(POLYP_COUNTS))):
        size = rng.uniform(*organ.radius) * 2 * HALF_VIEW * unit * float(travel[spot])
        polyps.append(_polyp(rng, at[spot], normals[spot], min(size, LARGEST_POLYP)))
    return tuple(polyps)


def _polyp(rng: Rng, foot: np.ndarray, normal: np.ndarray, radius: float) -> Polyp:
    """Flat, round or stalked, on the wall at ``foot``."""
    helper = np.array([0.3, 0.5, 0.8]) if abs(normal[0]) > 0.5 else np.array([1.0, 0.2, 0.1])
    side = np.cross(normal, helper)
    side /= np.linalg.norm(side)
    turn = rng.uniform(0, np.pi)
    other = np.cross(normal, side)
    axes = np.stack(
        [
            np.cos(turn) * side + np.sin(turn) * other,
            -np.sin(turn) * side + np.cos(turn) * other,
            normal,
        ]
    )
    height = rng.choice(
        [rng.uniform(*heights) for heights in (FLAT, ROUND, STALKED)], p=SHAPE_CHANCES
    )
    radii = radius * np.array([1.0, rng.uniform(0.6, 1.0), height])
    centre = foot + normal * radius * height * rng.uniform(0.05, 0.45)
    return Polyp(centre, axes, radii, radius * rng.uniform(*POLYP_BLEND))


def _identify(
    tube: Tube, at: np.ndarray, half: tuple[int, int], canvas: Canvas
) -> tuple[Canvas, dict[int, str]]:
    """Paint the ids of the polyps that show: pixels where the polyp's own surface stands before the
    wall's."""
    names: dict[int, str] = {}
    wall = tube.wall_distance(at)
    grown = (
        np.stack([p.distance(at) for p in tube.polyps])
        if tube.polyps
        else np.zeros((0, len(at)), np.float32)
    )
    for index, polyp in enumerate(tube.polyps):
        mine = (grown[index] <= grown.min(0)) & (grown[index] < wall + 0.25 * polyp.blend)
        field = cv2.resize(
            mine.reshape(half).astype(np.float32),
            canvas.shape[::-1],
            interpolation=cv2.INTER_LINEAR,
        )
        region = cv2.GaussianBlur(field, (0, 0), 1.2) > 0.5
        if np.count_nonzero(region) > LEAST_AREA * canvas.unit**2:
            canvas.ids[region] = index + 1
            names[index + 1] = "polyp"
    return canvas, names


def _paint(
    rng: Rng, canvas: Canvas, tube: Tube, fields: np.ndarray, origin: np.ndarray, grade: Grade
) -> World:
    """Light the wall and pack it. ``fields`` (H, W, 7): where each pixel's ray meets it, the normal
    there, and how far that is."""
    shape = canvas.shape
    at, normal, travel = fields[..., :3], fields[..., 3:6], fields[..., 6]
    view = at - origin
    view = view / np.maximum(np.linalg.norm(view, axis=2, keepdims=True), 1e-6)
    mucosa = vary(MATERIALS["mucosa"], rng, 1.3)
    skin = _skin(rng, mucosa, tube, at.reshape(-1, 3), shape)
    _dress_polyps(rng, canvas, skin, mucosa)
    facing = _without_seams(np.clip(-(normal * view).sum(2), 0, 1), canvas.unit)
    bump = cv2.Sobel(skin.relief, cv2.CV_32F, 1, 0, scale=SLOPE_SCALE) + cv2.Sobel(
        skin.relief, cv2.CV_32F, 0, 1, scale=SLOPE_SCALE
    )
    facing = 0.25 + 0.75 * np.clip(facing + np.clip(bump * canvas.unit * 0.6, -0.25, 0.25), 0, 1.2)
    reach = np.float32(rng.uniform(*LAMP_REACH))
    light = facing ** np.float32(rng.uniform(0.9, 1.5)) / (
        reach + travel**2 * np.float32(rng.uniform(*LAMP_LOSS))
    )
    light *= np.float32(rng.uniform(*EXPOSED) / np.percentile(light[::4, ::4], 75))
    light = cv2.GaussianBlur(1 - np.exp(-light), (0, 0), 0.7)
    tinted = np.clip(light, 0.004, 1)[..., None] ** f32(FAR_TINT)
    canvas.gloss[:] = skin.gloss * smoothstep(0.05, 0.3, light)
    canvas.height[:] = 1 / (0.4 + travel)
    pool = smoothstep(0.8, 1.6, fbm(rng, shape, 0.4 * canvas.unit, 3))
    canvas.blood[:] = 0.9 * pool * (rng.random() < POOL_CHANCE)
    slope = normal + view  # 0 where the wall faces the lens
    rows = _image_axes(view, shape)
    nx, ny = (slope * rows[0]).sum(2), (slope * rows[1]).sum(2)
    return assemble(
        rng, canvas, grade.apply(skin.albedo * tinted * np.float32(1.15)), f32(nx), f32(ny)
    )


def _without_seams(facing: np.ndarray, unit: float) -> np.ndarray:
    """Close the thin dark lines that grazing rays leave along the edges of folds and polyps."""
    side = 2 * max(1, round(SEAM * unit)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(f32(facing), cv2.MORPH_CLOSE, kernel)


def _image_axes(view: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The directions in tube coordinates that lie along the picture's x and y at its middle."""
    cy, cx = shape[0] // 2, shape[1] // 2
    right, down = view[cy, -1] - view[cy, 0], view[-1, cx] - view[0, cx]
    return right / np.linalg.norm(right), down / np.linalg.norm(down)


def _skin(
    rng: Rng, mucosa: Material, tube: Tube, at: np.ndarray, shape: tuple[int, int]
) -> Texture:
    """The wall's texture, laid out along and around the tube and looked up where the rays met
    it."""
    rows, columns = TEXTURE_SIZE
    flat = weave(rng, (rows, columns + TEXTURE_OVERLAP), TEXTURE_UNIT, mucosa)
    _soil(rng, flat)
    stack = np.dstack([flat.albedo, flat.relief, flat.gloss])
    _, angle = tube.around(at)
    found = lookup(join_ends(stack, columns), angle, at[:, 2]).reshape(*shape, 5)
    return Texture(
        np.ascontiguousarray(found[..., :3]),
        np.ascontiguousarray(found[..., 3]),
        found[..., 4].copy(),
    )


def _soil(rng: Rng, flat: Texture) -> None:
    """Yellow fluid and crumbs of stool, on some walls."""
    if rng.random() < FLUID_CHANCE:
        tint = f32([rng.uniform(0.55, 0.8), rng.uniform(0.45, 0.6), rng.uniform(0.02, 0.15)])
        film = smoothstep(0.9, 2.0, fbm(rng, flat.relief.shape, 100, 5))[..., None] * np.float32(
            rng.uniform(0.3, 0.8)
        )
        flat.albedo[:] = flat.albedo + (tint - flat.albedo) * film
    if rng.random() < STOOL_CHANCE:
        where = fbm(rng, flat.relief.shape, 160, 3) + 1.1 * smooth_noise(
            rng, flat.relief.shape, 2.6
        )
        crumbs = smoothstep(2.2, 2.8, where)[..., None]
        flat.albedo[:] = flat.albedo + (f32(STOOL) - flat.albedo) * crumbs


def _dress_polyps(rng: Rng, canvas: Canvas, skin: Texture, mucosa: Material) -> None:
    """Give polyps their own surface: from nearly the wall's to red, pale or lobed."""
    for object_id in np.unique(canvas.ids[canvas.ids > 0]):
        region = (canvas.ids == object_id).astype(np.float32)
        soft = cv2.GaussianBlur(region, (0, 0), max(1.0, canvas.unit * rng.uniform(0.006, 0.04)))
        own = vary(mucosa, rng, rng.choice([0.3, 0.8, 1.6]))
        lobed = rng.random() < LOBED_CHANCE
        own = Material(
            own.dark,
            own.light,
            0.1,
            own.bumps,
            0.04,
            0.04 * lobed,
            0,
            own.vessels * rng.uniform(0, 1.5),
            gloss=0.9,
            pits=float(rng.uniform(0, 0.8)),
        )
        surface = weave(rng, canvas.shape, canvas.unit, own)
        red = f32([1.0, rng.uniform(0.72, 1.0), rng.uniform(0.75, 1.05)]) * np.float32(
            rng.uniform(0.85, 1.2)
        )
        amount = (soft * np.float32(rng.uniform(0.25, 1.0)))[..., None]
        skin.albedo[:] = skin.albedo + (np.clip(surface.albedo * red, 0, 1) - skin.albedo) * amount
        skin.relief[:] = skin.relief + (surface.relief - skin.relief) * soft
        skin.gloss[:] = np.maximum(skin.gloss, 0.8 * soft)
