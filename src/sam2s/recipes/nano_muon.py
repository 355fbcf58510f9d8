"""The whole of the packaged ``nano``: the seven parts that a CPU trained (`sam2s.recipes.nano`), an
eighth in batches that a GPU carries (`sam2s.recipes.nano_broad`), and two more on a CPU, by Muon,
which learns more from a step than AdamW does (``docs/log.md``).

**pairs** and **clips**: the data of part ``broad`` in small steps.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.recipes.nano import parts_on_a_cpu
from sam2s.recipes.nano_broad import broad
from sam2s.recipes.nano_stages import CORRECTING, CROWD_LOSS, CROWDED, FULL, LEAVING, consecutive
from sam2s.train.config import Clips, Schedule, Stage, Teaching, TrainConfig

SEEN: dict[str, Any] = {
    "size": FULL,
    "stills": 0.35,
    "still": LEAVING,
    "blended": True,
    "augment": CROWDED,
}
TAUGHT = Teaching(user=CORRECTING, loss=CROWD_LOSS)


def nano() -> tuple[TrainConfig, ...]:
    """All parts, in order; each goes on from what the one before left."""
    return *parts_on_a_cpu(), broad(), pairs(), clips()


def pairs() -> TrainConfig:
    """Far-apart views."""
    stage = Stage(
        name="pairs",
        schedule=Schedule(steps=750, lr=5e-4, lr_end=2e-4, warmup=15),
        clips=Clips(batch=8, accumulate=2, sampler=consecutive(2, 2, 24, 0.001, 0.4), **SEEN),
        teaching=TAUGHT,
    )
    return _by_muon("pairs", stage, seed=16)


def clips() -> TrainConfig:
    """Whole clips, a part of them DiveMem's."""
    stage = Stage(
        name="whole clips",
        schedule=Schedule(steps=400, lr=2e-4, lr_end=2e-6),
        clips=Clips(
            batch=4,
            accumulate=2,
            sampler=replace(consecutive(6, 2, 8, 0.001, 0.8), gone=0.4),
            diverse=0.4,
            diverse_sampler=DiverseSampler(max_objects=2, max_stride=3, min_area=0.001),
            **SEEN,
        ),
        teaching=TAUGHT,
    )
    return _by_muon("clips", stage, seed=17)


def _by_muon(name: str, stage: Stage, seed: int) -> TrainConfig:
    """A part of one ``stage`` on the data of part ``broad``."""
    before = broad()
    return replace(
        before,
        name=name,
        stages=(stage,),
        optim=replace(before.optim, kind="muon"),
        run=replace(before.run, keep_gb=2.0),
        seed=seed,
    )
