"""The whole of the packaged ``nano``, and its eleventh and twelfth part, with gentle changes of
colour and geometry.

Under the strong ones of the parts before, pictures were seldom as they are, and three clicks did
not outline even what the model had been taught on (``docs/log.md``).

**pictures**: single frames of everything, three clicks each, many small steps. **moving**: whole
clips.
"""

from __future__ import annotations

from dataclasses import replace

from sam2s.clips.doubles import DoubleConfig
from sam2s.recipes.nano import parts_on_a_cpu
from sam2s.recipes.nano_broad import WEIGHTS, broad
from sam2s.recipes.nano_muon import by_muon, clips, pairs
from sam2s.recipes.nano_stages import (
    AUGMENT,
    CROWD_LOSS,
    CROWDED,
    FULL,
    consecutive,
)
from sam2s.train.config import Clips, Schedule, Stage, Teaching, TrainConfig
from sam2s.train.unroll import UserConfig

PICTURE_WEIGHTS = {"real": 25.0, "davis": 10.0, "pumavos": 10.0, "bedroom": 10.0, "polypgen": 0.18}
"""Of a video of each folder in part ``pictures``, beside 1 for a synthetic one."""
MOVING_WEIGHTS = {**WEIGHTS, "real": 20.0}
"""The same in part ``moving``."""

GENTLE = replace(AUGMENT, degrees=15.0, scale=(0.9, 1.4))
CLICKED = UserConfig(mask=0.0, box=0.2, prompted=1, corrected=1, clicks=3, correct=1.0, centred=0.6)


def nano() -> tuple[TrainConfig, ...]:
    """All parts, in order; each goes on from what the one before left: seven that a CPU trained, an
    eighth in batches that a GPU carries, and four more on a CPU, by Muon."""
    return *parts_on_a_cpu(), broad(), pairs(), clips(), pictures(), moving()


def pictures() -> TrainConfig:
    """Part 11: single frames (40 minutes of one core, bf16)."""
    stage = Stage(
        name="pictures",
        schedule=Schedule(steps=1300, lr=1e-3, lr_end=2e-4, warmup=20),
        clips=Clips(
            size=FULL,
            batch=8,
            accumulate=2,
            sampler=consecutive(1, 2),
            augment=replace(GENTLE, double=DoubleConfig(share=0.2)),
        ),
        teaching=Teaching(user=CLICKED, loss=CROWD_LOSS),
    )
    return by_muon("pictures", stage, 19, PICTURE_WEIGHTS)


def moving() -> TrainConfig:
    """Part 12: the whole clips of part ``clips`` (56 minutes of two cores, bf16)."""
    (before,) = clips().stages
    stage = replace(
        before,
        schedule=Schedule(steps=900, lr=3e-4, lr_end=3e-6, warmup=20),
        clips=replace(before.clips, augment=replace(GENTLE, double=CROWDED.double)),
    )
    return by_muon("moving", stage, 20, MOVING_WEIGHTS)
