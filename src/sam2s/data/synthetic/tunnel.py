"""Scenery of a hollow organ seen from inside, for colonoscopy: haustral folds, a dark lumen, polyps on the wall.

The picture is ray-marched once over the whole canvas, so folds hide what lies behind them and a polyp is a real bump:
of the wall's colour, told apart by shading, outline and highlights. Lengths are in tube radii; the camera sits inside
the tube at the origin of the rays, its lamp beside the lens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.data.synthetic.cv import cv2
from sam2s.data.synthetic.materials import MATERIALS, Material, vary
from sam2s.data.synthetic.noise import Rng, f32, fbm, smooth_noise, smoothstep
from sam2s.data.synthetic.painting import Canvas, Texture, blank, weave
from sam2s.data.synthetic.procedures import Organ
from sam2s.data.synthetic.world import Grade, World, assemble

NEAR, FAR = -2.0, 9.0
"""The stretch of the tube that exists, along its axis."""
HALF_VIEW = 1.35
"""Tangent of half the canvas' angle of view."""
STEPS = 36
GRAZING = 40
"""Further steps for the rays that pass close to an edge."""


@dataclass(frozen=True, slots=True)
class Polyp:
    """An ellipsoid grown on the wall: ``centre`` (3,), ``axes`` (3, 3) unit rows, ``radii`` (3,) along them."""

    centre: np.ndarray
    axes: np.ndarray
    radii: np.ndarray
    blend: float

    def distance(self, at: np.ndarray) -> np.ndarray:
        """About the distance to the surface, (N,), of points ``at`` (N, 3)."""
        local = (at - f32(self.centre)) @ f32(self.axes.T / self.radii)
        return (np.sqrt((local * local).sum(1)) - 1) * np.float32(self.radii.min())


