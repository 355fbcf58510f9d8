"""The inside of a tube as geometry: a folded wall, polyps grown on it, and rays marched until they
meet either.

Lengths are in tube radii; z runs along the tube. Points are (N, 3) float32, results (N,) float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic.noise import Rng, f32, fbm

NEAR, FAR = -2.0, 9.0
"""The stretch of the tube that exists, along its axis."""
HALF_VIEW = 1.35
"""Tangent of half the canvas' angle of view."""
STEPS = 36
"""Steps of every ray."""
GRAZING = 40
"""Further steps for the rays that pass close to an edge."""
CAUTION, LONGEST_STEP = 0.55, 0.35
"""Part of the stated distance that a ray advances, and the most: the distance to a folded wall is
only about right, and a full step would jump through folds."""
TOUCHING = 0.004
"""Distance at which a ray has arrived."""
WALL_SIZE = (640, 256)
"""Samples of the wall along and around the tube."""
FIRST_FOLD = -1.7
"""Behind the lens, so that the view may be cut by the fold it has passed."""
FOLD_DEPTH, FOLD_SPACING, FOLD_WIDTH = (0.12, 0.38), (0.35, 1.1), (0.07, 0.16)
NARROWEST = 0.25
"""Least radius of the wall."""
CORNERS = (0, 2, 3)
"""A round, a slit-like or a three-cornered lumen, as the transverse colon has."""
OFF_AXIS, MOST_OFF_AXIS = 0.6, 1.15
"""Standard deviation and most of the angle between the view and the tube, radians."""
OFF_MIDDLE = 0.22
"""Standard deviation of the lens' place from the middle line, in x and in y."""
CLEARANCE = 0.25
"""Least distance between lens and wall."""


