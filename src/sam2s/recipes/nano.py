"""How the packaged ``nano`` was made: from scratch, on synthetic scenes alone, on two CPU cores in
about 75 minutes.

    OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 scripts/train_recipe.py nano --out runs/nano

Two processes of one thread each: the small layers of this model gain more from that than from two
threads. Batch sizes are per process. The order of the stages is what makes so short a run possible.
Boxes first, with the image encoder resting and all candidates taught alike: the decoder then reads
prompts within a hundred steps, where everything at once stays on a plateau of empty masks for many
hundreds. Then clicks and corrections, then tracking over four frames at half size, at full size,
and at last whole clips of eight frames, half of them DiveMem's. Nephrectomy is never trained on.
"""

from __future__ import annotations

from dataclasses import replace

from sam2s.clips.augment import AugmentConfig
from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.synthetic.procedures import HELD_OUT, TRAINING
from sam2s.train.config import RunConfig, Stage, SyntheticSet, TrainConfig, ValidationConfig
from sam2s.train.losses import LossConfig
from sam2s.train.optim import OptimConfig
from sam2s.train.unroll import UserConfig

TRAIN_SEED = 1000
VALIDATION_SEED = 9000
FULL = 256
HALF = 128

AUGMENT = AugmentConfig(
    degrees=20.0,
    shear=8.0,
    scale=(0.8, 1.5),
    shift=0.1,
    brightness=0.25,
    contrast=0.2,
    saturation=0.3,
    hue=0.04,
)
LOSS = LossConfig(focal=20.0, dice=3.0, presence=2.0, spread=0.1, stride=4)
BOXES = UserConfig(mask=0.0, box=1.0, prompted=1, corrected=1, clicks=0)
CLICKS = UserConfig(mask=0.0, box=0.3, prompted=1, corrected=1, clicks=2, correct=0.6, centred=0.5)
TRACKING = UserConfig(
    mask=0.4, box=0.2, prompted=2, corrected=2, clicks=2, correct=0.3, centred=0.5
)
CORRECTING = UserConfig(
    mask=0.2, box=0.2, prompted=1, corrected=2, clicks=2, correct=0.8, centred=0.5
)


def nano() -> TrainConfig:
    """The recipe, as run for the packaged weights."""
    looked_at = (*TRAINING[:2], HELD_OUT)
    validation = SyntheticSet(
        looked_at, videos=3, frames=48, size=FULL, seed=VALIDATION_SEED, split="val"
    )
    return TrainConfig(
        name="nano",
        model="nano",
        stages=(*_pictures(), *_clips()),
        synthetic=(SyntheticSet(TRAINING, videos=50, frames=40, size=FULL, seed=TRAIN_SEED),),
        validation=ValidationConfig(
            validation, videos=2, frames=24, objects=2, every=300, size=FULL
        ),
        optim=OptimConfig(
            weight_decay=0.05, betas=(0.9, 0.98), encoder_lr=0.6, clip=1.0, ema=0.998
        ),
        run=RunConfig(precision="bf16", log_every=20, overlay_every=200),
        seed=7,
    )


def _pictures() -> tuple[Stage, ...]:
    """Single frames: first reading a box while the image encoder rests, then clicks and
    corrections."""
    large = ConsecutiveSampler(frames=1, max_objects=2, min_area=0.04)
    any_size = ConsecutiveSampler(frames=1, max_objects=3, min_area=0.015)
    even = LossConfig(focal=5.0, dice=5.0, spread=1.0, stride=4)
    finer = replace(even, spread=0.4, stride=2)
    boxes = Stage(
        "boxes",
        200,
        HALF,
        10,
        1e-3,
        1e-3,
        30,
        large,
        loss=even,
        user=BOXES,
        frozen=("image_encoder",),
    )
    clicks = Stage("clicks", 1300, HALF, 6, 8e-4, 6e-4, 100, any_size, loss=finer, user=CLICKS)
    return tuple(replace(stage, augment=AUGMENT) for stage in (boxes, clicks))


def _clips() -> tuple[Stage, ...]:
    """Tracking: four frames at half and at full size, then eight; objects leave and return in many
    of the clips."""
    four = ConsecutiveSampler(frames=4, max_objects=3, max_stride=8, min_area=0.008, absence=0.4)
    fine = replace(four, min_area=0.003)
    eight = ConsecutiveSampler(frames=8, max_objects=2, max_stride=5, min_area=0.003, absence=0.5)
    long = DiverseSampler(max_objects=2, min_area=0.003)
    small = Stage(
        "short clips", 700, HALF, 2, 6e-4, 5e-4, sampler=four, loss=replace(LOSS, stride=2)
    )
    large = Stage("large clips", 311, FULL, 1, 5e-4, 0.000447, sampler=fine, loss=LOSS)
    three = replace(fine, frames=3)
    corrected = Stage("corrected clips", 1900, FULL, 1, 0.000447, 1.2e-4, sampler=three, loss=LOSS)
    whole = Stage(
        "whole clips",
        500,
        FULL,
        1,
        1.5e-4,
        2e-6,
        sampler=eight,
        diverse=0.5,
        diverse_sampler=long,
        loss=LOSS,
    )
    users = (TRACKING, TRACKING, CORRECTING, CORRECTING)
    stages = zip((small, large, corrected, whole), users, strict=True)
    return tuple(replace(stage, user=user, augment=AUGMENT) for stage, user in stages)
