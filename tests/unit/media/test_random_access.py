"""Any frame in any order is the very one that reading from the beginning gives."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from footage import FAST, Clip, numbered
from sam2s.errors import InputError
from sam2s.media.frames import open_frames
from sam2s.media.random_access import RandomAccess

KINDS = {
    "mp4": Clip(".mp4", count=40, options={"g": "12"}, muxer=FAST),
    "mp4 with open groups": Clip(
        ".mp4", count=40, options={"g": "12", "bf": "3", "x264-params": "open-gop=1"}, muxer=FAST
    ),
    "mkv": Clip(".mkv", count=40, options={"g": "12"}),
    "ts": Clip(".ts", count=40, options={"g": "12"}),
    "avi": Clip(".avi", count=40, options={"g": "12", "bf": "0"}),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_frames_in_any_order_are_the_same(tmp_path: Path, kind: str):
    path = KINDS[kind].write(tmp_path, "op")
    with open_frames(path) as source:
        whole = list(source)
        access = RandomAccess(source)
        assert access.times == tuple(frame.time for frame in whole)
        for index in (39, 0, 13, 12, 11, 25, 24, 38, 1):
            frame = access.frame(index)
            assert (frame.index, frame.time) == (index, whole[index].time)
            np.testing.assert_array_equal(frame.image, whole[index].image)
        backward = list(access.backward(38, 3))
        assert [frame.index for frame in backward] == list(range(38, 2, -1))
        for frame in backward:
            np.testing.assert_array_equal(frame.image, whole[frame.index].image)


def test_a_late_frame_costs_the_pictures_since_its_key_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = KINDS["mp4"].write(tmp_path, "op")
    with open_frames(path) as source:
        access = RandomAccess(source)
        assert len(access.times) == 40
        monkeypatch.setattr(type(source), "frames", None)  # not from the beginning
        assert access.frame(30).index == 30


def test_times_name_frames(tmp_path: Path):
    with open_frames(KINDS["mp4"].write(tmp_path, "op")) as source:
        access = RandomAccess(source)
        step = access.times[1] - access.times[0]
        for index in (0, 1, 17, 39):
            assert access.at(access.times[index]) == index
            assert access.at(access.times[index] + 0.9 * step) == index
        for seconds in (-0.01, 40 * step + 0.01):
            with pytest.raises(InputError, match=r"op\.mp4: runs|op\.mp4 runs from"):
                access.at(seconds)


def test_folders_and_arrays(tmp_path: Path):
    for k in range(5):
        Image.fromarray(numbered(k)).save(tmp_path / f"{k}.png")
    access = RandomAccess(open_frames(tmp_path, fps=10.0))
    assert [frame.index for frame in access.backward(3, 1)] == [3, 2, 1]
    assert access.at(0.25) == 2
    with pytest.raises(InputError, match="has no clock"):
        RandomAccess(open_frames(tmp_path)).at(0.1)
    with pytest.raises(InputError, match="has frames 0 to 4"):
        access.frame(9)


def test_pictures_go_when_they_are_no_longer_needed(tmp_path: Path):
    """Without the garbage collector: it comes by too seldom for things of some MB."""
    with open_frames(KINDS["mp4"].write(tmp_path, "op")) as source:
        access = RandomAccess(source)
        access.index()
        gc.collect()
        gc.disable()
        before = pictures_in_memory()  # those of other tests that are still held
        try:
            for index in (30, 5, 17, 39):
                access.frame(index)
            left = pictures_in_memory() - before
        finally:
            gc.enable()
    assert left <= 1, "the one that was decoded last"


def pictures_in_memory() -> int:
    return sum(type(one) is VideoFrame for one in gc.get_objects())