@dataclass(frozen=True, slots=True, eq=False)
class Polyp:
    """An ellipsoid grown on the wall: ``centre`` (3,), ``axes`` (3, 3) unit rows, ``radii`` (3,)
    along them."""

    centre: np.ndarray
    axes: np.ndarray
    radii: np.ndarray
    blend: float

    def distance(self, at: np.ndarray) -> np.ndarray:
        """About the distance to the surface, (N,), of points ``at`` (N, 3)."""
        local = (at - f32(self.centre)) @ f32(self.axes.T / self.radii)
        return (np.sqrt((local * local).sum(1)) - 1) * np.float32(self.radii.min())


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """``wall`` (rows along the axis, columns around it) float32: the radius, folds included;
    ``bend``: amplitude, rate and phase of the middle line in x and y."""

    wall: np.ndarray
    bend: np.ndarray
    polyps: tuple[Polyp, ...] = ()

    def middle(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y of the middle line at ``z``."""
        (ax, rx, px), (ay, ry, py) = self.bend
        return f32(ax * (np.sin(rx * z + px) - np.sin(px))), f32(
            ay * (np.sin(ry * z + py) - np.sin(py))
        )

    def around(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(distance from the middle line, angle around it) of points (N, 3)."""
        mx, my = self.middle(at[:, 2])
        dx, dy = at[:, 0] - mx, at[:, 1] - my
        radius, angle = cv2.cartToPolar(dx, dy)
        return radius.reshape(-1), angle.reshape(-1)

    def distance(self, at: np.ndarray) -> np.ndarray:
        """About the distance to wall or polyp, whichever is nearer, (N,); polyps flow into the
        wall."""
        whole = self.wall_distance(at)
        for polyp in self.polyps:
            grown, blend = polyp.distance(at), np.float32(polyp.blend)
            mix = np.clip(0.5 + 0.5 * (whole - grown) / blend, 0, 1)
            whole = whole + (grown - whole) * mix - blend * mix * (1 - mix)
        return whole

    def wall_distance(self, at: np.ndarray) -> np.ndarray:
        """The distance to the bare wall, (N,)."""
        radius, angle = self.around(at)
        return lookup(self.wall, angle, at[:, 2]) - radius


def lookup(table: np.ndarray, angle: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Sample a table over (z, angle) at N points; it repeats around the tube."""
    rows, columns = table.shape[:2]
    x = angle * np.float32((columns - 1) / (2 * np.pi))
    y = (z - np.float32(NEAR)) * np.float32((rows - 1) / (FAR - NEAR))
    # remap takes pictures of at most 32,767 pixels a side, so the points are laid out in rows.
    n = len(x)
    width = 4096
    pad = -n % width
    grid = [np.pad(v, (0, pad)).reshape(-1, width) for v in (f32(x), f32(y))]
    found = cv2.remap(table, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, *table.shape[2:])[:n]


def random_wall(rng: Rng) -> np.ndarray:
    """Radius over (z, angle): haustra between folds that reach in as ridges, round or
    three-cornered."""
    rows, columns = WALL_SIZE
    z = np.linspace(NEAR, FAR, rows, dtype=np.float32)[:, None]
    angle = np.linspace(0, 2 * np.pi, columns, dtype=np.float32)[None, :]
    wall = np.ones((rows, columns), np.float32)
    corners, place, depth = rng.choice(CORNERS), FIRST_FOLD, rng.uniform(*FOLD_DEPTH)
    while place < FAR:
        reach = depth * rng.uniform(0.5, 1.3)
        lobes = 0.7 + 0.3 * np.cos(corners * angle + rng.normal(0, 0.5)) if corners else 1.0
        half = np.clip(
            0.35 + np.cos(angle - rng.uniform(0, 2 * np.pi)) * rng.uniform(0.2, 0.9), 0, 1
        )
        skew = 0.18 * np.sin(angle + rng.uniform(0, 6)) + 0.08 * np.sin(
            2 * angle + rng.uniform(0, 6)
        )
        wall -= (
            reach * lobes * half * np.exp(-(((z - place - skew) / rng.uniform(*FOLD_WIDTH)) ** 2))
        )
        place += rng.uniform(*FOLD_SPACING) * (1 + max(place, 0) * 0.1)
    wall += periodic(rng, (rows, columns), 60, 3) * np.float32(rng.uniform(0.01, 0.05))
    return np.maximum(wall * (1 + 0.10 * np.cos(angle * 2 + rng.uniform(0, 6))), NARROWEST).astype(
        np.float32
    )


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


def aim_camera(rng: Rng, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Unit rays (N, 3) in tube coordinates and the camera's place (3,)."""
    h, w = shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    scale = 2 * HALF_VIEW / min(h, w)
    rays = np.stack([(x - w / 2) * scale, (y - h / 2) * scale, np.ones_like(x)], -1).reshape(-1, 3)
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    polar, turn = abs(rng.normal(0, OFF_AXIS)), rng.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(turn), np.sin(turn), 0]) * min(polar, MOST_OFF_AXIS)
    rotation, _ = cv2.Rodrigues(axis)
    spin, _ = cv2.Rodrigues(np.array([0, 0, rng.uniform(0, 2 * np.pi)]))
    place = np.array([rng.normal(0, OFF_MIDDLE), rng.normal(0, OFF_MIDDLE), 0.0])
    return rays @ f32(rotation @ spin).T, f32(place)


def step_inside(tube: Tube, origin: np.ndarray) -> np.ndarray:
    """The camera's place, drawn towards the middle line until the wall is not too near."""
    for shrink in (1.0, 0.6, 0.3, 0.0):
        place = origin * f32([shrink, shrink, 1])
        if tube.distance(place[None])[0] > CLEARANCE:
            return place
    return place


def march(tube: Tube, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """How far each ray goes until it meets the wall, (N,)."""
    travel = np.full(len(rays), 0.02, np.float32)
    for _ in range(STEPS):
        ahead = tube.distance(origin + rays * travel[:, None])
        travel += np.clip(CAUTION * ahead, -0.1, LONGEST_STEP)
    slow = np.arange(len(rays))
    for _ in range(GRAZING):
        ahead = tube.distance(origin + rays[slow] * travel[slow, None])
        travel[slow] += 0.7 * ahead
        slow = slow[ahead > TOUCHING]
        if len(slow) == 0:
            break
    return np.clip(travel, 0.03, FAR)


def surface_normals(tube: Tube, at: np.ndarray) -> np.ndarray:
    """Unit normals (N, 3) that point into the tube."""
    step = np.float32(0.012)
    here = tube.distance(at)
    slopes = []
    for axis in np.eye(3, dtype=np.float32):
        slopes.append(tube.distance(at + step * axis) - here)
    normal = np.stack(slopes, 1)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
