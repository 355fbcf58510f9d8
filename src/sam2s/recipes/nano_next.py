"""What comes after the packaged ``nano``; not in its weights yet.

    sam2s train nano_next --model nano --out runs/next --resume

**repainted**: part of an object in another tone, so that a thing is more than one of its colours;
and whole clips with doubles, in the small passes that a CPU carries.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.recipes.nano import doubles
from sam2s.recipes.nano_stages import (
    CLOSER,
    CORRECTING,
    FULL,
    REPAINTED,
    RIVAL_LOSS,
    consecutive,
)
from sam2s.train.config import Clips, Schedule, Stage, Teaching, TrainConfig


def nano_next() -> tuple[TrainConfig, ...]:
    """Its one part."""
    return (repainted(),)


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
