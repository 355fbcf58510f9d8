"""Which frames and objects make a clip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.clips.clips import NOT_ANNOTATED, ConsecutiveSampler, VideoIndex


def index_of(areas: list[list[int]], ids: tuple[int, ...] = ()) -> VideoIndex:
    table = np.array(areas)
    return VideoIndex("video", ids or tuple(range(1, len(table) + 1)), table, pixels=1000)


@settings(deadline=None, max_examples=100)
@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(1, 8),
    length=st.integers(1, 40),
    stride=st.integers(1, 9),
    objects=st.integers(1, 5),
)
def test_clips_keep_the_rules(
    seed: int, frames: int, length: int, stride: int, objects: int
) -> None:
    rng = np.random.default_rng(seed)
    video = index_of(rng.choice([NOT_ANNOTATED, 0, 1, 30], (objects, length)).tolist())
    sampler = ConsecutiveSampler(frames=frames, max_objects=2, max_stride=stride, absence=0.5)
    clip = sampler.sample(video, rng)
    if clip is None:
        return
    steps = np.diff(clip.frames)
    assert len(clip.frames) == frames
    assert all(0 <= frame < length for frame in clip.frames)
    assert len(set(np.sign(steps))) <= 1
    assert len(set(steps)) <= 1
    assert all(1 <= abs(step) <= stride for step in steps)
    assert clip.times == tuple(range(frames))
    assert 1 <= len(clip.objects) <= 2
    assert all(video.areas[video.object_ids.index(o), clip.frames[0]] > 0 for o in clip.objects)


def test_reversal_and_strides_all_occur() -> None:
    video = index_of([[50] * 30])
    rng = np.random.default_rng(0)
    clips = [ConsecutiveSampler(frames=4, max_stride=3).sample(video, rng) for _ in range(300)]
    steps = [clip.frames[1] - clip.frames[0] for clip in clips if clip]
    assert set(steps) == {-3, -2, -1, 1, 2, 3}
    assert 110 < sum(step < 0 for step in steps) < 190


def test_stride_is_cut_to_a_short_video() -> None:
    clip = ConsecutiveSampler(frames=5, max_stride=8, reverse=0.0).sample(
        index_of([[9] * 9]), np.random.default_rng(1)
    )
    assert clip is not None
    assert clip.frames[-1] - clip.frames[0] in (4, 8)


def test_too_short_or_empty_videos_give_no_clip() -> None:
    rng = np.random.default_rng(0)
    assert ConsecutiveSampler(frames=8).sample(index_of([[5] * 7]), rng) is None
    assert (
        ConsecutiveSampler(frames=2).sample(index_of([[0] * 7, [NOT_ANNOTATED] * 7]), rng) is None
    )


def test_specks_on_the_first_frame_are_not_prompted() -> None:
    video = index_of([[4] * 6, [6] * 6], ids=(3, 8))
    clip = ConsecutiveSampler(frames=3, min_area=0.005).sample(video, np.random.default_rng(0))
    assert clip is not None
    assert clip.objects == (8,)


@pytest.mark.parametrize(("wanted", "least", "most"), [(0.0, 0, 70), (1.0, 150, 200)])
def test_absence_is_sought(wanted: float, least: int, most: int) -> None:
    video = index_of([[50] * 6 + [0] * 3 + [50] * 6])
    sampler = ConsecutiveSampler(frames=3, absence=wanted)
    rng = np.random.default_rng(0)
    shown = 0
    for _ in range(200):
        clip = sampler.sample(video, rng)
        assert clip is not None
        shown += bool((video.areas[0, list(clip.frames)] == 0).any())
    assert least <= shown <= most


def test_clips_whose_object_does_not_return_are_sought() -> None:
    video = index_of([[50] * 6 + [0] * 2 + [50] * 6])
    rng = np.random.default_rng(0)
    ends = []
    for gone in (0.0, 1.0):
        sampler = ConsecutiveSampler(frames=4, absence=1.0, gone=gone, tries=60)
        clips = [sampler.sample(video, rng) for _ in range(100)]
        ends.append(sum(video.areas[0, clip.frames[-1]] == 0 for clip in clips if clip is not None))
    assert ends[0] < 80
    assert ends[1] == 100


def test_a_clip_names_itself() -> None:
    clip = ConsecutiveSampler(frames=2, reverse=0.0).sample(
        index_of([[7, 7]], ids=(4,)), np.random.default_rng(0)
    )
    assert str(clip) == "video frames 0,1 objects 4"
