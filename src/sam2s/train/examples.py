"""The stream of training batches: batch number k is a pure function of (seed, k, process), so a run
resumes exactly."""

from __future__ import annotations

import numpy as np
from torch.utils.data import Dataset

from sam2s.clips.batch import ClipBatch, ClipSample, collate, load_clip
from sam2s.clips.clips import ClipSampler
from sam2s.clips.sparse import sample_clip
from sam2s.errors import InputError
from sam2s.train.config import Stage, TrainConfig
from sam2s.train.pool import Pool, open_pool
from sam2s.train.still_clips import draw_still_clip

__all__ = ["Examples", "Pool", "generator", "open_pool"]

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

    def __init__(self, pool: Pool, config: TrainConfig, first: int = 0, rank: int = 0) -> None:
        self.pool, self.config, self.first, self.rank = pool, config, first, rank
        if any(stage.clips.stills > 0 for stage in config.stages) and pool.still_chances is None:
            raise InputError(
                "training data: no stills, of which the recipe makes a share of its clips; add"
                " one-frame or sparsely labelled videos, set FolderSet.stills for a folder, or set"
                " Stage.stills to 0"
            )

    def __len__(self) -> int:
        return self.config.steps - self.first

    def __getitem__(self, item: int) -> ClipBatch:
        step = self.first + item
        stage, _ = self.config.stage_at(step)
        rng = generator(self.config.seed, step, self.rank)
        # One sampler a step, on all processes: the rows of a batch share one script and one kind of
        # memory.
        diverse = self._chance(step, SAMPLER) < stage.clips.diverse
        sampler: ClipSampler = stage.clips.diverse_sampler if diverse else stage.clips.sampler
        # Stills likewise, so that a share of the steps is a share of the clips on any number of
        # processes; mixed, the passes of a step draw each for itself.
        stills = (
            self._chance(step, STILLS, self.rank if stage.clips.mixed else 0) < stage.clips.stills
        )
        draw = self._still if stills else self._moving
        return collate([draw(stage, sampler, rng) for _ in range(stage.clips.batch)])

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
