"""The ninth and tenth part of ``nano``, by Muon, which learns more from a step than AdamW does
(``docs/log.md``).

**pairs** and **clips**: the data of part ``broad`` in small steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.recipes.nano_broad import WEIGHTS, broad
from sam2s.recipes.nano_stages import CORRECTING, CROWD_LOSS, CROWDED, FULL, LEAVING, consecutive
from sam2s.train.config import Clips, FolderSet, Schedule, Stage, Teaching, TrainConfig

SEEN: dict[str, Any] = {
    "size": FULL,
    "stills": 0.35,
    "still": LEAVING,
    "blended": True,
    "augment": CROWDED,
}
TAUGHT = Teaching(user=CORRECTING, loss=CROWD_LOSS)


def pairs() -> TrainConfig:
    """Far-apart views."""
    stage = Stage(
        name="pairs",
        schedule=Schedule(steps=750, lr=5e-4, lr_end=2e-4, warmup=15),
        clips=Clips(batch=8, accumulate=2, sampler=consecutive(2, 2, 24, 0.001, 0.4), **SEEN),
        teaching=TAUGHT,
    )
    return by_muon("pairs", stage, seed=16)


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
    return by_muon("clips", stage, seed=17)


def by_muon(
    name: str, stage: Stage, seed: int, weights: Mapping[str, float] = WEIGHTS
) -> TrainConfig:
    """A part of one ``stage`` on the data of part ``broad``; ``weights``: of a video of each
    folder, beside 1 for a synthetic one."""
    before = broad()

    def weighed(folder: FolderSet) -> FolderSet:
        return replace(folder, weight=weights[Path(folder.root).name])

    return replace(
        before,
        name=name,
        stages=(stage,),
        folders=tuple(map(weighed, before.folders)),
        optim=replace(before.optim, kind="muon"),
        run=replace(before.run, keep_gb=2.0),
        seed=seed,
    )
