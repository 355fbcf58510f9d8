"""Instruments at work: where each one's joints are on a frame, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.synthetic.curves import Wave, Window, stay, wave
from sam2s.synthetic.noise import Rng
from sam2s.synthetic.procedures import find_procedure
from sam2s.synthetic.spec import SceneSpec
from sam2s.synthetic.sprites import Sprite, SurfaceLook, bake, draw, part_matrix
from sam2s.synthetic.tool_parts import SHAFT_LENGTH, Design

AT_WORK = (0.06, 0.94)
"""Where in the view the tip stays, in shares of its sides."""
REACH = (0.12, 0.34)
"""How far the tip roams around its home, in shares of the view's shorter side."""
TRAVEL = (6, 20)
"""Frames in which a tool comes in or goes out."""
CLEAN_SHAFT = 0.5
"""Blood on a shaft against that on the jaws."""
BAKE_MARGIN = 1.05
"""Sprites are baked a little larger than they are usually drawn, and shrunk."""
PIVOT_DISTANCE = (1.0, 2.0)
"""From the middle of the view to the port, in shorter sides of the view."""
SIDES = ((-0.6, 0.9), (np.pi - 0.9, np.pi + 0.6), (0, 2 * np.pi))
"""Angles that tools come in from, radians clockwise from the right: right and below, left and
below, anywhere."""
CLOSED_LOOP, EDGE_ON_LOOP = 0.35, 0.08
"""Length of a closed snare against an open one, and its width."""


@dataclass(frozen=True, slots=True, eq=False)
class ToolMotion:
    """How a tool moves: waves of its target (x, y in units), wrist, opening, roll, foreshortening
    and size."""

    x: Wave
    y: Wave
    wrist: Wave
    opening: Wave
    roll: Wave
    lean: Wave
    size: Wave


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """Where a tool works from between two cuts: ``pivot`` outside the view and ``home`` inside it,
    (x, y) pixels."""

    pivot: np.ndarray
    home: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A tool on one frame, in view pixels: joints (x, y), angles, ``unit`` px a tool unit,
    ``opening`` in [0, 1]."""

    shaft_end: np.ndarray
    jaw_joint: np.ndarray
    tip: np.ndarray
    shaft_angle: float
    jaw_angle: float
    opening: float
    across: float
    along: float
    unit: float


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """Which tool this is: id, class, when it is away, ``segments`` between cuts, tissue ids it
    reaches behind."""

    object_id: int
    class_name: str
    absences: tuple[Window, ...]
    segments: int
    behind: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """One instrument of a scene. ``placements``: one for each stretch between cuts;
    ``diameter``: of the shaft, in pixels."""

    plan: ToolPlan
    design: Design
    shaft: Sprite
    wrist: Sprite | None
    jaws: tuple[Sprite, ...]
    motion: ToolMotion
    placements: tuple[Placement, ...]
    ramp: int
    diameter: float
    size: tuple[int, int]

    @property
    def object_id(self) -> int:
        """Its id in the masks of the video."""
        return self.plan.object_id

    def pose(self, t: int, segment: int, shake: np.ndarray) -> Pose | None:
        """Where it is on frame ``t``, None when it is out; ``shake`` (2,): pixels that the camera
        moves it by."""
        inside = stay(t, self.plan.absences, self.ramp)
        if inside <= 0:
            return None
        placement, motion = self.placements[min(segment, len(self.placements) - 1)], self.motion
        short = min(self.size)
        unit = self.diameter * (1 + motion.size(t))
        tip = placement.home + short * np.array([motion.x(t), motion.y(t)]) + shake
        tip = np.clip(
            tip,
            (AT_WORK[0] * self.size[1], AT_WORK[0] * self.size[0]),
            (AT_WORK[1] * self.size[1], AT_WORK[1] * self.size[0]),
        )
        shaft_angle = float(np.arctan2(*(tip - placement.pivot)[::-1]))
        jaw_angle = shaft_angle + self.design.bend * motion.wrist(t)
        lean = 1 - abs(motion.lean(t))
        reach = unit * lean * np.array([self.design.wrist_length, self.design.reach])
        end = tip - reach.sum() * _direction(jaw_angle)
        back = (1 - inside) * _distance_out(end, shaft_angle, self.size, reach.sum() + 0.8 * unit)
        end = end - back * _direction(shaft_angle)
        joint = end + reach[0] * _direction(jaw_angle)
        roll = motion.roll(t)
        return Pose(
            shaft_end=end,
            jaw_joint=joint,
            tip=joint + reach[1] * _direction(jaw_angle),
            shaft_angle=shaft_angle,
            jaw_angle=jaw_angle,
            opening=float(np.clip(0.5 + motion.opening(t), 0, 1)),
            across=float(np.cos(roll)),
            along=lean,
            unit=unit,
        )

    def draw(self, image: np.ndarray, owner: np.ndarray, pose: Pose) -> None:
        """Blend the tool into ``image`` and claim its pixels in ``owner``, both in place; what it
        is behind stays."""
        if not self.plan.behind:
            self._draw_parts(image, owner, pose)
            return
        front = np.isin(owner, self.plan.behind)
        kept, owners = image[front], owner[front]
        self._draw_parts(image, owner, pose)
        image[front], owner[front] = kept, owners

    def _draw_parts(self, image: np.ndarray, owner: np.ndarray, pose: Pose) -> None:
        matrix = part_matrix(self.shaft, pose.shaft_end, pose.shaft_angle, pose.unit)
        draw(image, owner, self.shaft, matrix, self.object_id)
        for index, jaw in enumerate(self.jaws):
            side = (0.0 if len(self.jaws) == 1 else 1.0) * (1 - 2 * index)
            angle = pose.jaw_angle + side * self.design.opening * pose.opening * pose.across
            stretch = (pose.along, pose.across)
            if self.design.loop:
                stretch = (
                    CLOSED_LOOP + (1 - CLOSED_LOOP) * pose.opening,
                    pose.across * (EDGE_ON_LOOP + (1 - EDGE_ON_LOOP) * pose.opening),
                )
            draw(
                image,
                owner,
                jaw,
                part_matrix(jaw, pose.jaw_joint, angle, pose.unit, stretch),
                self.object_id,
            )
        if self.wrist is not None:
            matrix = part_matrix(
                self.wrist, pose.shaft_end, pose.jaw_angle, pose.unit, (pose.along, 1.0)
            )
            draw(image, owner, self.wrist, matrix, self.object_id)

    def outline(self, pose: Pose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The bent line of the tool for its shadow: far end of the shaft, jaw joint, tip."""
        far = pose.shaft_end - SHAFT_LENGTH * pose.unit * _direction(pose.shaft_angle)
        return far, pose.shaft_end, pose.tip


