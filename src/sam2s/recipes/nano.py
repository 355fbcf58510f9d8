"""How the packaged ``nano`` was made: seven parts, each from the weights of the one before, on one
or two CPU cores; the eighth, on a GPU, is in `sam2s.recipes.nano_broad`, the four after it in
`nano_muon` and `nano_gentle`.

    sam2s train nano --out runs/nano --resume

makes all of it in this order, and goes on where it stopped; ``sam2s train nano:tissue --model W``
is one part alone. ``docs/training`` has the log and the configuration of every part as it was run,
and says how to make the folders of real data. Nephrectomy is never trained on.

What each part is for:

1. **scratch**: synthetic scenes alone. Boxes first, with the image encoder frozen and all
   candidates taught alike: the decoder then reads prompts within a hundred steps, where everything
   at once stays on a plateau of empty masks for many hundreds. Then clicks, then tracking.
2. **further**: an encoder that knows where things end. Masks followed colour, in blocks of 16
   pixels, so the encoder is first supervised densely (`sam2s.train.dense`); a step sees more clips;
   a tenth of them is laryngeal; all three ideas of the paper.
3. **longer**: the same for longer, on scenes whose objects stay away for longer, with blurred and
   noisy pictures, and single pictures with the encoder awake.
4. **growths**: a third of the steps on stills with bumps of tissue that hardly stand out, which is
   what polyps do.
5. **closer**: stills under a camera that comes close and jumps. The mean of its weights and those
   it started from is kept.
6. **tissue**: real tissue of six hospitals and everyday videos, in pairs of far-apart views.
7. **doubles**: an object's own cut-out elsewhere in the clip, twins among the instruments, so that
   a click has a place and not only a colour. The mean of its weights and those of part 5 is kept,
   which forgets less of the instruments.

What was tried beside these and is not in the weights is in `sam2s.recipes.nano_next`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.masklets.vocabulary import INSTRUMENTS
from sam2s.model.presets import SemanticConfig
from sam2s.recipes.nano_stages import (
    AUGMENT,
    BOXES,
    CAMERA,
    CLICKING,
    CLICKS,
    CLOSER,
    COLOURS,
    CORRECTING,
    DOUBLED,
    EIGHT,
    EVEN_LOSS,
    FULL,
    GROWING,
    HALF,
    LOSS,
    PAIR,
    PRESENT_LOSS,
    RESTING,
    RIVAL_LOSS,
    SOFT_LOSS,
    THREE,
    THRICE,
    TISSUE_LOSS,
    TRACKING,
    clicks_stage,
    consecutive,
    encoder_stage,
    pictures_stage,
    short_stage,
    whole_stage,
)
from sam2s.synthetic.procedures import HELD_OUT, TRAINING
from sam2s.train.config import (
    Clips,
    FolderSet,
    RunConfig,
    Schedule,
    Stage,
    SyntheticSet,
    Teaching,
    TrainConfig,
    ValidationConfig,
)
from sam2s.train.optim import OptimConfig

LARYNGEAL_WEIGHT = 20.0
"""Of a laryngeal video: four of them are a tenth of the clips beside 720 synthetic ones."""
DAVIS_HELD_OUT = tuple(
    f"davis_{name}" for name in ("bus", "dance-jump", "flamingo", "hike", "motorbike", "surf")
)
"""Training videos of DAVIS that choose the weights (``scripts/nano_table.py --validation``)."""


def parts_on_a_cpu() -> tuple[TrainConfig, ...]:
    """These parts, in order; each goes on from what the one before left."""
    return scratch(), further(), longer(), growths(), closer(), tissue(), doubles()


def scratch() -> TrainConfig:
    """Part 1: from nothing, on synthetic scenes (70 minutes of two cores, bf16)."""
    validation = SyntheticSet(
        (*TRAINING[:2], HELD_OUT), videos=3, frames=48, size=FULL, seed=9000, split="val"
    )
    boxes = Stage(
        name="boxes",
        schedule=Schedule(steps=200, lr=1e-3, lr_end=1e-3, warmup=30),
        clips=Clips(size=HALF, batch=10, sampler=consecutive(1, 2, area=0.04), augment=AUGMENT),
        teaching=Teaching(user=BOXES, loss=EVEN_LOSS, frozen=RESTING),
    )
    clicks = Stage(
        name="clicks",
        schedule=Schedule(steps=1300, lr=8e-4, lr_end=6e-4, warmup=100),
        clips=Clips(size=HALF, batch=6, sampler=consecutive(1, 3, area=0.015), augment=AUGMENT),
        teaching=Teaching(user=CLICKS, loss=replace(EVEN_LOSS, spread=0.4, stride=2)),
    )
    short = Stage(
        name="short clips",
        schedule=Schedule(steps=700, lr=6e-4, lr_end=5e-4),
        clips=Clips(size=HALF, batch=2, sampler=consecutive(4, 3, 8, 0.008, 0.4), augment=AUGMENT),
        teaching=Teaching(user=TRACKING, loss=replace(LOSS, stride=2)),
    )
    large = Stage(
        name="large clips",
        schedule=Schedule(steps=311, lr=5e-4, lr_end=0.000447),
        clips=Clips(size=FULL, batch=1, sampler=consecutive(4, 3, 8, 0.003, 0.4), augment=AUGMENT),
        teaching=Teaching(user=TRACKING, loss=LOSS),
    )
    corrected = Stage(
        name="corrected clips",
        schedule=Schedule(steps=1900, lr=0.000447, lr_end=1.2e-4),
        clips=Clips(size=FULL, batch=1, sampler=consecutive(3, 3, 8, 0.003, 0.4), augment=AUGMENT),
        teaching=Teaching(user=CORRECTING, loss=LOSS),
    )
    whole = Stage(
        name="whole clips",
        schedule=Schedule(steps=500, lr=1.5e-4, lr_end=2e-6),
        clips=Clips(
            size=FULL,
            batch=1,
            sampler=consecutive(8, 2, 5, 0.003, 0.5),
            diverse=0.5,
            diverse_sampler=DiverseSampler(max_objects=2, min_area=0.003),
            augment=AUGMENT,
        ),
        teaching=Teaching(user=CORRECTING, loss=LOSS),
    )
    return TrainConfig(
        name="scratch",
        model="nano",
        stages=(boxes, clicks, short, large, corrected, whole),
        synthetic=(SyntheticSet(TRAINING, videos=50, frames=40, size=FULL, seed=1000),),
        validation=ValidationConfig(
            validation, videos=2, frames=24, objects=2, every=300, size=FULL
        ),
        optim=OptimConfig(
            weight_decay=0.05, betas=(0.9, 0.98), encoder_lr=0.6, clip=1.0, ema=0.998
        ),
        run=RunConfig(precision="bf16", log_every=20, overlay_every=200),
        seed=7,
    )


def further() -> TrainConfig:
    """Part 2: the encoder first, densely; the decoder on it (85 minutes of two cores, bf16)."""
    before = scratch()
    assert before.validation is not None
    return replace(
        before,
        name="further",
        pretrained=True,
        stages=(
            encoder_stage(
                Schedule(steps=1500, lr=1.2e-3, lr_end=3e-4, warmup=50),
                consecutive(2, 8, 16, 0.0008, 0.3),
                augment=AUGMENT,
            ),
            clicks_stage(
                Schedule(steps=700, lr=6e-4, lr_end=4e-4, warmup=50),
                consecutive(1, 3, area=0.002),
                augment=AUGMENT,
            ),
            short_stage(
                Schedule(steps=1000, lr=3e-4, lr_end=1.5e-4, warmup=20),
                consecutive(3, 3, 12, 0.002, 0.5),
                augment=AUGMENT,
            ),
            whole_stage(
                Schedule(steps=400, lr=1.5e-4, lr_end=2e-6),
                consecutive(8, 3, 6, 0.001, 0.6),
                SOFT_LOSS,
                augment=AUGMENT,
            ),
        ),
        synthetic=(
            *before.synthetic,
            SyntheticSet(TRAINING, videos=70, frames=64, size=FULL, seed=3000),
        ),
        folders=(FolderSet("data/real", LARYNGEAL_WEIGHT, split="train"),),
        validation=replace(before.validation, every=500),
        # A learnable bank of class names: no CLIP weights were at hand.
        semantic=SemanticConfig(INSTRUMENTS, bank="learnable", width=128),
        seed=8,
    )


def longer() -> TrainConfig:
    """Part 3: what part 2 had no time for, and absences (105 minutes of two cores, bf16)."""
    before = further()
    return replace(
        before,
        name="longer",
        stages=(
            encoder_stage(
                Schedule(steps=2400, lr=1.2e-3, lr_end=1e-4, warmup=100),
                PAIR,
                stills=0.1,
                augment=CAMERA,
            ),
            clicks_stage(
                Schedule(steps=400, lr=6e-4, lr_end=5e-4, warmup=30),
                consecutive(1, 3),
                augment=CAMERA,
            ),
            pictures_stage(
                Schedule(steps=1000, lr=5e-4, lr_end=3e-4), CLICKING, stills=0.1, augment=CAMERA
            ),
            short_stage(
                Schedule(steps=500, lr=3e-4, lr_end=1.5e-4, warmup=20),
                THREE,
                stills=0.2,
                augment=CAMERA,
            ),
            whole_stage(
                Schedule(steps=450, lr=1.5e-4, lr_end=2e-6),
                consecutive(8, 3, 10, 0.001, 0.8),
                PRESENT_LOSS,
                stills=0.1,
                augment=CAMERA,
            ),
        ),
        synthetic=(
            *before.synthetic,
            SyntheticSet(TRAINING, videos=60, frames=96, size=FULL, seed=5000),
        ),
        folders=(FolderSet("data/real", LARYNGEAL_WEIGHT, split="train", stills=True),),
        semantic=None,
        seed=9,
    )


def growths() -> TrainConfig:
    """Part 4: stills with growths, new scenes (60 minutes of two cores; fp32, since the machine had
    no fast bfloat16)."""
    before = longer()
    head = Stage(
        name="dense head",
        schedule=Schedule(steps=80, lr=1e-3, lr_end=1e-3),
        clips=Clips(size=FULL, batch=4, sampler=PAIR, still=GROWING, augment=COLOURS),
        teaching=Teaching(loss=SOFT_LOSS, encoder_only=True, frozen=RESTING),
    )
    seen: dict[str, Any] = {"stills": 0.35, "still": GROWING, "augment": COLOURS}
    return replace(
        before,
        name="growths",
        stages=(
            head,
            pictures_stage(Schedule(steps=480, lr=5e-4, lr_end=3e-4, warmup=40), THRICE, **seen),
            short_stage(Schedule(steps=150, lr=3e-4, lr_end=1.5e-4, warmup=10), THREE, **seen),
            whole_stage(Schedule(steps=240, lr=1.5e-4, lr_end=2e-6), EIGHT, PRESENT_LOSS, **seen),
        ),
        synthetic=(
            SyntheticSet(TRAINING, videos=80, frames=64, size=FULL, seed=7000),
            SyntheticSet(("colonoscopy",), videos=60, frames=64, size=FULL, seed=7100),
        ),
        run=replace(before.run, precision="fp32"),
        seed=10,
    )


def closer() -> TrainConfig:
    """Part 5: a camera that comes close and jumps; half of the weights it started from are kept in
    the mean (90 minutes of two cores, fp32)."""
    before = growths()
    seen: dict[str, Any] = {"stills": 0.35, "still": CLOSER, "augment": COLOURS}
    return replace(
        before,
        name="closer",
        stages=(
            encoder_stage(Schedule(steps=450, lr=8e-4, lr_end=2e-4, warmup=30), PAIR, **seen),
            pictures_stage(Schedule(steps=260, lr=5e-4, lr_end=3e-4, warmup=20), THRICE, **seen),
            short_stage(Schedule(steps=240, lr=3e-4, lr_end=1.5e-4, warmup=10), THREE, **seen),
            whole_stage(Schedule(steps=300, lr=1.5e-4, lr_end=2e-6), EIGHT, PRESENT_LOSS, **seen),
        ),
        synthetic=(
            *before.synthetic,
            SyntheticSet(TRAINING, videos=40, frames=96, size=FULL, seed=8000),
        ),
        keep_start=0.5,
        seed=11,
    )


def tissue() -> TrainConfig:
    """Part 6: real tissue and everyday videos (51 minutes of one shared core, bf16)."""
    before = closer()
    pairs = Stage(
        name="pairs",
        schedule=Schedule(steps=300, lr=4e-4, lr_end=1e-4, warmup=10),
        clips=Clips(
            size=FULL,
            batch=6,
            accumulate=4,
            sampler=consecutive(2, 3, 24, 0.001, 0.4),
            stills=0.4,
            still=CLOSER,
            mixed=True,
            augment=COLOURS,
        ),
        teaching=Teaching(user=CORRECTING, loss=TISSUE_LOSS, encoder_gradient=0.2),
    )
    return replace(
        before,
        name="tissue",
        stages=(pairs,),
        synthetic=(SyntheticSet(TRAINING, videos=24, frames=64, size=FULL, seed=12000),),
        folders=(
            FolderSet("data/real", 6.0, split="train", stills=True),
            FolderSet("data/davis", 3.0, split="train", held_out=DAVIS_HELD_OUT),
            FolderSet("data/pumavos", 3.0),
            FolderSet("data/bedroom", 3.0),
            FolderSet("data/polypgen", 0.15, split="train"),
        ),
        validation=None,
        optim=replace(before.optim, ema=0.99),
        run=RunConfig(precision="bf16", log_every=5, overlay_every=10_000),
        keep_start=0.0,
        seed=12,
    )


def doubles() -> TrainConfig:
    """Part 7: kinds of things are not things; half of part 5's weights are kept in the mean (35
    minutes of one shared core, bf16)."""
    before = tissue()
    short = Stage(
        name="doubled clips",
        schedule=Schedule(steps=55, lr=3e-4, lr_end=1.9e-4, warmup=5),
        clips=Clips(
            size=FULL,
            batch=4,
            accumulate=5,
            sampler=consecutive(4, 2, 8, 0.002, 0.6),
            stills=0.35,
            still=CLOSER,
            mixed=True,
            augment=DOUBLED,
        ),
        teaching=Teaching(user=CORRECTING, loss=RIVAL_LOSS, encoder_gradient=0.2),
    )
    return replace(
        before,
        name="doubles",
        stages=(short,),
        synthetic=(
            *before.synthetic,
            SyntheticSet(TRAINING, videos=16, frames=64, size=FULL, seed=13000, twins=True),
        ),
        keep_start=0.5,
        keep_from="closer",
        seed=13,
    )
