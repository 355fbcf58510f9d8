"""What a training step sees: batches that are a pure function of (seed, step, process), so a run
resumes exactly.

A step adds up the batches of all processes and of all passes of a process. Every pass draws as one
more process would, so two passes of one process are the two batches of two processes, and a run
keeps its meaning when it moves to another number of devices with ``processes x Clips.accumulate``
unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from sam2s.clips.batch import ClipBatch, ClipSample, collate, load_clip
from sam2s.clips.clips import ClipSampler
from sam2s.clips.sparse import sample_clip
from sam2s.errors import InputError
from sam2s.opencv import single_threaded
from sam2s.train.config import Stage, TrainConfig
from sam2s.train.still_clips import draw_still_clip
from sam2s.train.video_pool import VideoPool

SAMPLER, STILLS = 4, 5
"""Purposes of the random numbers that choose a step's sampler, and whether its clips are made of
stills (see `generator`)."""
TRIES = 100
"""Videos asked in vain before the data are called unfit for a stage."""


def generator(seed: int, step: int, rank: int = 0, purpose: int = 0) -> np.random.Generator:
    """The random generator of one step of one process; ``purpose`` separates independent uses
    within the step."""
    return np.random.default_rng([seed, step, rank, purpose])


class Examples(Dataset):
    """Item k is the batch of step ``first + k``."""

    def __init__(self, pool: VideoPool, config: TrainConfig, first: int = 0, rank: int = 0) -> None:
        self.pool, self.config, self.first, self.rank = pool, config, first, rank
        if any(stage.clips.stills > 0 for stage in config.stages) and pool.still_chances is None:
            raise InputError(
                "training data: no stills, of which the recipe makes a share of its clips; add"
                " one-frame or sparsely labelled videos, or leave them out (--set"
                " stages.*.clips.stills=0; folders.0.stills=true makes a folder's videos stills)"
            )

    def __len__(self) -> int:
        return self.config.steps - self.first

    def __getitem__(self, item: int) -> ClipBatch:
        single_threaded()
        step = self.first + item
        stage, _ = self.config.stage_at(step)
        rng = generator(self.config.seed, step, self.rank)
        # One sampler a step, on all processes: the rows of a batch share one script and one kind of
        # memory.
        diverse = self._chance(step, SAMPLER) < stage.clips.diverse
        sampler: ClipSampler = stage.clips.diverse_sampler if diverse else stage.clips.sampler
        return collate(
            [
                (self._still if still else self._moving)(stage, sampler, rng)
                for still in self._stills(stage, step)
            ]
        )

    def _stills(self, stage: Stage, step: int) -> list[bool]:
        """Which clips of a pass are made of stills: all or none, so that a share of the steps is a
        share of the clips on any number of processes; mixed, the passes of a step draw each for
        itself, and blended, the clips."""
        clips = stage.clips
        if clips.blended:
            drawn = generator(self.config.seed, step, self.rank, STILLS).random(clips.batch)
            return (drawn < clips.stills).tolist()
        whole = self._chance(step, STILLS, self.rank if clips.mixed else 0) < clips.stills
        return [whole] * clips.batch

    def _chance(self, step: int, purpose: int, rank: int = 0) -> float:
        """A number in [0, 1) that all processes of one ``rank`` draw alike."""
        return float(generator(self.config.seed, step, rank, purpose).random())

    def _moving(self, stage: Stage, sampler: ClipSampler, rng: np.random.Generator) -> ClipSample:
        chances = self.pool.moving_chances(sampler.frames)
        for _ in range(0 if chances is None else TRIES):
            number = int(rng.choice(len(self.pool.videos), p=chances))
            clip = sample_clip(sampler, self.pool.indices[number], rng)
            if clip is not None:
                return load_clip(
                    self.pool.videos[number], clip, stage.clips.size, stage.clips.augment, rng
                )
        raise InputError(
            f"stage {stage.name}: none of {TRIES} videos drawn has {sampler.frames} frames with an"
            " object on the first of them; train on shorter clips or on other videos"
        )

    def _still(self, stage: Stage, sampler: ClipSampler, rng: np.random.Generator) -> ClipSample:
        for _ in range(TRIES):
            sample = draw_still_clip(self.pool, stage, sampler, rng)
            if sample is not None:
                return sample
        raise InputError(
            f"stage {stage.name}: none of {TRIES} stills drawn shows an object of"
            f" {sampler.min_area:.2%} of the picture"
        )


class Steps(Dataset):
    """Item k holds the batches of step ``first + k`` of one process, ``Stage.accumulate`` of
    them."""

    def __init__(
        self,
        pool: VideoPool,
        config: TrainConfig,
        *,
        first: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.config, self.first = config, first
        most = max(stage.clips.accumulate for stage in config.stages)
        self.passes = [
            Examples(pool, config, first, draw_rank(rank, m, processes)) for m in range(most)
        ]

    def __len__(self) -> int:
        return self.config.steps - self.first

    def __getitem__(self, item: int) -> list[ClipBatch]:
        stage, _ = self.config.stage_at(self.first + item)
        return [examples[item] for examples in self.passes[: stage.clips.accumulate]]


def draw_rank(rank: int, number: int, processes: int) -> int:
    """The process as which pass ``number`` of process ``rank`` draws its clips, clicks and
    dropout."""
    return rank + number * processes


def stream(steps: Steps, workers: int, device: torch.device) -> Iterator[list[ClipBatch]]:
    """The steps in order, read by ``workers`` processes (0: by this one), their tensors on
    ``device``."""
    on_card = device.type == "cuda"
    loader = DataLoader(
        steps,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        collate_fn=_as_is,
        pin_memory=on_card,
    )
    if on_card:
        return _one_ahead(loader, device)
    return ([batch.to(device) for batch in batches] for batches in loader)


def _one_ahead(
    loader: Iterable[list[ClipBatch]], device: torch.device
) -> Iterator[list[ClipBatch]]:
    """Batches in pinned memory -> on the card, each uploaded on a stream of its own while the card
    works on the one before."""
    side, waiting = torch.cuda.Stream(device), None
    for batches in loader:
        with torch.cuda.stream(side):
            coming = [batch.to(device) for batch in batches], side.record_event()
        if waiting is not None:
            yield _arrived(*waiting, device)
        waiting = coming
    if waiting is not None:
        yield _arrived(*waiting, device)


def _arrived(
    batches: list[ClipBatch], uploaded: torch.cuda.Event, device: torch.device
) -> list[ClipBatch]:
    """The batches, which the card's main stream may read from now on: it waits, Python does not."""
    main = torch.cuda.current_stream(device)
    main.wait_event(uploaded)
    for batch in batches:
        for tensor in batch.tensors().values():
            tensor.record_stream(main)
    return batches


def _as_is(batches: Any) -> Any:
    """Batches come whole from the data set."""
    return batches
