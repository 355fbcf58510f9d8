"""Where the endoscope looks: drift, glides, zoom, roll, cuts, and looking away so that a tissue
object leaves the view.

A pose is (x, y, zoom, roll): the view's centre in canvas pixels, magnification, radians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.synthetic.curves import Wave, Window, ease, plan_absences, wave
from sam2s.synthetic.noise import Rng
from sam2s.synthetic.spec import SceneSpec
from sam2s.synthetic.world import World

ZOOM = (0.78, 1.55)
"""From the whole canvas in view to a close look; drift may bring it to `CLOSEST`."""
CLOSEST = 2.2
DRIFT = (0.07, 0.07, 0.06, 0.06)
"""Usual drift of x and y (units), log zoom and roll (radians), as of a hand-held scope."""
ROLL = 0.3
"""Standard deviation of the roll, radians."""
CALM = 0.15
"""Of the drift while looking away: else the object might drift back into view."""
SUDDEN = 0.35
"""Share of the looks away that are cuts; the others are glides."""
PACE, GLIDE = (6, 16), (15, 60)
"""Frames of a glide away and back, and of one between homes."""
GLIDES = 0.9
"""Glides per 100 frames."""
HOMES, HOME_DRAWS = 3, 8
"""Poses that the camera comes back to, and how many are drawn for each to choose from."""
APART = 30
"""Frames between two looks away."""
EDGE = 0.02
"""Margin, in shares of the view's shorter side, that deformation may pull in from the border."""
LOOK_AWAY_MARGIN = 0.09
"""How far outside the view, in units, an object must lie for the camera to be looking away from
it."""


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """From frame ``start`` to ``stop`` the camera goes to ``pose`` (a cut when they are equal) and
    ``calm`` scales its drift there."""

    start: int
    stop: int
    pose: np.ndarray
    calm: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """``keys`` in order, the first at frame 0; ``drift``: waves of x, y (units), log zoom and
    roll."""

    keys: tuple[Key, ...]
    drift: tuple[Wave, ...]
    shape: tuple[int, int]
    size: tuple[int, int]
    unit: float

    def pose(self, t: int) -> np.ndarray:
        """(4,) float64 at frame ``t``."""
        pose, calm = self.keys[0].pose, self.keys[0].calm
        for key in self.keys[1:]:
            if t < key.start:
                break
            u = 1.0 if key.stop <= key.start else ease((t - key.start + 1) / (key.stop - key.start))
            pose, calm = pose + (key.pose - pose) * u, calm + (key.calm - calm) * u
        drifted = pose + self.wobble(t) * calm * (self.unit, self.unit, 1, 1)
        return clamp_pose(drifted, self.shape, self.size)

    def wobble(self, t: int) -> np.ndarray:
        """The drift alone: x and y in units, zoom, roll."""
        return np.array([w(t) for w in self.drift])

    def segment(self, t: int) -> int:
        """How many cuts came before or at ``t``."""
        return sum(1 for key in self.keys[1:] if key.stop <= key.start <= t)

    def matrix(self, pose: np.ndarray) -> np.ndarray:
        """Affine (2, 3) from view pixels to canvas pixels."""
        return view_matrix(pose, self.size)