@dataclass(frozen=True, slots=True)
class Tube:
    """``wall`` (rows along the axis, columns around it) float32: the radius, folds included; ``bend``: amplitude, rate
    and phase of the middle line in x and y."""

    wall: np.ndarray
    bend: np.ndarray
    polyps: tuple[Polyp, ...] = ()

    def middle(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the middle line at ``z``."""
        (ax, rx, px), (ay, ry, py) = self.bend
        return f32(ax * (np.sin(rx * z + px) - np.sin(px))), f32(ay * (np.sin(ry * z + py) - np.sin(py)))

    def around(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(distance from the middle line, angle around it) of points (N, 3)."""
        mx, my = self.middle(at[:, 2])
        dx, dy = at[:, 0] - mx, at[:, 1] - my
        radius, angle = cv2.cartToPolar(dx, dy)
        return radius.reshape(-1), angle.reshape(-1)

    def distances(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(distance to wall and polyps together, distance to the wall minus distance to the nearest polyp), each (N,)."""
        radius, angle = self.around(at)
        wall = lookup(self.wall, angle, at[:, 2]) - radius
        whole, lead = wall, np.full_like(wall, -1.0)
        for polyp in self.polyps:
            grown = polyp.distance(at)
            mix = np.clip(0.5 + 0.5 * (whole - grown) / np.float32(polyp.blend), 0, 1)
            whole = whole + (grown - whole) * mix - np.float32(polyp.blend) * mix * (1 - mix)
            lead = np.maximum(lead, wall - grown)
        return whole, lead


def lookup(table: np.ndarray, angle: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Sample a table over (z, angle) at N points; it repeats around the tube."""
    rows, columns = table.shape[:2]
    x = angle * np.float32((columns - 1) / (2 * np.pi))
    y = (z - np.float32(NEAR)) * np.float32((rows - 1) / (FAR - NEAR))
    n = len(x)
    width = 4096
    pad = -n % width
    grid = [np.pad(v, (0, pad)).reshape(-1, width) for v in (f32(x), f32(y))]
    found = cv2.remap(table, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, *table.shape[2:])[:n]


def paint_tunnel(
    rng: Rng, organ: Organ, shape: tuple[int, int], unit: float, grade: Grade
) -> tuple[World, dict[int, str]]:
    """Lit world of ``shape`` pixels and {id: "polyp"} for each polyp that shows."""
    half = (max(shape[0] // 2, 32), max(shape[1] // 2, 32))
    rays, origin = _camera(rng, half)
    tube = Tube(_wall(rng), f32([[rng.normal(0, 0.35), rng.uniform(0.3, 0.9), rng.uniform(0, 6)] for _ in range(2)]))
    origin = _inside(tube, origin)
    bare = _march(tube, origin, rays[::4])
    tube = Tube(tube.wall, tube.bend, _grow_polyps(rng, tube, organ, origin, rays[::4], bare, half, unit / shape[0]))
    travel = _march(tube, origin, rays)
    at = origin + rays * travel[:, None]
    normal = _normals(tube, at)
    fields = np.column_stack([at, normal, travel]).reshape(*half, 7)
    fields = np.dstack([cv2.resize(fields[..., i], shape[::-1], interpolation=cv2.INTER_LINEAR) for i in range(7)])
    canvas, names = _identify(tube, at, half, blank(shape, unit))
    return _paint(rng, canvas, tube, fields, origin, grade), names


def _camera(rng: Rng, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Unit rays (N, 3) in tube coordinates and the camera's place (3,)."""
    h, w = shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    scale = 2 * HALF_VIEW / min(h, w)
    rays = np.stack([(x - w / 2) * scale, (y - h / 2) * scale, np.ones_like(x)], -1).reshape(-1, 3)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    polar, turn = abs(rng.normal(0, 0.6)), rng.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(turn), np.sin(turn), 0]) * min(polar, 1.15)
    rotation, _ = cv2.Rodrigues(axis)
    spin, _ = cv2.Rodrigues(np.array([0, 0, rng.uniform(0, 2 * np.pi)]))
    place = np.array([rng.normal(0, 0.22), rng.normal(0, 0.22), 0.0])
    return rays @ f32(rotation @ spin).T, f32(place)


def _inside(tube: Tube, origin: np.ndarray) -> np.ndarray:
    """The camera's place, drawn towards the middle line until the wall is not too near."""
    for shrink in (1.0, 0.6, 0.3, 0.0):
        place = origin * f32([shrink, shrink, 1])
        if tube.distances(place[None])[0][0] > 0.25:
            return place
    return place


def _wall(rng: Rng) -> np.ndarray:
    """Radius over (z, angle): haustra between folds that reach in as ridges, round or three-cornered."""
    rows, columns = 640, 256
    z = np.linspace(NEAR, FAR, rows, dtype=np.float32)[:, None]
    angle = np.linspace(0, 2 * np.pi, columns, dtype=np.float32)[None, :]
    wall = np.ones((rows, columns), np.float32)
    corners, place, depth = rng.choice([0, 2, 3]), -1.7, rng.uniform(0.12, 0.38)
    while place < FAR:
        reach = depth * rng.uniform(0.5, 1.3)
        lobes = 0.7 + 0.3 * np.cos(corners * angle + rng.normal(0, 0.5)) if corners else 1.0
        half = np.clip(0.35 + np.cos(angle - rng.uniform(0, 2 * np.pi)) * rng.uniform(0.2, 0.9), 0, 1)
        skew = 0.18 * np.sin(angle + rng.uniform(0, 6)) + 0.08 * np.sin(2 * angle + rng.uniform(0, 6))
        wall -= reach * lobes * half * np.exp(-(((z - place - skew) / rng.uniform(0.07, 0.16)) ** 2))
        place += rng.uniform(0.35, 1.1) * (1 + max(place, 0) * 0.1)
    wall += periodic(rng, (rows, columns), 60, 3) * np.float32(rng.uniform(0.01, 0.05))
    return np.maximum(wall * (1 + 0.10 * np.cos(angle * 2 + rng.uniform(0, 6))), 0.25).astype(np.float32)


def periodic(rng: Rng, shape: tuple[int, int], cell: float, octaves: int) -> np.ndarray:
    """Noise that joins up at its left and right ends."""
    return join_ends(fbm(rng, (shape[0], shape[1] + shape[1] // 4), cell, octaves), shape[1])


def join_ends(wide: np.ndarray, columns: int) -> np.ndarray:
    """Fade the surplus columns at the right into the left end, so that the result repeats."""
    surplus = wide.shape[1] - columns
    fade = np.linspace(0, 1, surplus, dtype=np.float32).reshape(1, -1, *(1,) * (wide.ndim - 2))
    joined = wide[:, :columns].copy()
    joined[:, :surplus] = joined[:, :surplus] * fade + wide[:, columns:] * (1 - fade)
    return joined


def _march(tube: Tube, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """How far each ray goes until it meets the wall, (N,)."""
    travel = np.full(len(rays), 0.02, np.float32)
    for _ in range(STEPS):
        ahead, _ = tube.distances(origin + rays * travel[:, None])
        travel += np.clip(0.55 * ahead, -0.1, 0.35)
    slow = np.arange(len(rays))
    for _ in range(GRAZING):
        ahead, _ = tube.distances(origin + rays[slow] * travel[slow, None])
        travel[slow] += 0.7 * ahead
        slow = slow[ahead > 0.004]
        if len(slow) == 0:
            break
    return np.clip(travel, 0.03, FAR)


def _normals(tube: Tube, at: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) that point into the tube."""
    step = np.float32(0.012)
    here, _ = tube.distances(at)
    slopes = []
    for axis in np.eye(3, dtype=np.float32):
        slopes.append(tube.distances(at + step * axis)[0] - here)
    normal = np.stack(slopes, 1)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)


def _grow_polyps(
    rng: Rng,
    tube: Tube,
    organ: Organ,
    origin: np.ndarray,
    rays: np.ndarray,
    travel: np.ndarray,
    shape: tuple[int, int],
    unit: float,
) -> tuple[Polyp, ...]:
    """One to three polyps where the bare wall is in sight. ``unit``: the view's shorter side over the canvas' height."""
    at = origin + rays * travel[:, None]
    index = np.arange(len(rays)) * 4
    x, y = (index % shape[1]) / shape[1], (index // shape[1]) / shape[0]
    good = (np.abs(x - 0.5) < 0.3) & (np.abs(y - 0.5) < 0.3) & (travel > 0.35) & (travel < 3.2)
    normals = _normals(tube, at)
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
    axes = np.stack([np.cos(turn) * side + np.sin(turn) * other, -np.sin(turn) * side + np.cos(turn) * other, normal])
    height = rng.choice([rng.uniform(0.3, 0.55), rng.uniform(0.7, 1.1), rng.uniform(1.1, 1.8)], p=[0.35, 0.45, 0.2])
    radii = radius * np.array([1.0, rng.uniform(0.6, 1.0), height])
    centre = foot + normal * radius * height * rng.uniform(0.05, 0.45)
    return Polyp(centre, axes, radii, radius * rng.uniform(0.1, 0.45))


def _identify(tube: Tube, at: np.ndarray, half: tuple[int, int], canvas: Canvas) -> tuple[Canvas, dict[int, str]]:
    """Paint the ids of the polyps that show: pixels where the polyp's own surface stands before the wall's."""
    names: dict[int, str] = {}
    radius, angle = tube.around(at)
    wall = lookup(tube.wall, angle, at[:, 2]) - radius
    grown = np.stack([p.distance(at) for p in tube.polyps]) if tube.polyps else np.zeros((0, len(at)), np.float32)
    for index, polyp in enumerate(tube.polyps):
        mine = (grown[index] <= grown.min(0)) & (grown[index] < wall + 0.25 * polyp.blend)
        field = cv2.resize(mine.reshape(half).astype(np.float32), canvas.shape[::-1], interpolation=cv2.INTER_LINEAR)
        region = cv2.GaussianBlur(field, (0, 0), 1.2) > 0.5
        if np.count_nonzero(region) > 0.0015 * canvas.unit**2:
            canvas.ids[region] = index + 1
            names[index + 1] = "polyp"
    return canvas, names


def _paint(rng: Rng, canvas: Canvas, tube: Tube, fields: np.ndarray, origin: np.ndarray, grade: Grade) -> World:
    shape = canvas.shape
    at, normal, travel = fields[..., :3], fields[..., 3:6], fields[..., 6]
    view = at - origin
    view = view / np.maximum(np.linalg.norm(view, axis=2, keepdims=True), 1e-6)
    mucosa = vary(MATERIALS["mucosa"], rng, 1.3)
    skin = _skin(rng, mucosa, tube, at.reshape(-1, 3), shape)
    _dress_polyps(rng, canvas, skin, mucosa)
    facing = np.clip(-(normal * view).sum(2), 0, 1)
    bump = cv2.Sobel(skin.relief, cv2.CV_32F, 1, 0, scale=0.125) + cv2.Sobel(skin.relief, cv2.CV_32F, 0, 1, scale=0.125)
    facing = 0.25 + 0.75 * np.clip(facing + np.clip(bump * canvas.unit * 0.6, -0.25, 0.25), 0, 1.2)
    reach = np.float32(rng.uniform(0.10, 0.35))
    light = facing ** np.float32(rng.uniform(0.9, 1.5)) / (reach + travel**2 * np.float32(rng.uniform(0.25, 0.8)))
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
    return assemble(rng, canvas, grade.apply(skin.albedo * tinted * np.float32(1.15)), f32(nx), f32(ny))


def _image_axes(view: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The directions in tube coordinates that lie along the picture's x and y at its middle."""
    cy, cx = shape[0] // 2, shape[1] // 2
    right, down = view[cy, -1] - view[cy, 0], view[-1, cx] - view[0, cx]
    return right / np.linalg.norm(right), down / np.linalg.norm(down)


def _skin(rng: Rng, mucosa: Material, tube: Tube, at: np.ndarray, shape: tuple[int, int]) -> Texture:
    """The wall's texture, laid out along and around the tube and looked up where the rays met it."""
    rows, columns, spare = 1100, 640, 128
    flat = weave(rng, (rows, columns + spare), 170.0, mucosa)
    _soil(rng, flat)
    stack = np.dstack([flat.albedo, flat.relief, flat.gloss])
    _, angle = tube.around(at)
    found = lookup(join_ends(stack, columns), angle, at[:, 2]).reshape(*shape, 5)
    return Texture(np.ascontiguousarray(found[..., :3]), np.ascontiguousarray(found[..., 3]), found[..., 4].copy())


def _soil(rng: Rng, flat: Texture) -> None:
    """Yellow fluid and crumbs of stool, on some walls."""
    if rng.random() < 0.35:
        tint = f32([rng.uniform(0.55, 0.8), rng.uniform(0.45, 0.6), rng.uniform(0.02, 0.15)])
        film = smoothstep(0.9, 2.0, fbm(rng, flat.relief.shape, 100, 5))[..., None] * np.float32(rng.uniform(0.3, 0.8))
        flat.albedo[:] = flat.albedo + (tint - flat.albedo) * film
    if rng.random() < 0.25:
        where = fbm(rng, flat.relief.shape, 160, 3) + 0.9 * smooth_noise(rng, flat.relief.shape, 4)
        crumbs = smoothstep(1.9, 2.3, where)[..., None]
        flat.albedo[:] = flat.albedo + (f32([0.42, 0.34, 0.08]) - flat.albedo) * crumbs


def _dress_polyps(rng: Rng, canvas: Canvas, skin: Texture, mucosa: Material) -> None:
    """Give polyps their own surface: from nearly the wall's to red, pale or lobed."""
    for object_id in np.unique(canvas.ids[canvas.ids > 0]):
        region = (canvas.ids == object_id).astype(np.float32)
        soft = cv2.GaussianBlur(region, (0, 0), max(1.0, canvas.unit * rng.uniform(0.006, 0.02)))
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
        red = f32([1.0, rng.uniform(0.72, 1.0), rng.uniform(0.75, 1.05)]) * np.float32(rng.uniform(0.85, 1.2))
        amount = (soft * np.float32(rng.uniform(0.25, 1.0)))[..., None]
        skin.albedo[:] = skin.albedo + (np.clip(surface.albedo * red, 0, 1) - skin.albedo) * amount
        skin.relief[:] = skin.relief + (surface.relief - skin.relief) * soft
        skin.gloss[:] = np.maximum(skin.gloss, 0.8 * soft)
