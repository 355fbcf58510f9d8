"""What is looked at before the first step, so that a run does not fail after an hour: its
configuration, its data, and the time and memory it will take, from passes over its own batches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from sam2s.clips.clips import NOT_ANNOTATED, VideoIndex
from sam2s.errors import InputError
from sam2s.train.config import Stage, TrainConfig
from sam2s.train.optim import KINDS
from sam2s.train.video_pool import VideoPool, annotated_frames

if TYPE_CHECKING:
    from sam2s.train.trainer import Trainer

TIMED = 2
"""Steps timed of each stage, after one that is not."""
LISTED = 5
"""Names in a finding before it only counts them."""


def check_config(config: TrainConfig) -> None:
    """``InputError`` for numbers that cannot be trained by, naming the field as ``--set`` does."""
    if not config.stages:
        raise InputError("stages: a run needs at least one")
    for number, stage in enumerate(config.stages):
        _check_stage(f"stages.{number}", stage, least_steps=0 if len(config.stages) > 1 else 1)
    if config.run.precision not in ("auto", "bf16", "fp32"):
        raise InputError(
            f"run.precision: got {config.run.precision!r}, expected bf16 or fp32, or auto"
        )
    if config.optim.kind not in KINDS:
        raise InputError(f"optim.kind: got {config.optim.kind!r}, expected {' or '.join(KINDS)}")


def _check_stage(place: str, stage: Stage, least_steps: int) -> None:
    schedule, clips = stage.schedule, stage.clips
    counts = (
        ("schedule.steps", schedule.steps, least_steps if schedule.epochs is None else 0),
        ("clips.batch", clips.batch, 1),
        ("clips.accumulate", clips.accumulate, 1),
    )
    for field, value, least in counts:
        if value < least:
            raise InputError(f"{place}.{field}: got {value}, expected {least} or more")
    if clips.size < 32 or clips.size % 32:
        raise InputError(f"{place}.clips.size: got {clips.size}, expected a multiple of 32 pixels")
    if schedule.epochs is not None and schedule.epochs <= 0:
        raise InputError(f"{place}.schedule.epochs: got {schedule.epochs}, expected more than 0")


def check_data(pool: VideoPool, config: TrainConfig) -> list[str]:
    """Read every picture's size and every mask of the training videos; what was found, a line each.

    All masks were read when the pool was indexed. ``InputError`` for pictures that cannot be read
    or differ in size within a video, for data without any object in view, and when a stage can use
    no video.
    """
    for video in pool.videos:
        # First, middle and last picture: decoding them compares their sizes as well.
        for frame in sorted({0, len(video) // 2, len(video) - 1}):
            video.image(frame)
    if not any((index.areas > 0).any() for index in pool.indices):
        raise InputError(
            "training data: every mask is empty; draw the objects on the frames that show them"
        )
    return [
        _contents(pool),
        _masks(pool),
        *_classes(pool),
        *_oddities(pool),
        *(_stage(stage, pool) for stage in config.stages),
    ]


def _contents(pool: VideoPool) -> str:
    frames = sum(index.frames for index in pool.indices)
    stills = sum(index.frames == 1 for index in pool.indices)
    sizes = sorted({video.size for video in pool.videos}, key=lambda size: size[0] * size[1])
    ends = " to ".join(
        dict.fromkeys(f"{width} x {height}" for height, width in (sizes[0], sizes[-1]))
    )
    of_stills = f", {stills} of them still images" if stills else ""
    return (
        f"data: {_count(len(pool.videos), 'video')}{of_stills}, {_count(frames, 'frame')} of {ends}"
        " pixels"
    )


def _masks(pool: VideoPool) -> str:
    objects = sum(len(index.object_ids) for index in pool.indices)
    masks = sum(int((index.areas != NOT_ANNOTATED).sum()) for index in pool.indices)
    empty = sum(int((index.areas == 0).sum()) for index in pool.indices)
    frames = sum(index.frames for index in pool.indices)
    share = 100 * sum(annotated_frames(index) for index in pool.indices) / frames
    return (
        f"masks: {masks} of {_count(objects, 'object')}, {empty} of them empty (object out of"
        f" view); {share:.0f} % of the frames are annotated"
    )


def _classes(pool: VideoPool) -> list[str]:
    counted: Counter[str] = Counter(
        f"{info.class_name or 'unnamed'} ({info.kind})"
        for video in pool.videos
        for info in video.info.objects.values()
    )
    return [
        f"objects by class: {', '.join(f'{name} {count}' for name, count in counted.most_common())}"
    ]


def _oddities(pool: VideoPool) -> list[str]:
    """What trains nothing and may be a mistake."""
    unseen = [
        f"{index.name}/{object_id}"
        for index in pool.indices
        for object_id, areas in zip(index.object_ids, index.areas, strict=True)
        if not (areas > 0).any()
    ]
    bare = [index.name for index in pool.indices if not index.object_ids]
    notes = []
    if unseen:
        notes.append(f"note: {_count(len(unseen), 'object')} never in view: {_some(unseen)}")
    if bare:
        notes.append(f"note: {_count(len(bare), 'video')} without objects: {_some(bare)}")
    return notes


def _stage(stage: Stage, pool: VideoPool) -> str:
    """What a stage will do, and with how many of the videos."""
    frames, least = stage.clips.sampler.frames, stage.clips.sampler.min_area
    usable = sum(
        bool((index.areas >= max(1.0, least * index.pixels)).any())
        for index in _sources(stage, pool)
    )
    if not usable:
        raise InputError(
            f"stage {stage.name}: no video has {_count(frames, 'frame')} and an object of"
            f" {least:.2%} of the picture; train on shorter clips or on"
            " other videos"
        )
    schedule, clips = stage.schedule, stage.clips
    epochs = "" if schedule.epochs is None else f", {schedule.epochs:g} epochs"
    stills = f", {clips.stills:.0%} of the clips made of stills" if clips.stills else ""
    return (
        f"stage {stage.name}: {schedule.steps} steps of {clips.batch * clips.accumulate} x"
        f" {_count(frames, 'frame')} at {clips.size} pixels{epochs}, from {usable} of"
        f" {_count(len(pool.indices), 'video')}{stills}"
    )


def _sources(stage: Stage, pool: VideoPool) -> list[VideoIndex]:
    """The videos that a stage can draw clips from, as they are or as stills."""
    kinds = []
    if stage.clips.stills < 1:
        kinds.append(pool.moving_chances(stage.clips.sampler.frames))
    if stage.clips.stills > 0:
        kinds.append(pool.still_chances)
    drawn = sum((chances for chances in kinds if chances is not None), np.zeros(len(pool.videos)))
    return [index for index, chance in zip(pool.indices, drawn, strict=True) if chance > 0]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _some(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Estimate:
    """``seconds`` of all steps; ``gigabytes`` (10^9 bytes) that a process needs at most, on the
    device it trains on."""

    seconds: float
    gigabytes: float
    device: str

    def __str__(self) -> str:
        return (
            f"estimate: about {duration(self.seconds)}, {self.gigabytes:.1f} GB of memory"
            f" ({self.device})"
        )


def estimate(trainer: Trainer) -> Estimate:
    """Forward and backward passes of `TIMED` + 1 steps of every stage; no weight and no later
    random number changes.

    The clips, scripts and clicks are those of the stage's first steps. Optimiser states, which do
    not exist yet, are added by their size.
    """
    device = trainer.accelerator.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    trainer.learner.train()
    first, seconds = 0, 0.0
    for stage in trainer.config.stages:
        seconds += stage.schedule.steps * _seconds_a_step(trainer, stage, first)
        first += stage.schedule.steps
    trainer.running.optimizer.zero_grad(set_to_none=True)
    groups = trainer.running.optimizer.param_groups
    trained = sum(parameter.numel() for group in groups for parameter in group["params"])
    # AdamW keeps two float32 numbers, eight bytes, for each parameter.
    return Estimate(seconds, (_peak_bytes(device) + 8 * trained) / 1e9, device.type)


def _seconds_a_step(trainer: Trainer, stage: Stage, first: int) -> float:
    """The mean of the timed steps, without the first one, which warms up; 0 for a stage without
    steps."""
    timed = []
    for step in range(first, first + min(stage.schedule.steps, TIMED + 1)):
        begun = time.monotonic()
        passes = [batch.to(trainer.accelerator.device) for batch in trainer.steps(step)[0]]
        trainer.descend(step, passes)
        if trainer.accelerator.device.type == "cuda":
            torch.cuda.synchronize(trainer.accelerator.device)
        timed.append(time.monotonic() - begun)
    later = timed[1:] or timed
    return sum(later) / len(later) if later else 0.0


def _peak_bytes(device: torch.device) -> int:
    """The most that this process held so far: of the GPU's memory where it trains there, else of
    the machine's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return 0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def duration(seconds: float) -> str:
    """A time as people say it: ``40 s``, ``12 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
