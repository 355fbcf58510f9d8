"""The videos that a run draws its clips from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sam2s.clips.clips import VideoIndex, index_video
from sam2s.clips.sparse import gives_clips, is_sparse, labelled_frames
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletVideo, open_masklets
from sam2s.train.config import FolderSet


@dataclass(frozen=True, eq=False)
class Pool:
    """Indexed training videos, how likely each is drawn (sums to 1), and whether its labelled
    frames are stills."""

    videos: tuple[MaskletVideo, ...]
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


def open_pool(folders: Sequence[FolderSet], *, progress: bool = True) -> Pool:
    """Open and index masklet folders, each with the weight of its videos; InputError for one that
    gives no video.

    Stills are the labelled frames of one-frame videos, of sparsely labelled ones, and of every
    video of a folder that says so (`FolderSet.stills`).
    """
    videos: list[MaskletVideo] = []
    weights: list[float] = []
    asked: list[bool] = []
    for folder in folders:
        found = _videos(folder)
        videos += found
        weights += [folder.weight] * len(found)
        asked += [folder.stills] * len(found)
    if not videos:
        raise InputError(
            "training data: no videos: the recipe names neither synthetic scenes nor masklet"
            " folders"
        )
    bar: Iterable[MaskletVideo] = videos
    if progress:
        from tqdm import tqdm

        bar = tqdm(videos, desc="reading masks", unit="video", delay=2)
    indices = tuple(index_video(video.name, video) for video in bar)
    stills = [
        ask or index.frames == 1 or is_sparse(index)
        for ask, index in zip(asked, indices, strict=True)
    ]
    return Pool(tuple(videos), indices, np.asarray(weights, float) / sum(weights), np.array(stills))


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
