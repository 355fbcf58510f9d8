"""A synthetic surgical scene: everything drawn once from its seed, then rendered frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from sam2s.masklets.catalogue import ObjectInfo
from sam2s.masklets.vocabulary import kind_of
from sam2s.synthetic.camera import plan_camera
from sam2s.synthetic.curves import Window, plan_absences
from sam2s.synthetic.designs import make_design
from sam2s.synthetic.effects import (
    add_drops,
    add_haze,
    blur,
    develop,
    illuminate,
    make_disturbances,
    withdraw,
)
from sam2s.synthetic.lens import make_lens
from sam2s.synthetic.noise import Rng
from sam2s.synthetic.procedures import Procedure, find_procedure
from sam2s.synthetic.scenery import paint_scenery
from sam2s.synthetic.spec import SceneSpec
from sam2s.synthetic.sprites import SurfaceLook
from sam2s.synthetic.tissue import Tissue, cast_shadows, make_tissue
from sam2s.synthetic.tools import Pose, Tool, ToolPlan, make_tool
from sam2s.synthetic.world import random_grade

CANVAS = 1.9
"""Canvas sides over view sides."""


class SurgicalScene:
    """One video, ready to render. The same spec gives the same pixels, whatever was rendered
    before.

    ``objects``: {id: ObjectInfo}, ids from 1, tissue first; ``absences``: {id: planned windows of
    frames without it} (occlusion may hide an object at other times too).

    Masks are what is visible: whatever is drawn above an object, opaque blood and the rim of the
    view are cut out of it, so masks never overlap. A pixel belongs to the thing that covers more
    than half of it. Smoke, fog, shadows, highlights and blur do not change masks (see ``effects``).
    """

    def __init__(self, spec: SceneSpec) -> None:
        self.spec = spec
        procedure = find_procedure(spec.procedure)
        streams = [np.random.default_rng([spec.seed, i]) for i in range(6)]
        canvas_shape = (int(CANVAS * spec.size[0]), int(CANVAS * spec.size[1]))
        grade = random_grade(streams[0])
        world, names = paint_scenery(
            streams[0], procedure, canvas_shape, float(min(spec.size)), grade
        )
        self._camera, aways = plan_camera(streams[1], world, tuple(names), spec)
        self._tissue: Tissue = make_tissue(streams[2], world, spec)
        look = SurfaceLook(
            _lamp_direction(streams[3]),
            float(streams[3].choice([0.0, streams[3].uniform(0.0, 0.6)])),  # half stay clean
            _tint(world.colour),
            grade.exposure * 0.9,
        )
        segments = self._camera.segment(spec.frames) + 1
        self._tools = _make_tools(
            streams[3], spec, procedure, _screens(world.ids, names), segments, look
        )
        self._lens = make_lens(streams[4], spec, procedure)
        self._disturbances = make_disturbances(streams[5], spec, procedure)
        classes = {**names, **{tool.object_id: tool.plan.class_name for tool in self._tools}}
        self.objects: Mapping[int, ObjectInfo] = {
            i: ObjectInfo(n, kind_of(n)) for i, n in classes.items()
        }
        self.absences: dict[int, tuple[Window, ...]] = {
            **aways,
            **{tool.object_id: tool.plan.absences for tool in self._tools},
        }

    def render(self) -> Iterator[tuple[np.ndarray, dict[int, np.ndarray]]]:
        """All frames in order: ((H, W, 3) uint8 RGB, {id: (H, W) bool}); every object is in every
        dict."""
        for t in range(self.spec.frames):
            yield self.frame(t)

    def frame(self, t: int) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """Frame ``t`` alone, equal to what ``render`` gives for it."""
        pose, before = self._camera.pose(t), self._camera.pose(max(t - 1, 0))
        segment = self._camera.segment(t)
        poses = self._poses(t)
        matrix = self._camera.matrix(pose)
        image, owner = self._tissue.look(t, matrix, [(p.tip, tool.object_id) for tool, p in poses])
        image = cast_shadows(
            image, [tool.outline(p) for tool, p in poses], [p.unit for _, p in poses]
        )
        for tool, p in poses:
            tool.draw(image, owner, p)
        moved = (before[:2] - pose[:2]) * pose[2]
        image, hidden = self._expose(
            image, t, moved if self._camera.segment(max(t - 1, 0)) == segment else np.zeros(2)
        )
        if hidden:
            owner[:] = 0
        elif self._lens.rim is not None:
            owner[~self._lens.rim] = 0
        return image, {i: owner == i for i in self.objects}

    def tips(self, t: int) -> dict[int, np.ndarray]:
        """{id: (2,) (x, y) px} of the tips of the tools that are not away on frame ``t``, between
        their jaws; in view, hidden or outside the picture."""
        return {tool.object_id: pose.tip for tool, pose in self._poses(t)}

    def camera_step(self, t: int) -> np.ndarray | None:
        """Affine (2, 3) from places of the ground on frame ``t - 1`` to its places on ``t``, px,
        without what tissue does by itself; None on the first frame and across a cut."""
        if t == 0 or self._camera.segment(t) != self._camera.segment(t - 1):
            return None
        before, now = (
            np.vstack([self._camera.matrix(self._camera.pose(i)), (0, 0, 1)]) for i in (t - 1, t)
        )
        return (np.linalg.inv(now) @ before)[:2]

    def _poses(self, t: int) -> list[tuple[Tool, Pose]]:
        """The tools that are not away, from the one behind to the one in front."""
        zoom, segment = self._camera.pose(t)[2], self._camera.segment(t)
        shake = -self._camera.wobble(t)[:2] * 0.6 * min(self.spec.size) * zoom
        placed = ((tool, tool.pose(t, segment, shake)) for tool in self._tools)
        return [(tool, pose) for tool, pose in placed if pose is not None]

    def _expose(self, image: np.ndarray, t: int, motion: np.ndarray) -> tuple[np.ndarray, bool]:
        """What the camera makes of the scene, and whether it is away and shows nothing of it."""
        image = illuminate(image, self._lens, self._disturbances, t)
        image = blur(image, self._lens, self._disturbances, t, motion)
        image = add_haze(image, self._lens, self._disturbances, t)
        image = add_drops(image, self._lens, self._disturbances, t)
        image, hidden = withdraw(image, self._lens, self._disturbances, t)
        return develop(image, self._lens, np.random.default_rng([self.spec.seed, 6, t])), hidden


def _make_tools(
    rng: Rng,
    spec: SceneSpec,
    procedure: Procedure,
    screens: dict[int, bool],
    segments: int,
    look: SurfaceLook,
) -> tuple[Tool, ...]:
    """The instruments of a scene, with look-alikes: several of one make.

    ``screens``: the ids in use, and whether a tool may reach behind that tissue.
    """
    fewest, most = spec.tools or procedure.tools
    count = int(rng.integers(fewest, most + 1))
    classes = [str(c) for c in rng.choice(procedure.instruments, count)]
    designs = [make_design(c, rng) for c in classes]
    if count >= 2 and rng.random() < spec.lookalikes:
        twins = int(rng.integers(2, min(count, 3) + 1))
        classes[:twins], designs[:twins] = [classes[0]] * twins, [designs[0]] * twins
    order = rng.permutation(count)
    tools = []
    for offset, index in enumerate(order):
        absences = plan_absences(rng, spec.frames, spec.absence, spec.absences, open_ends=0.15)
        behind = [i for i, may in screens.items() if may and rng.random() < 0.1]
        plan = ToolPlan(
            max(screens, default=0) + 1 + offset, classes[index], absences, segments, tuple(behind)
        )
        tools.append(make_tool(rng, spec, designs[index], plan, look))
    return tuple(tools)


def _screens(ids: np.ndarray, names: Mapping[int, str]) -> dict[int, bool]:
    """Small and middling tissue objects can stand before a tool; behind a large one it would be
    lost for good."""
    return {i: 0.002 < float((ids == i).mean()) < 0.06 for i in names}


def _lamp_direction(rng: Rng) -> np.ndarray:
    """Unit vector to the lamp in the view's frame: towards the viewer and above, a little aside."""
    light = np.array([rng.normal(0, 0.2), -abs(rng.normal(0.35, 0.15)), 0.9])
    return light / np.linalg.norm(light)


def _tint(colour: np.ndarray) -> np.ndarray:
    """The scene's colour as polished metal mirrors it."""
    mean = colour[::8, ::8].reshape(-1, 3).mean(0).astype(np.float64)
    return 0.35 + 0.65 * mean / max(mean.max(), 1.0)
