r"""``nano``, third part: what the second one had no time for, and more of what it got wrong.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 scripts/train_recipe.py nano_longer \
        --model FURTHER --out runs/nano_longer

``FURTHER`` holds the weights of `nano_further`. Its encoder stage was cut while the loss still fell
by 0.03 in 100 steps; this one is longer. With three clicks on the prompted frame J&F was 62 and
tracked 54: so single pictures, with the encoder awake, get a stage of their own, and blurred and
noisy ones are among them, as cameras make them. On long videos its largest error was a mask where
the object was out of view, on about every second such frame: so there are longer scenes here, whose
objects stay away for longer, absences are drawn more often, and deciding on presence weighs more. A
tenth to a fifth of the steps sees clips made of laryngeal stills.
"""

from __future__ import annotations

from dataclasses import replace

from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.recipes.nano import AUGMENT, CORRECTING, FULL
from sam2s.recipes.nano_further import CLICKING, REAL_WEIGHT, SOFT_LOSS, nano_further
from sam2s.synthetic.procedures import TRAINING
from sam2s.train.config import FolderSet, Stage, SyntheticSet, TrainConfig

LONGER_SEED = 5000
CAMERA = replace(AUGMENT, gray=0.1, blur=0.01, noise=0.04)
PRESENT = replace(SOFT_LOSS, presence=4.0)
PAIR = ConsecutiveSampler(frames=2, max_objects=8, max_stride=24, min_area=0.0005, absence=0.3)
ONE = ConsecutiveSampler(frames=1, max_objects=3, min_area=0.001)
THREE = ConsecutiveSampler(frames=3, max_objects=3, max_stride=16, min_area=0.001, absence=0.6)
LONG = DiverseSampler(max_objects=3, max_stride=3, min_area=0.001)


def nano_longer() -> TrainConfig:
    """The recipe, as run for the packaged weights."""
    further = nano_further()
    return replace(
        further,
        name="nano_longer",
        stages=_stages(),
        synthetic=(
            *further.synthetic,
            SyntheticSet(TRAINING, videos=60, frames=96, size=FULL, seed=LONGER_SEED),
        ),
        folders=(FolderSet("data/real", REAL_WEIGHT, split="train", stills=True),),
        semantic=None,
        seed=9,
    )


def _stages() -> tuple[Stage, ...]:
    """As in `nano_further`: encoder, clicks, short clips, whole clips; and pictures, with
    everything taught at once."""
    eight = ConsecutiveSampler(frames=8, max_objects=3, max_stride=10, min_area=0.001, absence=0.8)
    short = Stage(
        "short clips", 500, FULL, 4, 3e-4, 1.5e-4, 20, THREE, loss=SOFT_LOSS, user=CORRECTING
    )
    whole = Stage(
        "whole clips",
        450,
        FULL,
        2,
        1.5e-4,
        2e-6,
        0,
        eight,
        0.5,
        LONG,
        loss=PRESENT,
        user=CORRECTING,
    )
    stages = (
        Stage(
            "encoder",
            2400,
            FULL,
            6,
            1.2e-3,
            1e-4,
            100,
            PAIR,
            loss=SOFT_LOSS,
            encoder_only=True,
            stills=0.1,
        ),
        Stage(
            "clicks",
            400,
            FULL,
            8,
            6e-4,
            5e-4,
            30,
            ONE,
            loss=SOFT_LOSS,
            user=CLICKING,
            frozen=("image_encoder",),
        ),
        Stage(
            "pictures",
            1000,
            FULL,
            8,
            5e-4,
            3e-4,
            0,
            ONE,
            loss=SOFT_LOSS,
            user=CLICKING,
            encoder_gradient=0.2,
            stills=0.1,
        ),
        replace(short, encoder_gradient=0.1, stills=0.2),
        replace(whole, encoder_gradient=0.1, stills=0.1),
    )
    return tuple(replace(stage, augment=CAMERA) for stage in stages)