def _direction(angle: float) -> np.ndarray:
    return np.array([np.cos(angle), np.sin(angle)])


def _distance_out(point: np.ndarray, angle: float, size: tuple[int, int], room: float) -> float:
    """How far ``point`` must go backwards along ``angle`` to be ``room`` pixels outside the
    view."""
    back = -_direction(angle)
    ways = []
    for position, pace, length in zip(point, back, (size[1], size[0]), strict=True):
        if abs(pace) > 1e-6:
            ways.append(((length + room if pace > 0 else -room) - position) / pace)
    return max(0.0, min(ways))


def make_tool(
    rng: Rng,
    spec: SceneSpec,
    design: Design,
    plan: ToolPlan,
    look: SurfaceLook,
) -> Tool:
    """Bake a tool's sprites and draw its way of moving. ``look.light`` is in the view's frame."""
    short = min(spec.size)
    usual = float(np.exp(rng.uniform(*np.log(design.width))))
    diameter = short * find_procedure(spec.procedure).thickness * usual
    placements = _draw_placements(rng, spec.size, plan.segments)
    angle = float(np.arctan2(*(placements[0].home - placements[0].pivot)[::-1]))
    c, s = np.cos(angle), np.sin(angle)
    light = np.array(
        [
            c * look.light[0] + s * look.light[1],
            -s * look.light[0] + c * look.light[1],
            look.light[2],
        ]
    )
    worn = SurfaceLook(light, look.blood, look.tint, look.exposure)
    scale = diameter * BAKE_MARGIN
    clean = SurfaceLook(light, look.blood * CLEAN_SHAFT, look.tint, look.exposure)
    return Tool(
        plan,
        design,
        bake(rng, design.shaft, scale, clean),
        None if design.wrist is None else bake(rng, design.wrist, scale, worn),
        tuple(bake(rng, part, scale, worn) for part in design.jaws),
        _draw_motion(rng, spec),
        placements,
        int(rng.integers(*TRAVEL)),
        diameter,
        spec.size,
    )


def _draw_motion(rng: Rng, spec: SceneSpec) -> ToolMotion:
    """Waves of 1.2 to 8 seconds; jaws open and close faster. Wrist and opening are shares of what
    the design allows, roll is in radians."""
    fast, slow = 1.2 * spec.fps, 8 * spec.fps
    reach = rng.uniform(*REACH) * spec.motion
    return ToolMotion(
        x=wave(rng, reach, fast, slow, 4),
        y=wave(rng, reach, fast, slow, 4),
        wrist=wave(rng, 1.0, fast, slow),
        opening=wave(rng, 0.9, 0.8 * spec.fps, 4 * spec.fps),
        roll=wave(rng, 1.1, fast, slow),
        lean=wave(rng, 0.35, fast, slow),
        size=wave(rng, 0.18 * spec.motion, 2 * spec.fps, slow),
    )


def _draw_placements(rng: Rng, size: tuple[int, int], segments: int) -> tuple[Placement, ...]:
    """Tools come in from the sides and from below more often than from above, and stay on their
    side after a cut."""
    h, w = size
    middle, short = np.array([w / 2, h / 2]), min(size)
    side = rng.choice([rng.uniform(*angles) for angles in SIDES])
    placements = []
    for _ in range(segments):
        angle = side + rng.normal(0, 0.25)
        pivot = middle + _direction(angle) * short * rng.uniform(*PIVOT_DISTANCE)
        home = (
            middle
            + short * np.array([rng.normal(0, 0.17), rng.normal(0, 0.15)])
            + 0.1 * short * _direction(angle)
        )
        placements.append(Placement(pivot, home))
    return tuple(placements)
