"""Which frames of sparsely labelled videos a sampler is shown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.clips.clips import NOT_ANNOTATED, ClipSampler, ConsecutiveSampler, VideoIndex
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.clips.sparse import gives_clips, is_sparse, labelled_frames, sample_clip, shown_frames


def index_of(frames: int, labelled: set[int]) -> VideoIndex:
    areas = np.array([[50 if t in labelled else NOT_ANNOTATED for t in range(frames)]])
    return VideoIndex("video", (1,), areas, pixels=1000)


def test_half_of_the_frames_make_a_video_dense() -> None:
    assert not is_sparse(index_of(10, {0, 2, 4, 6, 8}))
    assert is_sparse(index_of(10, {0, 3, 6, 9}))
    assert labelled_frames(index_of(10, {7, 3})).tolist() == [3, 7]


def test_gaps_are_filled_from_their_middle() -> None:
    assert shown_frames(index_of(40, {4, 10, 30}), 3).tolist() == [4, 10, 30]
    assert shown_frames(index_of(40, {4, 10, 30}), 6).tolist() == [4, 10, 15, 20, 25, 30]
    assert shown_frames(index_of(4, {1}), 8).tolist() == [0, 1, 2, 3]


def test_dense_videos_are_sampled_as_ever() -> None:
    video = index_of(20, set(range(0, 20, 2)) | {1})
    sampler = ConsecutiveSampler(frames=4, max_stride=3)
    draws = [
        sample(video, np.random.default_rng(5))
        for sample in (sampler.sample, lambda v, r: sample_clip(sampler, v, r))
    ]
    assert draws[0] == draws[1]


@pytest.mark.parametrize(
    "sampler", [ConsecutiveSampler(frames=4, max_stride=2), DiverseSampler(recent=2, long_term=1)]
)
@settings(deadline=None, max_examples=60)
@given(labelled=st.sets(st.integers(0, 59), min_size=2, max_size=12), seed=st.integers(0, 999))
def test_clips_of_sparse_videos_are_judged_twice_or_more(
    sampler: ClipSampler, labelled: set[int], seed: int
) -> None:
    video = index_of(60, labelled)
    assert gives_clips(np.array([60]), np.array([len(labelled)]), sampler.frames).all()
    clip = sample_clip(sampler, video, np.random.default_rng(seed))
    if clip is None:
        return  # a scattered sampler may choose its conditioning frame among those without a label
    assert len(set(clip.frames)) == sampler.frames
    assert clip.frames[0] in labelled
    assert sum(frame in labelled for frame in clip.frames) >= 2
    if len(labelled) >= sampler.frames:
        assert set(clip.frames) <= labelled


def test_too_short_or_hardly_labelled_videos_give_no_clips() -> None:
    assert gives_clips(np.array([3, 4, 4, 1]), np.array([3, 1, 2, 1]), 4).tolist() == [
        False,
        False,
        True,
        False,
    ]
    assert gives_clips(np.array([3, 1, 5]), np.array([1, 1, 0]), 1).tolist() == [True, True, False]
