"""The videos that a run draws its clips from: the user's masklet folders and synthetic scenes made
on first use, how likely each is drawn, and how many steps an epoch over them takes.

An epoch draws as many clips as it takes to see every annotated frame once on average. The paper
trains 30 epochs without saying what one is. SAM 2's are one clip a video, whatever its length,
which a folder of few long videos cannot be trained by.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from sam2s.clips.clips import NOT_ANNOTATED, VideoIndex, index_video
from sam2s.clips.sparse import gives_clips, is_sparse, labelled_frames
from sam2s.errors import InputError
from sam2s.masklets.kept import LabelledVideo, keep_videos
from sam2s.masklets.masklets import MaskletVideo, open_masklets
from sam2s.progress import progress_bar
from sam2s.train.config import FolderSet, Stage, SyntheticSet, TrainConfig


@dataclass(frozen=True, eq=False)
class VideoPool:
    """Indexed training videos, how likely each is drawn (sums to 1), and whether its labelled
    frames are stills."""

    videos: tuple[LabelledVideo, ...]
    indices: tuple[VideoIndex, ...]
    chances: np.ndarray
    stills: np.ndarray

    @cached_property
    def _extents(self) -> np.ndarray:
        """(videos, 2): how many frames each has, and how many labelled ones."""
        return np.array([(index.frames, len(labelled_frames(index))) for index in self.indices])

    def moving_chances(self, frames: int) -> np.ndarray | None:
        """The chances among the videos that can give clips of ``frames`` frames; None when none
        can."""
        return self._among(gives_clips(self._extents[:, 0], self._extents[:, 1], frames))

    @cached_property
    def still_chances(self) -> np.ndarray | None:
        """The chances among the videos whose labelled frames are stills; None when there are
        none."""
        return self._among(self.stills & (self._extents[:, 1] > 0))

    def _among(self, able: np.ndarray) -> np.ndarray | None:
        if able.all():
            return self.chances
        weights = np.where(able, self.chances, 0.0)
        return weights / weights.sum() if weights.any() else None


def open_pool(
    folders: Sequence[FolderSet], *, progress: bool = True, keep_gb: float = 0.0
) -> VideoPool:
    """Open and index masklet folders, each with the weight of its videos; InputError for one that
    gives no video.

    Stills are the labelled frames of one-frame videos, of sparsely labelled ones, and of every
    video of a folder that says so (`FolderSet.stills`). ``keep_gb``: see `RunConfig`.
    """
    found_videos: list[MaskletVideo] = []
    weights: list[float] = []
    asked: list[bool] = []
    for folder in folders:
        found = _videos(folder)
        found_videos += found
        weights += [folder.weight] * len(found)
        asked += [folder.stills] * len(found)
    if not found_videos:
        raise InputError(
            "training data: no videos: the recipe names neither synthetic scenes nor masklet"
            " folders"
        )
    videos = keep_videos(found_videos, 1e9 * keep_gb, os.cpu_count() or 1 if keep_gb else 1)
    bar: Iterable[LabelledVideo] = videos
    if progress:
        bar = progress_bar(len(videos), "reading masks", "video", over=videos)
    indices = tuple(index_video(video.name, video) for video in bar)
    stills = [
        ask or index.frames == 1 or is_sparse(index)
        for ask, index in zip(asked, indices, strict=True)
    ]
    return VideoPool(
        tuple(videos), indices, np.asarray(weights, float) / sum(weights), np.array(stills)
    )


def _videos(folder: FolderSet) -> list[MaskletVideo]:
    """The videos of ``folder`` that its split admits, without those held out."""
    every = open_masklets(folder.root).videos
    strange = [name for name in folder.held_out if name not in every]
    if strange:
        raise InputError(
            f"training data: {folder.root} has no video '{strange[0]}', which is to be held out"
        )
    found = [
        v
        for v in every.values()
        if folder.split in (None, v.info.split) and v.name not in folder.held_out
    ]
    if not found:
        splits = ", ".join(sorted({str(video.info.split) for video in every.values()})) or "none"
        raise InputError(
            f"training data: {folder.root} has no video of split {folder.split!r} that is not held"
            f" out; its splits: {splits}"
        )
    return found


def training_folders(config: TrainConfig, folder: Path) -> list[FolderSet]:
    """All masklet folders of the run; synthetic sets are made under ``folder`` if they are
    missing."""
    made = [
        FolderSet(str(root)) for synthetic in config.synthetic for root in ensure(synthetic, folder)
    ]
    return made + list(config.folders)


def ensure(synthetic: SyntheticSet, folder: Path, workers: int | None = None) -> list[Path]:
    """One masklet folder for each procedure of the set, made now unless an earlier run finished
    it, by so many processes (None: one for each core, and a progress bar)."""
    # These need OpenCV, which a run on folders alone does without.
    from sam2s.synthetic.spec import random_spec, twins_spec
    from sam2s.synthetic.write import video_seed, write_videos

    roots = []
    for number, procedure in enumerate(synthetic.procedures):
        seed = synthetic.seed + number
        size = f"{synthetic.videos}x{synthetic.frames}x{synthetic.size}"
        kind = "-twins" if synthetic.twins else ""
        name = f"{synthetic.split}-{procedure}-{size}-{seed}{kind}"
        root = folder / name
        if not root.is_dir():
            partial = root.with_name(root.name + ".part")
            shape = (synthetic.size, synthetic.size)
            make = twins_spec if synthetic.twins else random_spec
            specs = [
                make(video_seed(seed, k), procedure, synthetic.frames, shape)
                for k in range(synthetic.videos)
            ]
            write_videos(
                partial,
                specs,
                split=synthetic.split,
                progress=workers is None,
                workers=workers or os.cpu_count() or 1,
            )
            os.replace(partial, root)
        roots.append(root)
    return roots


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
