"""DiveMem's clip sampler: a clip that shows the network what long-term memory is (paper section
3.2, training).

Eight frames: one conditioning and two long-term frames from anywhere in the video, then five
consecutive ones, so that a frame of minutes ago, another view and another light become things that
a memory may look like. Half of the clips are drawn so, half by SAM 2's sampler; which one is drawn
for a whole batch at a time, since its rows share one script.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.clips.clips import Clip, VideoIndex


@dataclass(frozen=True)
class DiverseSampler:
    """``long_term`` + 1 frames at random over the whole video, the first of them the conditioning
    frame, then ``recent`` consecutive ones with a random stride up to ``max_stride``, reversed in
    time with probability ``reverse``.

    Objects are drawn among those that cover at least ``min_area`` (share of the picture) of the
    conditioning frame; on every other frame they may be absent. Times are source frame numbers over
    the stride (negated when reversed), so the consecutive frames are one tick apart and the others
    as far away as they are.
    """

    long_term: int = 2
    recent: int = 5
    max_objects: int = 3
    max_stride: int = 1
    reverse: float = 0.5
    min_area: float = 0.0005
    tries: int = 12

    @property
    def frames(self) -> int:
        """Frames of a clip."""
        return 1 + self.long_term + self.recent

    def sample(self, video: VideoIndex, rng: np.random.Generator) -> Clip | None:
        """A clip, or None when the video is too short or no object is visible on the frames
        drawn."""
        if video.frames < self.frames:
            return None
        for _ in range(self.tries):
            recent, stride = self._consecutive(video.frames, rng)
            others = np.setdiff1d(np.arange(video.frames), recent)
            frames = [*rng.choice(others, 1 + self.long_term, replace=False).tolist(), *recent]
            visible = np.flatnonzero(
                video.areas[:, frames[0]] >= max(1, self.min_area * video.pixels)
            )
            if len(visible):
                chosen = rng.permutation(visible)[: self.max_objects]
                objects = tuple(sorted(video.object_ids[row] for row in chosen))
                return Clip(
                    video.name,
                    tuple(frames),
                    _ticks(frames, recent, stride),
                    objects,
                    self.long_term,
                )
        return None

    def _consecutive(self, available: int, rng: np.random.Generator) -> tuple[list[int], int]:
        longest = min(self.max_stride, (available - 1) // max(1, self.recent - 1))
        stride = int(rng.integers(1, longest + 1))
        start = int(rng.integers(0, available - (self.recent - 1) * stride))
        frames = [start + stride * step for step in range(self.recent)]
        return (frames[::-1] if rng.random() < self.reverse else frames), stride


def _ticks(frames: list[int], recent: list[int], stride: int) -> tuple[int, ...]:
    """Clock positions: the consecutive frames one tick apart, the others before or after them in
    whole ticks.

    A frame within the stretch of consecutive ones, between two of them, takes the next free tick
    behind the stretch, so that no two frames share a moment.
    """
    sign = -1 if len(recent) > 1 and recent[-1] < recent[0] else 1
    ticks = {frame: step for step, frame in enumerate(recent)}
    for frame in frames:
        if frame in ticks:
            continue
        distance = sign * (frame - recent[0]) / stride
        tick = int(np.floor(distance)) if distance < 0 else max(int(np.ceil(distance)), len(recent))
        while tick in ticks.values():
            tick += -1 if tick < 0 else 1
        ticks[frame] = tick
    return tuple(ticks[frame] for frame in frames)
