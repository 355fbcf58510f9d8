"""What comes after the packaged ``nano``; not in its weights yet.

    sam2s train nano_next --model nano --out runs/next --resume

**repainted**: part of an object in another tone, so that a thing is more than one of its colours;
and whole clips with doubles.

**broad**: all of this in batches that a GPU carries (``scripts/nano_on_gpu.py``): a third of the
clips are of synthetic instruments, half of those with look-alikes, a third stills, a third real
videos. Objects leave while their double stays, and some never return.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.recipes.nano import doubles
from sam2s.recipes.nano_stages import (
    CLOSER,
    CORRECTING,
    CROWD_LOSS,
    CROWDED,
    FULL,
    LEAVING,
    REPAINTED,
    RIVAL_LOSS,
    consecutive,
)
from sam2s.synthetic.procedures import TRAINING
from sam2s.train.config import Clips, Schedule, Stage, SyntheticSet, Teaching, TrainConfig

WEIGHTS = {"real": 9.0, "davis": 6.0, "pumavos": 8.0, "bedroom": 8.0, "polypgen": 0.15}
"""Of a video of each folder in part ``broad``, beside 1 for a synthetic one."""


def nano_next() -> tuple[TrainConfig, ...]:
    """Both parts."""
    return repainted(), broad()


def repainted() -> TrainConfig:
    """Things of several colours, in pairs; then whole clips."""
    seen: dict[str, Any] = {
        "size": FULL,
        "accumulate": 6,
        "stills": 0.35,
        "still": CLOSER,
        "mixed": True,
        "augment": REPAINTED,
    }
    pairs = Stage(
        name="repainted pairs",
        schedule=Schedule(steps=600, lr=3e-4, lr_end=1e-4, warmup=10),
        clips=Clips(batch=6, sampler=consecutive(2, 3, 16, 0.001, 0.4), **seen),
        teaching=Teaching(
            user=replace(CORRECTING, clicks=3), loss=RIVAL_LOSS, encoder_gradient=0.2
        ),
    )
    whole = Stage(
        name="whole clips",
        schedule=Schedule(steps=200, lr=1e-4, lr_end=2e-6),
        clips=Clips(
            batch=2,
            sampler=consecutive(8, 2, 8, 0.001, 0.8),
            diverse=0.5,
            diverse_sampler=DiverseSampler(max_objects=2, max_stride=3, min_area=0.001),
            **seen,
        ),
        teaching=Teaching(user=CORRECTING, loss=RIVAL_LOSS, encoder_gradient=0.2),
    )
    return replace(
        doubles(),
        name="repainted",
        stages=(pairs, whole),
        keep_start=0.0,
        keep_from=None,
        seed=14,
    )


def broad() -> TrainConfig:
    """Pairs of far-apart views, then whole clips, of everything there is."""
    seen: dict[str, Any] = {
        "size": FULL,
        "stills": 0.35,
        "still": LEAVING,
        "blended": True,
        "augment": CROWDED,
    }
    pairs = Stage(
        name="pairs",
        schedule=Schedule(steps=600, lr=5e-4, lr_end=3e-4, warmup=40),
        clips=Clips(batch=16, accumulate=8, sampler=consecutive(2, 2, 24, 0.001, 0.4), **seen),
        teaching=Teaching(user=CORRECTING, loss=CROWD_LOSS, encoder_gradient=0.3),
    )
    whole = Stage(
        name="whole clips",
        schedule=Schedule(steps=1000, lr=4e-4, lr_end=2e-6, warmup=20),
        clips=Clips(
            batch=8,
            accumulate=5,
            sampler=replace(consecutive(8, 2, 8, 0.001, 0.8), gone=0.4),
            diverse=0.4,
            diverse_sampler=DiverseSampler(max_objects=2, max_stride=3, min_area=0.001),
            **seen,
        ),
        teaching=Teaching(user=CORRECTING, loss=CROWD_LOSS, encoder_gradient=0.3),
    )
    before = repainted()
    return replace(
        before,
        name="broad",
        stages=(pairs, whole),
        # Small sets, which can be drawn side by side.
        synthetic=tuple(
            SyntheticSet(TRAINING, videos=6, frames=64, size=FULL, seed=seed, twins=twins)
            for twins, seeds in ((False, (15000, 15100, 15200)), (True, (16000, 16100, 16200)))
            for seed in seeds
        ),
        # Against 216 synthetic videos: a third of the clips each.
        folders=tuple(
            replace(folder, weight=WEIGHTS[Path(folder.root).name]) for folder in before.folders
        ),
        optim=replace(before.optim, ema=0.995),
        run=replace(before.run, log_every=20, keep_gb=24.0),
        seed=15,
    )
