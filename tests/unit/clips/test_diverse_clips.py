"""DiveMem's sampler: what its clips are made of, by rule and by statistics."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.clips.clips import VideoIndex
from sam2s.clips.diverse_clips import DiverseSampler


def video(frames: int, objects: int = 2, absent: float = 0.0, seed: int = 0) -> VideoIndex:
    rng = np.random.default_rng(seed)
    areas = np.where(rng.random((objects, frames)) < absent, 0, 500)
    return VideoIndex("v", tuple(range(1, objects + 1)), areas, 10_000)


@settings(deadline=None, max_examples=150)
@given(
    frames=st.integers(8, 120),
    stride=st.integers(1, 6),
    reverse=st.sampled_from([0.0, 1.0]),
    absent=st.sampled_from([0.0, 0.4]),
    seed=st.integers(0, 999),
)
def test_clips_keep_the_rule(frames, stride, reverse, absent, seed):
    index = video(frames, absent=absent, seed=seed)
    sampler = DiverseSampler(max_stride=stride, reverse=reverse)
    clip = sampler.sample(index, np.random.default_rng(seed))
    if clip is None:
        assert absent > 0
        return
    assert len(clip.frames) == len(set(clip.frames)) == 8
    assert len(set(clip.times)) == 8
    assert clip.long_term == 2
    assert all(0 <= frame < frames for frame in clip.frames)
    recent = clip.frames[3:]
    steps = set(np.diff(recent).tolist())
    assert len(steps) == 1
    assert abs(steps.pop()) <= stride
    assert list(clip.times[3:]) == [0, 1, 2, 3, 4]
    sign = 1 if recent[-1] > recent[0] else -1
    assert sign == (-1 if reverse else 1)
    # Far frames lie on their own side of the stretch, as far as they are, give or take the ties.
    step = abs(recent[1] - recent[0])
    for frame, time in zip(clip.frames[:3], clip.times[:3], strict=True):
        distance = sign * (frame - recent[0]) / step
        assert (time < 0) == (distance < 0)
        assert abs(time - distance) <= 5 + 3
    for object_id in clip.objects:
        assert index.areas[index.object_ids.index(object_id), clip.frames[0]] > 0


def test_conditioning_and_long_term_frames_come_from_the_whole_video():
    index, rng = video(200), np.random.default_rng(1)
    clips = [DiverseSampler(max_stride=3).sample(index, rng) for _ in range(2000)]
    for position in (0, 1, 2):
        drawn = np.array([clip.frames[position] for clip in clips])
        counts = np.histogram(drawn, bins=10, range=(0, 200))[0]
        # 200 expected in each tenth; six standard deviations of a binomial.
        assert (np.abs(counts - 200) < 6 * np.sqrt(200 * 0.9)).all()
    gaps = np.array([abs(clip.frames[1] - clip.frames[3]) for clip in clips])
    assert np.median(gaps) > 40
    assert 0.4 < np.mean([clip.frames[4] > clip.frames[3] for clip in clips]) < 0.6


def test_short_videos_and_empty_ones_give_no_clip():
    rng = np.random.default_rng(0)
    assert DiverseSampler().sample(video(7), rng) is None
    assert DiverseSampler().sample(video(30, absent=1.0), rng) is None
    assert DiverseSampler().frames == 8
