"""``nano``, fourth part: new scenes, and stills with growths that hardly stand out from their
tissue.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 scripts/train_recipe.py nano_growths \
        --model LONGER --out runs/nano_growths

``LONGER`` holds the weights of `nano_longer`. On real colonoscopy these found a polyp from three
clicks (J 61 on tissue) and lost it on the way (J&F 26 over the video): what hardly differs from its
surroundings had been seen on drawn scenes only. So a third of the steps is on clips made of
laryngeal stills with growths on them (`sam2s.clips.stills.growth`), and there are more scenes of
colonoscopy among the new ones; colours vary further. A third click is practised on single pictures.
Full precision, since the machine of this run had no fast bfloat16.
"""

from __future__ import annotations

from dataclasses import replace

from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.stills.animate import StillConfig
from sam2s.recipes.nano import CORRECTING, FULL
from sam2s.recipes.nano_further import CLICKING, SOFT_LOSS
from sam2s.recipes.nano_longer import CAMERA, LONG, ONE, PAIR, PRESENT, THREE, nano_longer
from sam2s.synthetic.procedures import TRAINING
from sam2s.train.config import Stage, SyntheticSet, TrainConfig

GROWTH_SEED = 7000
COLON_SEED = 7100
GROWING = StillConfig(growths=(0, 2), pasted=(0, 1))
COLOURS = replace(CAMERA, hue=0.08, saturation=0.4)
THRICE = replace(CLICKING, clicks=3)
EIGHT = ConsecutiveSampler(frames=8, max_objects=3, max_stride=8, min_area=0.001, absence=0.8)


def nano_growths() -> TrainConfig:
    """The recipe, as run for the packaged weights."""
    longer = nano_longer()
    return replace(
        longer,
        name="nano_growths",
        stages=_stages(),
        synthetic=(
            SyntheticSet(TRAINING, videos=80, frames=64, size=FULL, seed=GROWTH_SEED),
            SyntheticSet(("colonoscopy",), videos=60, frames=64, size=FULL, seed=COLON_SEED),
        ),
        run=replace(longer.run, precision="fp32"),
        seed=10,
    )


def _stages() -> tuple[Stage, ...]:
    """The dense head alone, on features that rest; then pictures, short clips and whole clips."""
    head = Stage(
        "dense head",
        80,
        FULL,
        4,
        1e-3,
        1e-3,
        0,
        PAIR,
        loss=SOFT_LOSS,
        encoder_only=True,
        frozen=("image_encoder",),
    )
    pictures = Stage("pictures", 480, FULL, 8, 5e-4, 3e-4, 40, ONE, loss=SOFT_LOSS, user=THRICE)
    short = Stage(
        "short clips", 150, FULL, 4, 3e-4, 1.5e-4, 10, THREE, loss=SOFT_LOSS, user=CORRECTING
    )
    whole = Stage(
        "whole clips",
        240,
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
        head,
        replace(pictures, encoder_gradient=0.2, stills=0.35),
        replace(short, encoder_gradient=0.1, stills=0.35),
        replace(whole, encoder_gradient=0.1, stills=0.35),
    )
    return tuple(replace(stage, augment=COLOURS, still=GROWING) for stage in stages)
