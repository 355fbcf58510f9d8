"""From epochs to steps: an epoch draws as many clips as it takes to see every annotated frame once
on average.

The paper trains 30 epochs without saying what one is. SAM 2's are one clip a video, whatever its
length, which a folder of few long videos cannot be trained by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sam2s.clips.clips import NOT_ANNOTATED, VideoIndex
from sam2s.train.config import Stage, TrainConfig


def clips_per_epoch(annotated: Sequence[int], frames: int) -> int:
    """Clips of ``frames`` frames in an epoch over videos with so many ``annotated`` frames: at
    least one a video."""
    return sum(max(1, math.ceil(count / frames)) for count in annotated)


def annotated_frames(index: VideoIndex) -> int:
    """How many frames of a video have at least one annotated object."""
    return int((index.areas != NOT_ANNOTATED).any(axis=0).sum())


def with_steps(config: TrainConfig, indices: Sequence[VideoIndex], processes: int) -> TrainConfig:
    """``config`` with ``steps`` filled in where a stage has ``epochs``: for these videos and so
    many processes."""
    return replace(
        config, stages=tuple(_filled(stage, indices, processes) for stage in config.stages)
    )


def _filled(stage: Stage, indices: Sequence[VideoIndex], processes: int) -> Stage:
    epochs, clips = stage.schedule.epochs, stage.clips
    if epochs is None:
        return stage
    each = clips_per_epoch([annotated_frames(index) for index in indices], clips.sampler.frames)
    steps = math.ceil(epochs * each / (clips.batch * clips.accumulate * processes))
    return replace(stage, schedule=replace(stage.schedule, steps=max(1, steps)))
