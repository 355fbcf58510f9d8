"""What comes after the packaged ``nano``; not in its weights yet.

    python scripts/nano_on_gpu.py OUT --data DATA --part nano_next:wide      # by the clock
    sam2s train nano_next --model nano --out runs/next --resume

**wide**: part ``broad`` once more, by Muon and with all of the encoder's gradient, in the batches
that a GPU carries.
"""

from __future__ import annotations

from dataclasses import replace

from sam2s.recipes.nano_broad import broad
from sam2s.train.config import TrainConfig


def nano_next() -> tuple[TrainConfig, ...]:
    """Its one part."""
    return (wide(),)


def wide() -> TrainConfig:
    """Pairs, then whole clips."""
    before = broad()
    return replace(
        before,
        name="wide",
        stages=tuple(
            replace(stage, teaching=replace(stage.teaching, encoder_gradient=1.0))
            for stage in before.stages
        ),
        optim=replace(before.optim, kind="muon"),
        seed=18,
    )
