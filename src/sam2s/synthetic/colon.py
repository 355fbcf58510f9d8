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
from sam2s.synthetic.world import Grade, World, assemble


def paint_colon(
    rng: Rng, organ: Organ, shape: tuple[int, int], unit: float, grade: Grade
) -> tuple[World, dict[int, str]]:
    """Lit world of ``shape`` pixels and {id: "polyp"} for each polyp that shows."""
    half = (max(shape[0] // 2, 32), max(shape[1] // 2, 32))
    rays, origin = aim_camera(rng, half)
    tube = Tube(
        random_wall(rng),
        f32([[rng.normal(0, 0.35), rng.uniform(0.3, 0.9), rng.uniform(0, 6)] for _ in range(2)]),
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
    good = (np.abs(x - 0.5) < 0.3) & (np.abs(y - 0.5) < 0.3) & (travel > 0.35) & (travel < 3.2)
    normals = surface_normals(tube, at)
    good &= -(normals * rays).sum(1) > 0.25
    spots = np.nonzero(good)[0]
    if len(spots) == 0:
        spots = np.nonzero(travel < np.median(travel))[0]
    polyps = []
    for spot in rng.choice(spots, int(rng.choice([1, 1, 1, 2, 2, 3]))):
        size = rng.uniform(*organ.radius) * 2 * HALF_VIEW * unit * float(travel[spot])
        polyps.append(_polyp(rng, at[spot], normals[spot], min(size, 0.4)))
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
        [rng.uniform(0.3, 0.55), rng.uniform(0.7, 1.1), rng.uniform(1.1, 1.8)], p=[0.35, 0.45, 0.2]
    )
    radii = radius * np.array([1.0, rng.uniform(0.6, 1.0), height])
    centre = foot + normal * radius * height * rng.uniform(0.05, 0.45)
    return Polyp(centre, axes, radii, radius * rng.uniform(0.1, 0.45))


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
        if np.count_nonzero(region) > 0.0015 * canvas.unit**2:
            canvas.ids[region] = index + 1
            names[index + 1] = "polyp"
    return canvas, names


def _paint(
    rng: Rng, canvas: Canvas, tube: Tube, fields: np.ndarray, origin: np.ndarray, grade: Grade
) -> World:
    shape = canvas.shape
    at, normal, travel = fields[..., :3], fields[..., 3:6], fields[..., 6]
    view = at - origin
    view = view / np.maximum(np.linalg.norm(view, axis=2, keepdims=True), 1e-6)
    mucosa = vary(MATERIALS["mucosa"], rng, 1.3)
    skin = _skin(rng, mucosa, tube, at.reshape(-1, 3), shape)
    _dress_polyps(rng, canvas, skin, mucosa)
    facing = _without_seams(np.clip(-(normal * view).sum(2), 0, 1), canvas.unit)
    bump = cv2.Sobel(skin.relief, cv2.CV_32F, 1, 0, scale=0.125) + cv2.Sobel(
        skin.relief, cv2.CV_32F, 0, 1, scale=0.125
    )
    facing = 0.25 + 0.75 * np.clip(facing + np.clip(bump * canvas.unit * 0.6, -0.25, 0.25), 0, 1.2)
    reach = np.float32(rng.uniform(0.10, 0.35))
    light = facing ** np.float32(rng.uniform(0.9, 1.5)) / (
        reach + travel**2 * np.float32(rng.uniform(0.25, 0.8))
    )
    light *= np.float32(rng.uniform(1.1, 2.6) / np.percentile(light[::4, ::4], 75))
    light = cv2.GaussianBlur(1 - np.exp(-light), (0, 0), 0.7)
    tinted = np.clip(light, 0.004, 1)[..., None] ** f32([0.95, 1.04, 1.12])
    canvas.gloss[:] = skin.gloss * smoothstep(0.05, 0.3, light)
    canvas.height[:] = 1 / (0.4 + travel)
    pool = smoothstep(0.8, 1.6, fbm(rng, shape, 0.4 * canvas.unit, 3))
    canvas.blood[:] = 0.9 * pool * (rng.random() < 0.3)
    slope = normal + view
    rows = _image_axes(view, shape)
    nx, ny = (slope * rows[0]).sum(2), (slope * rows[1]).sum(2)
    return assemble(
        rng, canvas, grade.apply(skin.albedo * tinted * np.float32(1.15)), f32(nx), f32(ny)
    )


def _without_seams(facing: np.ndarray, unit: float) -> np.ndarray:
    """Close the thin dark lines that grazing rays leave along the edges of folds and polyps."""
    side = 2 * max(1, round(0.008 * unit)) + 1
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
    rows, columns, spare = 1100, 640, 128
    flat = weave(rng, (rows, columns + spare), 170.0, mucosa)
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
    if rng.random() < 0.35:
        tint = f32([rng.uniform(0.55, 0.8), rng.uniform(0.45, 0.6), rng.uniform(0.02, 0.15)])
        film = smoothstep(0.9, 2.0, fbm(rng, flat.relief.shape, 100, 5))[..., None] * np.float32(
            rng.uniform(0.3, 0.8)
        )
        flat.albedo[:] = flat.albedo + (tint - flat.albedo) * film
    if rng.random() < 0.25:
        where = fbm(rng, flat.relief.shape, 160, 3) + 1.1 * smooth_noise(
            rng, flat.relief.shape, 2.6
        )
        crumbs = smoothstep(2.2, 2.8, where)[..., None]
        flat.albedo[:] = flat.albedo + (f32([0.42, 0.34, 0.08]) - flat.albedo) * crumbs


def _dress_polyps(rng: Rng, canvas: Canvas, skin: Texture, mucosa: Material) -> None:
    """Give polyps their own surface: from nearly the wall's to red, pale or lobed."""
    for object_id in np.unique(canvas.ids[canvas.ids > 0]):
        region = (canvas.ids == object_id).astype(np.float32)
        soft = cv2.GaussianBlur(region, (0, 0), max(1.0, canvas.unit * rng.uniform(0.006, 0.04)))
        own = vary(mucosa, rng, rng.choice([0.3, 0.8, 1.6]))
        lobed = rng.random() < 0.4
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
