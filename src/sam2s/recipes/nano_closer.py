"""``nano``, fifth part: a camera that comes close and jumps.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 scripts/train_recipe.py nano_closer \
        --model GROWTHS --out runs/nano_closer

``GROWTHS`` holds the weights of `nano_growths`. On real colonoscopy these said of a quarter of the
frames with a polyp that there was none: between two kept frames the camera had moved by half a
picture and doubled the scale, where clips made of stills had moved a tenth and zoomed a fifth. So
here it goes as far, and turns. What must survive that is the image features, so the encoder learns
first, from pairs of such frames, all their objects at once; then come pictures, short clips and
whole clips, as before. New scenes are longer, so that things can stay away for longer. Packaged is
the mean of what comes out and ``GROWTHS`` (``scripts/average_models.py``).
"""

from __future__ import annotations

from dataclasses import replace

from sam2s.recipes.nano import CORRECTING, FULL
from sam2s.recipes.nano_further import SOFT_LOSS
from sam2s.recipes.nano_growths import COLOURS, EIGHT, GROWING, THRICE, nano_growths
from sam2s.recipes.nano_longer import LONG, ONE, PAIR, PRESENT, THREE
from sam2s.synthetic.procedures import TRAINING
from sam2s.train.config import Stage, SyntheticSet, TrainConfig

CLOSER_SEED = 8000
CLOSER = replace(GROWING, periods=(10.0, 60.0), zoom=(1.1, 2.4), zooming=1.0, pan=0.35, roll=40.0)
"""Stills with growths under a camera that goes to two times the scale and half a picture away, and
turns."""


def nano_closer() -> TrainConfig:
    """The recipe, as run for the packaged weights."""
    growths = nano_growths()
    return replace(
        growths,
        name="nano_closer",
        stages=_stages(),
        synthetic=(
            *growths.synthetic,
            SyntheticSet(TRAINING, videos=40, frames=96, size=FULL, seed=CLOSER_SEED),
        ),
        seed=11,
    )


def _stages() -> tuple[Stage, ...]:
    """Encoder, pictures, short clips, whole clips."""
    encoder = Stage(
        "encoder", 450, FULL, 6, 8e-4, 2e-4, 30, PAIR, loss=SOFT_LOSS, encoder_only=True
    )
    pictures = Stage("pictures", 260, FULL, 8, 5e-4, 3e-4, 20, ONE, loss=SOFT_LOSS, user=THRICE)
    short = Stage(
        "short clips", 240, FULL, 4, 3e-4, 1.5e-4, 10, THREE, loss=SOFT_LOSS, user=CORRECTING
    )
    whole = Stage(
        "whole clips",
        300,
        FULL,
        2,
        1.5e-4,
        2e-6,
        0,
        EIGHT,
        0.5,
        LONG,
        loss=PRESENT,
        user=CORRECTING,
    )
    stages = (
        encoder,
        replace(pictures, encoder_gradient=0.2),
        replace(short, encoder_gradient=0.1),
        replace(whole, encoder_gradient=0.1),
    )
    return tuple(replace(stage, augment=COLOURS, still=CLOSER, stills=0.35) for stage in stages)
