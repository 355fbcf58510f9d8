"""Everything that determines a training run, as frozen dataclasses that survive a round trip
through JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sam2s.clips.augment import AugmentConfig
from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.clips.stills.animate import StillConfig
from sam2s.errors import InputError
from sam2s.memory.all_rules import SavedRule
from sam2s.memory.recent import Recent
from sam2s.model.presets import SemanticConfig
from sam2s.train.losses import LossConfig
from sam2s.train.optim import OptimConfig
from sam2s.train.unroll import UserConfig
from sam2s.typed_json import parse_json

LORA_TARGETS = (
    r"image_encoder\.trunk\.blocks\.\d+\.attn\.(qkv|proj)"
    r"|memory_attention\.layers\.\d+\..*_attn\.[qkv]_proj"
)
"""The attention projections of trunk and memory."""


@dataclass(frozen=True)
class SyntheticSet:
    """Synthetic scenes made before the first step: ``videos`` of ``frames`` frames for each of
    ``procedures``.

    Every procedure is made with its own seed, ``seed`` + its position in ``procedures``.
    ``twins``: every video has two or more instruments of one make.
    """

    procedures: tuple[str, ...]
    videos: int
    frames: int
    size: int
    seed: int
    split: str = "train"
    twins: bool = False


@dataclass(frozen=True)
class FolderSet:
    """A masklet folder of the user; ``weight`` times as likely per video as any other. ``split``:
    use only its videos of this split (``train``), None for all of them. ``held_out``: names of
    videos that are never trained on. ``stills``: every labelled frame is also a still for
    `Stage.stills`, however densely the videos are labelled."""

    root: str
    weight: float = 1.0
    split: str | None = None
    held_out: tuple[str, ...] = ()
    stills: bool = False


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long a stage is and how fast it learns.

    The learning rate warms up over ``warmup`` of the ``steps`` and falls from ``lr`` to ``lr_end``
    along half a cosine. ``epochs``: where it is given, ``steps`` follows from it and the number of
    clips in the data, and is filled in before the run starts (`sam2s.train.video_pool`).
    """

    steps: int
    lr: float
    lr_end: float
    warmup: int = 0
    epochs: float | None = None