def view_matrix(pose: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Affine (2, 3) from view pixels of a view of ``size`` (H, W) to canvas pixels."""
    x, y, zoom, roll = pose
    c, s = np.cos(roll) / zoom, np.sin(roll) / zoom
    linear = np.array([[c, -s], [s, c]])
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    return np.hstack([linear, (np.array([x, y]) - linear @ centre)[:, None]])


def clamp_pose(pose: np.ndarray, shape: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """The nearest pose whose view lies on the canvas with a small margin for deformation."""
    x, y, zoom, roll = pose
    zoom = min(max(zoom, ZOOM[0]), CLOSEST)
    c, s = abs(np.cos(roll)), abs(np.sin(roll))
    margin = EDGE * min(size)
    half = np.array([c * size[1] + s * size[0], s * size[1] + c * size[0]]) / (2 * zoom) + margin
    low, high = half, np.array([shape[1], shape[0]]) - half
    middle = np.array([shape[1], shape[0]]) / 2
    centre = np.where(low < high, np.clip((x, y), low, np.maximum(low, high)), middle)
    return np.array([*centre, zoom, roll])


def share_in_view(
    world: World, object_id: int, pose: np.ndarray, size: tuple[int, int], margin: float = 0.0
) -> float:
    """The part of an object's pixels that the pose shows; ``margin`` in units widens the view."""
    ys, xs = np.nonzero(world.ids[::4, ::4] == object_id)
    if len(xs) == 0:
        return 0.0
    matrix = view_matrix(pose, size)
    inverse = np.linalg.inv(matrix[:, :2])
    at = inverse @ (np.stack([xs, ys]) * 4.0 - matrix[:, 2:])
    room = margin * world.unit * pose[2]
    seen = (at[0] > -room) & (at[0] < size[1] + room) & (at[1] > -room) & (at[1] < size[0] + room)
    return float(seen.mean())


def plan_camera(
    rng: Rng, world: World, objects: tuple[int, ...], spec: SceneSpec
) -> tuple[Camera, dict[int, tuple[Window, ...]]]:
    """A camera path, and for each tissue object the windows in which the camera looks away from
    it."""
    shape, size = (world.ids.shape[0], world.ids.shape[1]), spec.size
    homes = _homes(rng, world, objects, size)
    keys = [Key(0, 0, homes[0])]
    aways: dict[int, tuple[Window, ...]] = dict.fromkeys(objects, ())
    taken: list[Window] = []
    for object_id in objects:
        for window in plan_absences(
            rng, spec.frames, spec.absence, spec.absences / max(len(objects), 1)
        ):
            away = _away(rng, world, object_id, size)
            if away is None or any(
                window[0] < b + APART and a < window[1] + APART for a, b in taken
            ):
                continue
            taken.append(window)
            aways[object_id] += (window,)
            keys += _look_away(rng, window, away, homes)
    keys += _moves(rng, spec, homes, taken)
    keys.sort(key=lambda key: key.start)
    amplitudes = np.array(DRIFT) * spec.motion
    drift = tuple(wave(rng, a, 1.5 * spec.fps, 9 * spec.fps, 4) for a in amplitudes)
    return Camera(tuple(keys), drift, shape, size, world.unit), {
        i: tuple(sorted(w)) for i, w in aways.items()
    }


def _look_away(rng: Rng, window: Window, away: np.ndarray, homes: list[np.ndarray]) -> list[Key]:
    start, stop = window
    pace = int(rng.integers(*PACE))
    sudden = rng.random() < SUDDEN
    back = homes[int(rng.integers(len(homes)))]
    leave = (
        Key(start, start, away, CALM) if sudden else Key(max(start - pace, 1), start, away, CALM)
    )
    enter = Key(stop, stop, back) if sudden else Key(stop, stop + pace, back)
    return [leave, enter]


def _moves(rng: Rng, spec: SceneSpec, homes: list[np.ndarray], taken: list[Window]) -> list[Key]:
    """Cuts and glides between homes, outside the windows that are taken."""

    def free(a: int, b: int) -> bool:
        return all(b + 16 < start or stop + 32 < a for start, stop in taken)

    keys = []
    for cut in rng.integers(
        8, max(spec.frames, 9), int(rng.poisson(spec.cuts * spec.frames / 100))
    ):
        if free(int(cut), int(cut)):
            keys.append(Key(int(cut), int(cut), homes[int(rng.integers(len(homes)))]))
    for start in rng.integers(
        5, max(spec.frames, 6), int(rng.poisson(GLIDES * spec.motion * spec.frames / 100))
    ):
        stop = int(start) + int(rng.integers(*GLIDE))
        if free(int(start), stop):
            keys.append(Key(int(start), stop, homes[int(rng.integers(len(homes)))]))
    return keys


def _homes(
    rng: Rng, world: World, objects: tuple[int, ...], size: tuple[int, int]
) -> list[np.ndarray]:
    """Poses that show the tissue objects well: of several drawn, the best."""
    homes = []
    for _ in range(HOMES):
        poses = [_random_pose(rng, world, size) for _ in range(HOME_DRAWS)]
        scores = [
            sum(min(share_in_view(world, i, p, size), 0.8) for i in objects) + rng.uniform(0, 0.2)
            for p in poses
        ]
        homes.append(poses[int(np.argmax(scores))])
    return homes


def _random_pose(rng: Rng, world: World, size: tuple[int, int]) -> np.ndarray:
    h, w = world.ids.shape
    x, y = w * rng.uniform(0.2, 0.8), h * rng.uniform(0.2, 0.8)
    zoom = np.exp(rng.uniform(*np.log(ZOOM)))
    return clamp_pose(np.array([x, y, zoom, rng.normal(0, ROLL)]), (h, w), size)


def _away(rng: Rng, world: World, object_id: int, size: tuple[int, int]) -> np.ndarray | None:
    """A pose from which the object is out of view, or None when it is too large for that."""
    for _ in range(24):
        pose = _random_pose(rng, world, size)
        if share_in_view(world, object_id, pose, size, LOOK_AWAY_MARGIN) == 0:
            return pose
    return None
