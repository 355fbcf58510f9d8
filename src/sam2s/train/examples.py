"""The stream of training batches: batch number k is a pure function of (seed, k, process), so a run resumes exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset
from tqdm import tqdm

from sam2s.data.batch import ClipBatch, ClipSample, collate, load_clip
from sam2s.data.clips import ClipSampler, VideoIndex, index_video
from sam2s.data.masklets import MaskletVideo, open_masklets
from sam2s.errors import InputError
from sam2s.train.config import FolderSet, Stage, TrainConfig

SAMPLER = 4
"""Purpose of the random number that chooses a step's sampler (see `generator`)."""
TRIES = 100
"""Videos asked in vain before the data are called unfit for a stage."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Indexed training videos and how likely each is drawn (sums to 1)."""

    videos: tuple[MaskletVideo, ...]
    indices: tuple[VideoIndex, ...]
    chances: np.ndarray


def open_pool(folders: Sequence[FolderSet], *, progress: bool = True) -> Pool:
    """Open and index masklet folders, each with the weight of its videos; InputError for one that gives no video."""
    videos: list[MaskletVideo] = []
    weights: list[float] = []
    for folder in folders:
        found = _videos(folder)
        videos += found
        weights += [folder.weight] * len(found)
    if not videos:
        raise InputError("training data: no videos: the recipe names neither synthetic scenes nor masklet folders")
    bar = tqdm(videos, desc="reading masks", unit="video", disable=not progress, delay=2)
    indices = tuple(index_video(video.name, video) for video in bar)
    return Pool(tuple(videos), indices, np.asarray(weights, float) / sum(weights))


def _videos(folder: FolderSet) -> list[MaskletVideo]:
    """The videos of ``folder`` that its split admits."""
    every = list(open_masklets(folder.root).videos.values())
    found = [video for video in every if folder.split in (None, video.info.split)]
    if not found:
        splits = ", ".join(sorted({str(video.info.split) for video in every})) or "none"
        raise InputError(f"training data: {folder.root} has no video of split {folder.split!r}; its splits: {splits}")
    return found


def generator(seed: int, step: int, rank: int = 0, purpose: int = 0) -> np.random.Generator:
    """The random generator of one step of one process; ``purpose`` separates independent uses within the step."""
    return np.random.default_rng([seed, step, rank, purpose])


class Examples(Dataset):
    """Item k is the batch of step ``first + k``."""

    def __init__(self, pool: Pool, config: TrainConfig, first: int = 0, rank: int = 0) -> None:
        self.pool, self.config, self.first, self.rank = pool, config, first, rank

    def __len__(self) -> int:
        return self.config.steps - self.first

    def __getitem__(self, item: int) -> ClipBatch:
        step = self.first + item
        stage, _ = self.config.stage_at(step)
        rng = generator(self.config.seed, step, self.rank)
        # One sampler a step, on all processes: the rows of a batch share one script and one kind of memory.
        diverse = generator(self.config.seed, step, purpose=SAMPLER).random() < stage.diverse
        sampler: ClipSampler = stage.diverse_sampler if diverse else stage.sampler
        return collate([self._draw(stage, sampler, rng) for _ in range(stage.clips)])

    def _draw(self, stage: Stage, sampler: ClipSampler, rng: np.random.Generator) -> ClipSample:
        for _ in range(TRIES):
            number = int(rng.choice(len(self.pool.videos), p=self.pool.chances))
            clip = sampler.sample(self.pool.indices[number], rng)
            if clip is not None:
                return load_clip(self.pool.videos[number], clip, stage.size, stage.augment, rng)
        raise InputError(
            f"stage {stage.name}: none of {TRIES} videos drawn has {sampler.frames} frames with an object on the "
            "first of them; train on shorter clips or on other videos"
        )
