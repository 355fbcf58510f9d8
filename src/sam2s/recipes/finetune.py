"""Fine-tuning on a user's own annotated folders, from any weights: the defaults follow from how
much there is.

    sam2s train finetune --data my_videos --model nano --out runs/mine

One pass holds one clip and a step adds up four, so that memory stays small; on a large GPU raise
``stages.0.clips.batch`` and lower ``stages.0.clips.accumulate``. See ``docs/finetune.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sam2s.clips.augment import AugmentConfig
from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.clips.sparse import SPARSE
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletVideo, open_masklets
from sam2s.model.presets import ModelConfig, SemanticConfig
from sam2s.train.ambiguity import SoftLabel
from sam2s.train.config import Clips, FolderSet, RunConfig, Schedule, Stage, Teaching, TrainConfig
from sam2s.train.losses import LossConfig
from sam2s.train.optim import OptimConfig
from sam2s.train.unroll import UserConfig
from sam2s.train.video_pool import clips_per_epoch
from sam2s.weights.load import read_checkpoint

CLIP = 8
CLIPS = 4000
"""Clips that a run sees, unless that would be fewer or more epochs than `EPOCHS`."""
EPOCHS = (2.0, 40.0)
LONG = 2 * CLIP
"""Labelled frames from which on half of the clips are DiveMem's: its far frames must be able to be
far."""
STILLS = 0.2
"""Share of clips made of stills where there are videos as well (paper: images : videos = 1 : 4)."""
LEAST_VIDEOS = 4
"""Videos from which on some are held out, to tell whether training helped."""
HELD_OUT = 0.2
MOST_HELD_OUT = 10
SMALL_TRUNK = 96
"""Channels of the smallest SAM 2.1 trunk: a narrower one is ``nano``'s, which takes larger
steps."""
LARGEST_SIZE = 512


@dataclass(frozen=True)
class Survey:
    """One video of the user: where it is, its number of frames, and how many of them are
    labelled."""

    root: str
    video: MaskletVideo
    frames: int
    labelled: int

    @property
    def still(self) -> bool:
        """Whether its labelled frames serve as stills (see `sam2s.train.video_pool.open_pool`)."""
        return self.frames == 1 or self.labelled < SPARSE * self.frames

    @property
    def moving(self) -> bool:
        """Whether there is something to track in it."""
        return self.labelled >= 2


def finetune(data: Sequence[str], model: str = "nano", seed: int = 0) -> TrainConfig:
    """The recipe for these folders and weights. InputError without a folder, or for one without
    labelled frames."""
    if not data:
        raise InputError("finetune: name your annotated folder with --data FOLDER")
    surveys = [found for root in data for found in survey(root)]
    held_out = choose_held_out(surveys, seed)
    kept = [found for found in surveys if (found.root, found.video.name) not in held_out]
    if not any(found.labelled for found in kept):
        raise InputError(
            f"finetune: no labelled frame in {', '.join(data)}; expected masks under"
            " Annotations/VIDEO/ID"
        )
    start = read_checkpoint(model).config
    return TrainConfig(
        name="finetune",
        model=model,
        pretrained=True,
        long_term=_typical(kept) >= LONG,
        stages=(_stage(kept, start),),
        folders=tuple(
            FolderSet(root, held_out=tuple(name for folder, name in held_out if folder == root))
            for root in data
        ),
        semantic=_names(kept, start),
        optim=_optim(start),
        run=RunConfig(precision="auto", overlay_every=200),
        seed=seed,
    )


def survey(root: str) -> list[Survey]:
    """The videos of a folder; only names of files are read."""
    found = []
    for video in open_masklets(root).videos.values():
        labelled = {
            frame for object_id in video.info.objects for frame in video.annotated(object_id)
        }
        found.append(Survey(root, video, len(video), len(labelled)))
    return found


def choose_held_out(surveys: Sequence[Survey], seed: int) -> tuple[tuple[str, str], ...]:
    """(folder, name) of the videos that judge the result: a fifth, drawn by ``seed``; none of fewer
    than four."""
    able = [found for found in surveys if found.moving]
    if len(able) < LEAST_VIDEOS:
        return ()
    count = min(MOST_HELD_OUT, max(1, round(HELD_OUT * len(able))))
    chosen = sorted(np.random.default_rng(seed).permutation(len(able))[:count].tolist())
    return tuple((able[k].root, able[k].video.name) for k in chosen)


def _typical(surveys: Sequence[Survey]) -> int:
    """The median number of labelled frames of the videos that move; 0 where none does."""
    moving = [found.labelled for found in surveys if found.moving]
    return int(np.median(moving)) if moving else 0


def _stage(surveys: Sequence[Survey], start: ModelConfig) -> Stage:
    typical = _typical(surveys)
    frames = min(CLIP, typical) if typical else CLIP
    stride = max(1, min(4, typical // (2 * CLIP)))
    per_epoch = clips_per_epoch([found.labelled for found in surveys if found.labelled], frames)
    size = min(start.image_size, LARGEST_SIZE)
    lr = 1e-4 if _small(start) else 1e-5
    epochs = round(float(np.clip(CLIPS / per_epoch, *EPOCHS)), 2)
    return Stage(
        name="finetune",
        # Steps follow from the epochs.
        schedule=Schedule(steps=0, epochs=epochs, lr=lr, lr_end=lr / 10, warmup=20),
        clips=Clips(
            size=size,
            batch=1,
            accumulate=4,
            sampler=ConsecutiveSampler(
                frames=frames, max_objects=3, max_stride=stride, absence=0.3
            ),
            diverse=0.5 if typical >= LONG else 0.0,
            diverse_sampler=DiverseSampler(max_objects=3, max_stride=stride),
            stills=_still_share(surveys),
            augment=AugmentConfig(scale=(0.8, 1.25), brightness=0.2, contrast=0.1, saturation=0.1),
        ),
        teaching=Teaching(
            user=UserConfig(mask=0.4, box=0.2, clicks=3, correct=0.5, centred=0.5),
            loss=_loss(start),
        ),
    )


def _still_share(surveys: Sequence[Survey]) -> float:
    if not any(found.moving for found in surveys):
        return 1.0
    return STILLS if any(found.still and found.labelled for found in surveys) else 0.0


def _small(start: ModelConfig) -> bool:
    return start.trunk_dim < SMALL_TRUNK


def _loss(start: ModelConfig) -> LossConfig:
    """SAM 2's with ARL; ``nano`` compares masks at the decoder's resolution, as it was trained."""
    if _small(start):
        return LossConfig(dice=3.0, presence=2.0, spread=0.1, stride=4, soften=SoftLabel(sigma=0.5))
    return LossConfig(soften=SoftLabel())


def _optim(start: ModelConfig) -> OptimConfig:
    if _small(start):
        return OptimConfig(weight_decay=0.05, encoder_lr=0.6, clip=1.0, ema=0.99)
    return OptimConfig(layer_decay=0.9, encoder_lr=0.6, ema=0.99)


def _names(surveys: Sequence[Survey], start: ModelConfig) -> SemanticConfig | None:
    """The model's class names, if it has any, and those of the data; None leaves the model as it
    is.

    A bank from a text tower cannot grow without that tower: there an unknown name stops the run,
    with advice.
    """
    if start.semantic is None or start.semantic.bank == "text":
        return None
    infos = [info for found in surveys for info in found.video.info.objects.values()]
    named = sorted(
        {info.class_name for info in infos if info.kind == "instrument" and info.class_name}
    )
    new = tuple(name for name in named if name not in start.semantic.classes)
    return replace(start.semantic, classes=(*start.semantic.classes, *new)) if new else None
