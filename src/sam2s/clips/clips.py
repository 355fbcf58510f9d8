"""Clip samplers: which frames and objects of a masklet video make one training example.

A sampler is a pure function of a video's index and a random generator, so every example of a run
can be named and made again. DiveMem's sampler (conditioning and long-term frames from anywhere in
the video) is another `ClipSampler`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sam2s.masklets.kept import LabelledVideo

NOT_ANNOTATED = -1


@dataclass(frozen=True, eq=False)
class VideoIndex:
    """What a sampler knows of a video.

    ``areas`` (objects, frames) int64: object pixels on each frame, 0 = absent, `NOT_ANNOTATED` =
    unknown; rows in the order of ``object_ids``. ``pixels``: H x W of the video.
    """

    name: str
    object_ids: tuple[int, ...]
    areas: np.ndarray
    pixels: int

    @property
    def frames(self) -> int:
        """Number of frames of the video."""
        return self.areas.shape[1]


def index_video(name: str, video: LabelledVideo) -> VideoIndex:
    """Read every mask of ``video`` once and note its area."""
    ids = tuple(sorted(video.info.objects))
    areas = np.full((len(ids), len(video.frame_names)), NOT_ANNOTATED, np.int64)
    for row, object_id in enumerate(ids):
        for frame in video.annotated(object_id):
            mask = video.mask(object_id, frame)
            areas[row, frame] = NOT_ANNOTATED if mask is None else int(mask.sum())
    height, width = video.image(0).shape[:2]
    return VideoIndex(name, ids, areas, height * width)


@dataclass(frozen=True)
class Clip:
    """One training example before its pixels are read.

    ``frames``: frame numbers in the order in which they are tracked; ``times``: their positions on
    the tracking clock; ``objects``: ids, all present on the first frame; ``long_term``: how many
    frames after the first are DiveMem's long-term memories.
    """

    video: str
    frames: tuple[int, ...]
    times: tuple[int, ...]
    objects: tuple[int, ...]
    long_term: int = 0

    def __str__(self) -> str:
        return (
            f"{self.video} frames {','.join(map(str, self.frames))} objects"
            f" {','.join(map(str, self.objects))}"
        )


class ClipSampler(Protocol):
    """Draws a clip from a video, or None when the video cannot give one."""

    @property
    def frames(self) -> int:
        """Frames of a clip."""
        ...

    @property
    def max_objects(self) -> int:
        """Most objects of a clip."""
        ...

    @property
    def min_area(self) -> float:
        """Least share of the picture that an object covers on the first frame."""
        ...

    def sample(self, video: VideoIndex, rng: np.random.Generator) -> Clip | None:
        """A clip of ``video``, None where it cannot give one; the same state of ``rng`` gives the
        same clip."""


@dataclass(frozen=True)
class ConsecutiveSampler:
    """SAM 2's sampler: ``frames`` frames in a row, with a random stride and possibly reversed.

    A strided clip is a video of a lower frame rate, so its clock counts sampled frames: memory
    slots mean the same in every clip. ``max_objects`` of the objects that cover at least
    ``min_area`` (share of the picture) of the first frame are taken; later they may be absent. Of
    ``absence`` of the clips it is asked, as far as the video allows, that an object be out of view
    on some later frame: without it, short clips would hardly show an absence. Of the share ``gone``
    of these clips it is asked that the object be out of view at the end.
    """

    frames: int = 8
    max_objects: int = 3
    max_stride: int = 1
    reverse: float = 0.5
    min_area: float = 0.0005
    absence: float = 0.0
    gone: float = 0.0
    tries: int = 12

    def sample(self, video: VideoIndex, rng: np.random.Generator) -> Clip | None:
        """The first of ``tries`` draws that shows what is asked for, else the first that is a clip;
        None when the video is too short or no draw shows an object."""
        wanted_absent = bool(rng.random() < self.absence)
        wanted_gone = wanted_absent and self.gone > 0 and bool(rng.random() < self.gone)
        fallback = None
        for _ in range(self.tries):
            clip = self._draw(video, rng)
            if clip is None:
                continue
            fallback = fallback or clip
            if not wanted_absent or _shows_absence(video, clip, wanted_gone):
                return clip
        return fallback

    def _draw(self, video: VideoIndex, rng: np.random.Generator) -> Clip | None:
        frames = self._draw_frames(video.frames, rng)
        if frames is None:
            return None
        visible = np.flatnonzero(video.areas[:, frames[0]] >= max(1, self.min_area * video.pixels))
        if len(visible) == 0:
            return None
        chosen = rng.permutation(visible)[: self.max_objects]
        objects = tuple(sorted(video.object_ids[row] for row in chosen))
        return Clip(video.name, tuple(frames), tuple(range(self.frames)), objects)

    def _draw_frames(self, available: int, rng: np.random.Generator) -> list[int] | None:
        if available < self.frames:
            return None
        longest = (
            self.max_stride
            if self.frames == 1
            else min(self.max_stride, (available - 1) // (self.frames - 1))
        )
        stride = int(rng.integers(1, longest + 1))
        start = int(rng.integers(0, available - (self.frames - 1) * stride))
        frames = [start + stride * step for step in range(self.frames)]
        return frames[::-1] if rng.random() < self.reverse else frames


def _shows_absence(video: VideoIndex, clip: Clip, at_the_end: bool) -> bool:
    """Whether an object is out of view on any frame, or on all of the clip's last quarter."""
    rows = [video.object_ids.index(object_id) for object_id in clip.objects]
    absent = video.areas[np.ix_(rows, clip.frames)] == 0
    last = max(1, len(clip.frames) // 4)
    return bool(absent[:, -last:].all(axis=1).any() if at_the_end else absent.any())
