"""Clocks that containers tell wrongly: repeated pictures, joins, swapped and missing stamps."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from av.bitstream import BitStreamFilterContext
from hypothesis import given
from hypothesis import strategies as st

from footage import BFRAMES, Clip, number_of, numbered
from sam2s.export.video_file import write_video
from sam2s.media.clock import Clock
from sam2s.media.frames import open_frames
from sam2s.types import Frame


def shown(stamps: list[float | None], step: float = 0.1) -> list[float | None]:
    clock = Clock(step)
    return [clock.time(stamp) for stamp in stamps]


def test_rising_stamps_stay_as_they_are():
    stamps = [-0.4, 0.0, 0.1, 7.5, 7.6, 3600.0]
    assert shown(stamps) == stamps


def test_after_a_jump_back_the_clock_goes_on_by_a_frame_and_keeps_its_distances():
    stamps = [5.0, 5.1, 5.2, 0.0, 0.1, 0.4, 0.0, 0.1]
    assert shown(stamps) == pytest.approx([5.0, 5.1, 5.2, 5.3, 5.4, 5.7, 5.8, 5.9])


def test_doubled_stamps_do_not_slow_the_clock():
    stamps = [0.0, 0.0, 0.2, 0.2, 0.4, 0.4, 0.6]
    assert shown(stamps) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def test_a_clock_that_stands_still_goes_on_by_frames():
    assert shown([2.0] * 4) == pytest.approx([2.0, 2.1, 2.2, 2.3])


def test_missing_stamps_are_filled_once_the_clock_has_begun():
    assert shown([None, None, 1.0, None, 1.2]) == pytest.approx([None, None, 1.0, 1.1, 1.2])
    assert shown([None, None]) == [None, None]


@given(st.lists(st.none() | st.floats(-1e4, 1e4), max_size=40), st.floats(1e-3, 10))
def test_times_rise_whatever_the_stamps_are(stamps: list[float | None], step: float):
    times = [time for time in shown(stamps, step) if time is not None]
    assert all(later > earlier for earlier, later in pairwise(times))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40), st.floats(-100, 100))
def test_a_clock_that_runs_forwards_is_never_touched(steps: list[int], start: float):
    stamps = [start + sum(steps[:i]) / 25 for i in range(len(steps))]
    assert shown([*stamps]) == stamps


# ---------------------------------------- AVI: one rate, empty chunks where nothing changes

GAPS = (0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 30)


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize("frames_between", ["0", "2"])
def test_the_kth_frame_has_the_time_of_the_kth_chunk_that_holds_something(
    codec: str, frames_between: str, tmp_path: Path
):
    clip = Clip(".avi", codec=codec, count=15, ticks=GAPS, options={"bf": frames_between})
    path = clip.write(tmp_path)
    with av.open(str(path)) as container:
        chunks = [packet.dts for packet in container.demux(video=0) if packet.size]
    with open_frames(path) as source:
        frames = list(source)
        assert source.count == 15
    assert [number_of(frame.image) for frame in frames] == list(range(15))
    assert [frame.time for frame in frames] == pytest.approx([chunk / 25 for chunk in chunks])
    if frames_between == "0":
        assert chunks == list(GAPS)


def remuxed(source: Path, target: Path) -> Path:
    """The packets of ``source`` in another container, as ``ffmpeg -c copy`` writes them."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        annexb = BitStreamFilterContext("h264_mp4toannexb", stream, copy)
        for packet in given.demux(stream):
            if packet.size:
                packet.stream = copy
                made.mux(annexb.filter(packet))
    return target


def test_a_rate_that_counts_empty_chunks_is_not_believed(tmp_path: Path):
    """Copied from MP4, H.264 with B-frames comes at twice the rate, with every other chunk
    empty."""
    clip = Clip(".mp4", count=20, options={"bf": "2"}, time_base=Fraction(1, 25))
    path = remuxed(clip.write(tmp_path), tmp_path / "copy.avi")
    with open_frames(path) as source:
        frames = list(source)
        assert source.fps == pytest.approx(25, rel=0.03)
        assert source.count == 20
    start = frames[0].time
    assert [frame.time - start for frame in frames] == pytest.approx([i / 25 for i in range(20)])
    write_video(tmp_path / "overlay.mp4", frames)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(20 / 25, abs=0.01)


# ---------------------------------------- joins


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_joined_recordings_last_as_long_as_both(suffix: str, times: int, tmp_path: Path):
    codec = "libx264" if suffix == ".ts" else "mpeg2video"
    path = Clip(suffix, codec=codec, count=12, options={"bf": "0"}).write(tmp_path)
    path.write_bytes(path.read_bytes() * times)
    with open_frames(path) as source:
        frames = list(source)
    count = 12 * times
    assert [number_of(frame.image) for frame in frames] == [*range(12)] * times
    assert [frame.time - frames[0].time for frame in frames] == pytest.approx(
        [i / 25 for i in range(count)], abs=1e-3
    )
    write_video(tmp_path / "overlay.mp4", frames)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(count / 25, abs=0.01)


def test_a_pause_between_joined_recordings_stays_a_pause(tmp_path: Path):
    first = Clip(".ts", count=12, options={"bf": "0"}).write(tmp_path, "a")
    later = Clip(".ts", count=12, options={"bf": "0"}, ticks=range(500, 512)).write(tmp_path, "b")
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + later.read_bytes())
    with open_frames(both) as source:
        times = [frame.time for frame in source]
    assert times[12] - times[11] == pytest.approx(489 / 25, abs=1e-3)


def test_an_overlay_goes_on_where_frames_of_a_program_jump_back(tmp_path: Path):
    times = [5.0, 5.1, 5.2, 0.0, 0.1, 0.2]
    write_video(tmp_path / "v.mp4", [Frame(i, t, numbered(i)) for i, t in enumerate(times)], fps=10)
    with open_frames(tmp_path / "v.mp4") as source:
        assert [frame.time for frame in source] == pytest.approx(
            [i / 10 for i in range(6)], abs=1e-3
        )


# ---------------------------------------- starts, gaps, edit lists


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_long_gaps_are_kept(suffix: str, tmp_path: Path):
    ticks = (0, 1, 2, 50_000, 50_001, 90_000)
    clip = Clip(suffix, count=6, ticks=ticks, options={"bf": "0"})
    with open_frames(clip.write(tmp_path)) as source:
        times = [frame.time for frame in source]
    assert times == pytest.approx([tick / 25 for tick in ticks], abs=2e-3)


def test_what_an_edit_list_hides_is_not_counted(tmp_path: Path):
    path = remuxed_from(Clip(".mp4", options=BFRAMES).write(tmp_path), tmp_path / "cut.mp4", 14)
    with open_frames(path) as source:
        stated = source.count
        frames = list(source)
        assert (stated, source.count, source.count_exact) == (len(frames),) * 2 + (True,)
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers == list(range(numbers[0], 30))
    assert numbers[0] > 10


def remuxed_from(source: Path, target: Path, first: int) -> Path:
    """As ``ffmpeg -ss TIME -c copy``: from the key frame before, hidden up to ``first``."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        begin = round(first / 25 / stream.time_base)
        packets = [packet for packet in given.demux(stream) if packet.size]
        key = max(i for i, p in enumerate(packets) if p.is_keyframe and p.pts <= begin)
        for packet in packets[key:]:
            packet.pts, packet.dts = packet.pts - begin, packet.dts - begin
            packet.stream = copy
            made.mux(packet)
    return target
