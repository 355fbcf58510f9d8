"""The eighth part of ``nano``, in batches that a GPU carries (``scripts/nano_on_gpu.py``).

**broad**: a third of the clips are of synthetic instruments, half of those with look-alikes, a
third stills, a third real videos; parts of objects in another tone. Objects leave while their
double stays, and some never return.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.recipes.nano import doubles
from sam2s.recipes.nano_stages import CORRECTING, CROWD_LOSS, CROWDED, FULL, LEAVING, consecutive
from sam2s.synthetic.procedures import TRAINING
from sam2s.train.config import Clips, Schedule, Stage, SyntheticSet, Teaching, TrainConfig

WEIGHTS = {"real": 9.0, "davis": 6.0, "pumavos": 8.0, "bedroom": 8.0, "polypgen": 0.15}
"""Of a video of each folder in part ``broad``, beside 1 for a synthetic one."""


def broad() -> TrainConfig:
    """Part 8: pairs of far-apart views, then whole clips, of everything there is (five minutes of
    one H200, bf16)."""
    seen: dict[str, Any] = {
        "size": FULL,
        "stills": 0.35,
        "still": LEAVING,
        "blended": True,
        "augment": CROWDED,
    }
    pairs = Stage(
        name="pairs",
        schedule=Schedule(steps=144, lr=5e-4, lr_end=3e-4, warmup=40),
        clips=Clips(batch=16, accumulate=10, sampler=consecutive(2, 2, 24, 0.001, 0.4), **seen),
        teaching=Teaching(user=CORRECTING, loss=CROWD_LOSS, encoder_gradient=0.3),
    )
    whole = Stage(
        name="whole clips",
        schedule=Schedule(steps=220, lr=4e-4, lr_end=2e-6, warmup=20),
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
    before = doubles()
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
        keep_start=0.0,
        keep_from=None,
        seed=15,
    )
