"""What comes after the packaged ``nano``; not in its weights yet.

    python scripts/nano_on_gpu.py OUT --data DATA --part nano_next:wide      # by the clock
    sam2s train nano_next --model nano --out runs/next --resume

**wide**: parts ``pictures`` and ``moving`` once more, in the batches that a GPU carries and on
longer clips.
"""

from __future__ import annotations

from dataclasses import replace

from sam2s.recipes.nano_broad import broad
from sam2s.recipes.nano_gentle import moving, pictures
from sam2s.train.config import TrainConfig


def nano_next() -> tuple[TrainConfig, ...]:
    """Its one part."""
    return (wide(),)


def wide() -> TrainConfig:
    """Pictures, then whole clips."""
    before = moving()
    (single,), (whole,) = pictures().stages, before.stages
    stages = (
        replace(
            single,
            schedule=replace(single.schedule, steps=600, lr_end=5e-4),
            clips=replace(single.clips, batch=64, accumulate=2),
        ),
        replace(
            whole,
            schedule=replace(whole.schedule, steps=220),
            clips=replace(
                whole.clips,
                batch=8,
                accumulate=5,
                sampler=replace(whole.clips.sampler, frames=8),
            ),
        ),
    )
    return replace(before, name="wide", stages=stages, run=broad().run, seed=21)
