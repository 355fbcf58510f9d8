"""The paper's SAM2S: SAM 2.1 Hiera-B+ at 512 px, fine-tuned on SA-SV with DiveMem, TSL and ARL
(section 4.1).

    accelerate launch --num_processes 4 scripts/train_recipe.py sam2s_base_plus --data data/sa-sv
    --out runs/base_plus

``data/sa-sv`` is what ``sam2s data convert`` makes of the public sources (``docs/sources.md``);
only videos of the split ``train`` are used. A comment marks every value that the paper leaves open.
It has not been run by this project, which had neither these data nor the machines.
"""

from __future__ import annotations

from collections.abc import Sequence

from sam2s.clips.augment import AugmentConfig
from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.masklets.vocabulary import INSTRUMENTS
from sam2s.model.presets import SemanticConfig
from sam2s.train.ambiguity import SoftLabel
from sam2s.train.config import Clips, FolderSet, RunConfig, Schedule, Stage, Teaching, TrainConfig
from sam2s.train.losses import LossConfig
from sam2s.train.optim import OptimConfig
from sam2s.train.unroll import UserConfig

WEIGHTS = "facebook/sam2.1-hiera-base-plus"
DATA = ("data/sa-sv",)


def sam2s_base_plus(data: Sequence[str] = DATA, model: str = WEIGHTS) -> TrainConfig:
    """The recipe. ``data``: masklet folders with SA-SV's training split; ``model``: the weights to
    start from."""
    return TrainConfig(
        name="sam2s_base_plus",
        model=model,
        pretrained=True,
        # DiveMem's own temporal embedding; open: its start (here that of prompted frames)
        long_term=True,
        stages=(_stage(),),
        folders=tuple(
            FolderSet(root, split="train") for root in data
        ),  # open: weights of the sources (here by video)
        semantic=_names(),
        # "The rest as SAM 2's training": AdamW, weight decay 0.1, layer-wise decay 0.9, gradient
        # norm 0.1.
        optim=OptimConfig(
            weight_decay=0.1,
            betas=(0.9, 0.999),
            layer_decay=0.9,
            encoder_lr=0.6,  # open: SAM 2 gives its encoder 3e-6 where the rest has 5e-6
            clip=0.1,
            ema=0.0,  # open: a moving average is not mentioned
        ),
        run=RunConfig(
            precision="bf16", log_every=50, overlay_every=2000, checkpoint_minutes=15.0, workers=8
        ),
        seed=0,  # open
    )


def _stage() -> Stage:
    return Stage(
        name="sa-sv",
        schedule=Schedule(
            steps=0,  # follow from the epochs
            # paper; open: how many clips an epoch has (here: enough to see every labelled frame
            # once)
            epochs=30.0,
            lr=1e-5,
            lr_end=1e-6,  # open: SAM 2 ends at a tenth
            warmup=0,  # open: SAM 2 fine-tunes without
        ),
        clips=Clips(
            size=512,
            batch=1,  # open: clips a GPU; the paper has four GPUs of 48 GB
            sampler=ConsecutiveSampler(
                frames=8,
                max_objects=3,  # SAM 2
                max_stride=4,  # "a random stride"; open: the largest
                reverse=0.5,
            ),
            diverse=0.5,
            diverse_sampler=DiverseSampler(
                long_term=2,
                recent=5,
                max_objects=3,
                max_stride=4,  # open, as above
            ),
            # images : videos = 1 : 4; open: how an image becomes a clip (here by
            # `sam2s.clips.stills.animate`)
            stills=0.2,
            augment=AugmentConfig(),  # SAM 2's
        ),
        teaching=Teaching(
            user=UserConfig(),  # SAM 2's
            # l_arl = 20, l_tsl = 0.1; ARL: 5 x 5, sigma 1; open: the resolution (here the input's,
            # as SAM 2's focal loss).
            loss=LossConfig(
                focal=20.0,
                dice=1.0,
                iou=1.0,
                presence=1.0,
                tsl=0.1,
                soften=SoftLabel(5, 1.0),
                stride=1,
            ),
        ),
    )


def _names() -> SemanticConfig:
    """The names of all instruments, by a frozen CLIP text tower."""
    return SemanticConfig(
        classes=INSTRUMENTS,
        bank="text",
        width=512,
        encoder="openai/clip-vit-base-patch16",  # open: which CLIP
        templates=(
            "a photo of a {}.",
            "a photo of a {} in surgery.",
            "an endoscopic image of a {}.",
        ),  # open
    )
