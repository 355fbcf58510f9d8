"""The order for a scene: everything that is not in it follows from its seed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sam2s.errors import InputError
from sam2s.synthetic.procedures import TRAINING, find_procedure

MAX_SIDE = 4096


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """One synthetic video.

    ``size``: (H, W) in pixels; ``fps``: frames per second that motion is timed for; ``absence``:
    shortest and longest planned absence of an object in frames (clipped to what the length allows);
    ``absences``: how many each object has on average; ``lookalikes``: chance that several
    instruments share one class; ``motion``, ``effects``: strength of camera and tool motion, and
    how often smoke, blood, fog, blur and light changes come (1 = usual, 0 = none); ``cuts``: camera
    jumps per 100 frames on average; ``tools``: fewest and most instruments, None = the procedure's.
    """

    seed: int
    procedure: str
    frames: int = 150
    size: tuple[int, int] = (256, 256)
    fps: float = 25.0
    absence: tuple[int, int] = (5, 300)
    absences: float = 1.0
    lookalikes: float = 0.6
    motion: float = 1.0
    effects: float = 1.0
    cuts: float = 0.4
    tools: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        find_procedure(self.procedure)
        if self.seed < 0:
            raise InputError(f"synthetic scene: seed must be 0 or more, got {self.seed}")
        if self.frames < 1:
            raise InputError(f"synthetic scene: frames must be 1 or more, got {self.frames}")
        if len(self.size) != 2 or min(self.size) < 64 or max(self.size) > MAX_SIDE:
            raise InputError(
                f"synthetic scene: size must be (height, width) from 64 to {MAX_SIDE}, got"
                f" {self.size}"
            )
        if not 1 <= self.absence[0] <= self.absence[1]:
            raise InputError(
                "synthetic scene: absence must be (shortest, longest) from 1 frame, got"
                f" {self.absence}"
            )
        if not self.fps > 0:
            raise InputError(f"synthetic scene: fps must be above 0, got {self.fps}")
        if min(self.absences, self.lookalikes, self.motion, self.effects, self.cuts) < 0:
            raise InputError(
                "synthetic scene: absences, lookalikes, motion, effects and cuts must be 0 or more"
            )
        if self.tools is not None and not 0 <= self.tools[0] <= self.tools[1] <= 8:
            raise InputError(
                f"synthetic scene: tools must be (fewest, most) between 0 and 8, got {self.tools}"
            )


def long_term_spec(
    seed: int, procedure: str | None = None, size: tuple[int, int] = (256, 256)
) -> SceneSpec:
    """A scene of the long-term suite: 600 frames, look-alikes, two absences per object of up to 300
    frames."""
    return replace(
        random_spec(seed, procedure, 600, size), absence=(5, 300), absences=2.0, lookalikes=1.0
    )


def twins_spec(
    seed: int, procedure: str, frames: int = 150, size: tuple[int, int] = (256, 256)
) -> SceneSpec:
    """A scene with two or more instruments of one make, so that looks alone do not tell which one
    is meant."""
    return replace(random_spec(seed, procedure, frames, size), lookalikes=1.0, tools=(2, 4))


def random_spec(
    seed: int, procedure: str | None = None, frames: int = 150, size: tuple[int, int] = (256, 256)
) -> SceneSpec:
    """A scene with difficulty drawn from ``seed``; without ``procedure`` any but the held-out
    one."""
    rng = np.random.default_rng([seed, 0x5EC])
    name = str(rng.choice(TRAINING)) if procedure is None else procedure
    return SceneSpec(
        seed=seed,
        procedure=name,
        frames=frames,
        size=size,
        absences=float(rng.uniform(0.4, 1.6)),
        motion=float(rng.uniform(0.5, 1.5)),
        effects=float(rng.uniform(0.3, 1.5)),
        cuts=float(rng.choice([0.0, 0.3, 0.8])),
    )
