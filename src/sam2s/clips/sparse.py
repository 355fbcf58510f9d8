"""Sparsely labelled videos: which of their frames a clip sampler is shown.

A video with masks on fewer than half of its frames is shown as the video of its labelled frames,
which then is one of a lower frame rate: every frame of a clip is judged. Where those are fewer than
a clip has frames, unlabelled ones between them fill up; they are tracked, but not judged. A video
with a single labelled frame gives no clip of several; its labelled frame is a still (see `stills`).
"""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from sam2s.clips.clips import NOT_ANNOTATED, Clip, ClipSampler, VideoIndex

SPARSE = 0.5
"""Share of labelled frames below which a video counts as sparsely labelled."""


def labelled_frames(video: VideoIndex) -> np.ndarray:
    """Numbers of the frames on which any object is annotated, ascending."""
    return np.flatnonzero((video.areas != NOT_ANNOTATED).any(axis=0))


def is_sparse(video: VideoIndex) -> bool:
    """Whether fewer than half of the frames are labelled."""
    return len(labelled_frames(video)) < SPARSE * video.frames


def gives_clips(length: np.ndarray, labelled: np.ndarray, frames: int) -> np.ndarray:
    """Whether videos of ``length`` frames, ``labelled`` of them labelled, can give clips of
    ``frames`` frames: bool, of the shape of both."""
    return np.asarray((length >= frames) & (labelled >= min(2, frames)))


def sample_clip(sampler: ClipSampler, video: VideoIndex, rng: np.random.Generator) -> Clip | None:
    """``sampler.sample``, which for a sparsely labelled video draws from the frames of
    `shown_frames`."""
    if not is_sparse(video):
        return sampler.sample(video, rng)
    shown = shown_frames(video, sampler.frames)
    clip = sampler.sample(replace(video, areas=video.areas[:, shown]), rng)
    return (
        None
        if clip is None
        else replace(clip, frames=tuple(int(shown[frame]) for frame in clip.frames))
    )


def shown_frames(video: VideoIndex, least: int) -> np.ndarray:
    """The labelled frames, ascending, with frames between or around them until there are ``least``
    (as far as the video has that many): always the one in the middle of the widest gap."""
    shown = labelled_frames(video).tolist()
    while len(shown) < min(least, video.frames):
        gaps = [(b - a, (a + b) // 2) for a, b in itertools.pairwise(shown) if b - a > 1]
        if not gaps:
            gaps = [(shown[0], shown[0] - 1), (video.frames - 1 - shown[-1], shown[-1] + 1)]
        shown = sorted([*shown, max(gaps)[1]])
    return np.array(shown, int)