@dataclass(frozen=True, kw_only=True)
class Clips:
    """What a step sees.

    ``size``: side of the model input in pixels, divisible by 32; ``batch``: clips in one pass of
    one process, of which a step adds up ``accumulate``. ``diverse``: share of steps whose clips
    come from DiveMem's sampler instead of SAM 2's (paper: 0.5). ``stills``: share of steps whose
    clips are made of stills (paper: images : videos = 1 : 4, that is 0.2) in the way ``still``
    says; ``mixed``: the share is one of the passes of all processes instead, so that a step that
    adds up many of them holds both; ``blended``: it is one of the clips, so that every pass does.
    """

    size: int
    batch: int
    accumulate: int = 1
    sampler: ConsecutiveSampler = field(default_factory=ConsecutiveSampler)
    diverse: float = 0.0
    diverse_sampler: DiverseSampler = field(default_factory=DiverseSampler)
    stills: float = 0.0
    still: StillConfig = field(default_factory=StillConfig)
    mixed: bool = False
    blended: bool = False
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True, kw_only=True)
class Teaching:
    """What is asked of the model, and which part of it learns.

    ``frozen``: beginnings of the names of parameters that are frozen during the stage, such as
    ``image_encoder``. ``encoder_only``: no prompts and no tracking, only the image encoder is
    taught, by ``loss.dense``. ``encoder_gradient``: factor on the gradient that prompts and
    tracking send into the image encoder, so that the dense one is not drowned.
    """

    user: UserConfig = field(default_factory=UserConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    frozen: tuple[str, ...] = ()
    encoder_only: bool = False
    encoder_gradient: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stretch of training with one schedule, one kind of clip and one user."""

    name: str
    schedule: Schedule
    clips: Clips
    teaching: Teaching = field(default_factory=Teaching)


@dataclass(frozen=True)
class LoraConfig:
    """``rank`` r and ``alpha`` of the adapters (their product is scaled by alpha / r), ``dropout``
    on their input.

    ``targets``: regular expression that names the linear and convolution layers to adapt, whole
    (see ``model.named_modules()``). ``modules``: beginnings of the names of parameters that train
    as they are, beside the adapters; TSL's head does so in any case, since it may be new.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: str = LORA_TARGETS
    modules: tuple[str, ...] = ("mask_decoder",)


@dataclass(frozen=True)
class ValidationConfig:
    """The quick look at held-out scenes: ``objects`` objects of ``videos`` videos a procedure,
    ``frames`` frames."""

    data: SyntheticSet
    videos: int = 6
    frames: int = 24
    objects: int = 2
    every: int = 500
    size: int = 256


@dataclass(frozen=True)
class RunConfig:
    """How a run is carried out; nothing here changes what is learnt, except ``precision``:
    ``fp32``, ``bf16`` (which on a card that only emulates it is fp32 as well), or ``auto``, which
    is bf16 where a CUDA card computes it and fp32 elsewhere. ``device``: ``auto`` (what
    the launcher gives each process), or ``cpu``, ``cuda:1``, ... for one process.

    ``recompute``: activation checkpointing, which computes the blocks of trunk and memory attention
    again in the backward pass instead of keeping what is inside them: less memory, more time.

    ``keep_gb``: training videos are decoded once, and kept in memory as far as their pictures take
    no more gigabytes than that; all loading processes share them.
    """

    precision: str = "bf16"
    device: str = "auto"
    log_every: int = 20
    checkpoint_minutes: float = 3.0
    overlay_every: int = 500
    workers: int = 0
    tensorboard: bool = False
    recompute: bool = False
    keep_gb: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """A whole run. Source of defaults: SAM 2's training.

    ``model``: name of a preset, trained from scratch; or, with ``pretrained``, anything that
    ``load_model`` takes, trained further. ``semantic``: TSL's token and class names, added to the
    model; None leaves the model as it is. ``long_term``: give a model that has none DiveMem's
    temporal embedding, and DiveMem as its rule at inference. ``memory``: the rule during training.
    ``lora``: train low-rank adapters instead of all weights. ``keep_start``: share of the weights
    it started from in the mean that is saved at the end (Wortsman et al. 2022, "Model soups"), or
    of the weights ``keep_from`` (anything that ``load_model`` takes; in a recipe of several parts
    the name of an earlier one); validation and checkpoints are those of the training alone.
    """

    name: str
    model: str
    stages: tuple[Stage, ...]
    pretrained: bool = False
    synthetic: tuple[SyntheticSet, ...] = ()
    folders: tuple[FolderSet, ...] = ()
    validation: ValidationConfig | None = None
    semantic: SemanticConfig | None = None
    memory: SavedRule = field(default_factory=lambda: Recent(future_pointers=True))
    long_term: bool = False
    lora: LoraConfig | None = None
    optim: OptimConfig = field(default_factory=OptimConfig)
    run: RunConfig = field(default_factory=RunConfig)
    keep_start: float = 0.0
    keep_from: str | None = None
    seed: int = 0

    @property
    def dense(self) -> bool:
        """Whether some stage supervises the image encoder densely."""
        return any(stage.teaching.loss.dense for stage in self.stages)

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return sum(stage.schedule.steps for stage in self.stages)

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """The stage that ``step`` (0-based, over all stages) belongs to, and the step within it."""
        for stage in self.stages:
            if step < stage.schedule.steps:
                return stage, step
            step -= stage.schedule.steps
        raise InputError(
            f"training: the recipe has {self.steps} steps, there is no step {self.steps + step}"
        )


T = TypeVar("T")


def to_json(config: Any) -> str:
    """A config as JSON text, field by field."""
    return json.dumps(dataclasses.asdict(config), indent=2)


def from_json(kind: type[T], text: str, where: str = "config") -> T:
    """The config of type ``kind`` that `to_json` wrote; InputError names an unknown, missing or
    unfit field. ``where``: what the error begins with."""
    return parse_json(text, kind, where, root=kind.__name__, unknown="refuse")
