"""The newest frame of a live source, and cameras by number."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from footage import HEALTHY, number_of, numbered
from sam2s.errors import DamagedSource, InputError
from sam2s.media import address
from sam2s.media.frames import open_frames
from sam2s.media.latest import LatestFrames
from sam2s.media.random_access import RandomAccess
from sam2s.types import Frame


class Camera:
    """Pictures in bursts: the next burst comes when ``go`` is set, ``shown`` once it was read."""

    def __init__(self, *bursts: int) -> None:
        self.bursts = bursts
        self.go, self.shown = threading.Event(), threading.Event()

    def __iter__(self) -> Iterator[np.ndarray]:
        index = 0
        for burst in self.bursts:
            for _ in range(burst):
                yield numbered(index)
                index += 1
            self.shown.set()
            self.go.wait(5)
            self.go.clear()

    def burst(self) -> None:
        self.shown.clear()
        self.go.set()
        assert self.shown.wait(5)


def open_latest(source: object) -> LatestFrames:
    frames = open_frames(source, latest=True)  # type: ignore[arg-type]
    assert isinstance(frames, LatestFrames)
    return frames


def test_the_newest_frame_is_given_and_older_ones_are_counted():
    camera = Camera(5, 1, 3)
    with open_latest(iter(camera)) as source:
        assert source.size == (64, 96)
        assert camera.shown.wait(5)
        frames = iter(source)
        first = next(frames)
        assert (first.index, number_of(first.image), source.dropped) == (4, 4, 4)
        camera.burst()
        assert (next(frames).index, source.dropped) == (5, 4)
        camera.burst()
        last = next(iter(source))  # left, and taken up again
        assert (last.index, number_of(last.image), source.dropped) == (8, 8, 6)
        camera.go.set()
        assert list(source) == []


def test_a_frame_tells_when_it_came():
    camera = Camera(1)
    before = time.perf_counter()
    with open_latest(iter(camera)) as source:
        assert source.size
        assert camera.shown.wait(5)
        after = time.perf_counter()
        arrived = next(iter(source)).arrived
        assert arrived is not None
        assert before < arrived < after
        camera.go.set()


def test_frames_keep_their_own_clock():
    with open_latest(iter([Frame(7, 1.5, numbered(7), 0.25)])) as source:
        (frame,) = source
    assert (frame.index, frame.time, frame.arrived) == (7, 1.5, 0.25)


def test_a_pipe_loses_nothing_unseen(tmp_path: Path):
    video = HEALTHY["mpeg-ts"].write(tmp_path).read_bytes()
    pipe = tmp_path / "live"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(video,))
    writer.start()
    given = []
    with open_latest(f"pipe:{pipe}") as source:
        for frame in source:
            given.append(frame.index)
            assert number_of(frame.image) == frame.index
            time.sleep(0.01)
        assert given == sorted(set(given))
        assert given[-1] == 29
        assert len(given) + source.dropped == 30
    writer.join(5)


def test_what_breaks_the_source_is_said_after_its_last_frame():
    camera = iter([numbered(0), numbered(1), np.zeros((8, 8, 3), np.uint8)])
    seen = []
    with open_latest(camera) as source, pytest.raises(DamagedSource, match="8 x 8 pixels"):
        seen.extend(source)
    assert [frame.index for frame in seen][-1] == 1


def test_a_source_without_frames():
    with open_latest(iter([])) as source, pytest.raises(InputError, match="no frames"):
        assert source.size


def test_closing_ends_the_thread():
    def endless() -> Iterator[np.ndarray]:
        for index in count():
            time.sleep(0.001)
            yield numbered(index % 256)

    source = open_latest(endless())
    next(iter(source))
    assert "frames of array" in {thread.name for thread in threading.enumerate()}
    source.close()
    assert "frames of array" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(InputError, match="was closed"):
        next(iter(source))
    open_latest(endless()).close()  # never read


def test_nothing_live_is_never_dropped(tmp_path: Path):
    video = HEALTHY["cfr"].write(tmp_path)
    for source in (video, [numbered(0)], np.zeros((2, 8, 8, 3), np.uint8)):
        with pytest.raises(InputError, match="leave latest out"):
            open_latest(source)


def test_a_live_source_has_no_frames_to_go_back_to():
    with (
        open_latest(iter([numbered(0)])) as source,
        pytest.raises(InputError, match="record it first"),
    ):
        RandomAccess(source).frame(0)


def test_cameras_by_number(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(address.sys, "platform", "linux")
    monkeypatch.setattr(address.os.path, "exists", lambda path: path == "/dev/video1")
    monkeypatch.setattr(address.os, "listdir", lambda path: ["null", "video1"])
    assert address.camera(1) == "v4l2:/dev/video1"
    with pytest.raises(InputError, match=r"no v4l2:/dev/video0 \(cameras: video1\)"):
        open_frames(0)
    monkeypatch.setattr(address.os, "listdir", lambda path: ["null"])
    with pytest.raises(InputError, match="this machine has no camera"):
        open_frames(np.int64(0))  # type: ignore[arg-type]
    monkeypatch.setattr(address.sys, "platform", "darwin")
    assert address.camera(0) == "avfoundation:0"
    monkeypatch.setattr(address.sys, "platform", "win32")
    with pytest.raises(InputError, match="dshow:video=NAME"):
        open_frames(0)
    with pytest.raises(InputError, match="cannot read frames from bool"):
        open_frames(True)
