"""What comes after the packaged ``nano``; not in its weights yet.

    sam2s train nano_next --model nano --out runs/next --resume

**pairs** and **clips**: the data of part ``broad`` in small steps that a CPU carries, by Muon,
which learns more from a step than AdamW does (``docs/log.md``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sam2s.clips.diverse_clips import DiverseSampler
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


def nano_next() -> tuple[TrainConfig, ...]:
    """Its parts, in order."""
    return pairs(), clips()


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
    before = broad()
    return replace(
        before,
        name=name,
        stages=(stage,),
        optim=replace(before.optim, kind="muon"),
        run=replace(before.run, keep_gb=2.0),
        seed=seed,
    )
