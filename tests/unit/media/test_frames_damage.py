"""Damaged and truncated videos: every good frame comes, then ``DamagedSource`` says where it
broke."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from footage import BFRAMES, FAST, HEALTHY, VFR_TICKS, Clip, boxes, number_of, packets
from sam2s.errors import DamagedSource, InputError, Sam2sError
from sam2s.media.container import missing_bytes
from sam2s.media.frames import open_frames
from sam2s.media.rhythm import Rhythm
from sam2s.media.streams import stated_end
from sam2s.types import Frame


def read(path: Path) -> tuple[list[Frame], Sam2sError | None]:
    frames: list[Frame] = []
    try:
        with open_frames(path) as source:
            frames.extend(source)
    except Sam2sError as error:
        return frames, error
    return frames, None


def same(left: list[Frame], right: list[Frame]) -> bool:
    return all(
        a.time == b.time and np.array_equal(a.image, b.image)
        for a, b in zip(left, right, strict=False)
    )


TELLS_ITS_LENGTH = {
    "mp4": Clip(".mp4", options=BFRAMES, muxer=FAST),
    "vfr mp4": Clip(
        ".mp4", ticks=VFR_TICKS, time_base=HEALTHY["vfr"].time_base, options=BFRAMES, muxer=FAST
    ),
    "fragmented mp4": HEALTHY["fragmented"],
    "mkv": HEALTHY["mkv"],
    "vfr mkv": HEALTHY["vfr mkv"],
    "avi": HEALTHY["avi"],
    "vp8": HEALTHY["vp8 hidden frames"],
    "vp9": HEALTHY["vp9 hidden frames"],
}


@pytest.mark.parametrize("name", TELLS_ITS_LENGTH)
def test_a_file_cut_anywhere_gives_its_frames_and_then_says_where(name: str, tmp_path: Path):
    path = TELLS_ITS_LENGTH[name].write(tmp_path)
    whole, error = read(path)
    assert error is None
    data, cut = path.read_bytes(), tmp_path / f"cut{path.suffix}"
    dice = random.Random(name)
    lengths = []
    for _ in range(12):
        cut.write_bytes(data[: dice.randrange(len(data) // 3, len(data) - 8)])
        frames, error = read(cut)
        assert same(frames, whole)
        assert [number_of(frame.image) for frame in frames] == list(range(len(frames)))
        if isinstance(error, DamagedSource):
            assert error.index == len(frames)
            assert f"cut{path.suffix}: broken at frame {len(frames)}" in str(error)
        elif not isinstance(
            error, InputError
        ):  # cut behind the last frame of a fragment, or in the index of an AVI
            assert name == "fragmented mp4" or len(frames) == 30
        lengths.append(len(frames))
    assert len(set(lengths)) > 3


def test_the_report_names_frame_time_and_cause(tmp_path: Path):
    path = Clip(".mp4", options={"bf": "0"}, muxer=FAST).write(tmp_path)
    position, size = packets(path)[20]
    path.write_bytes(path.read_bytes()[: position + size // 2])
    frames, error = read(path)
    assert len(frames) == 20
    assert isinstance(error, DamagedSource)
    assert str(error) == "clip.mp4: broken at frame 20 (0.800 s): the file is cut short or damaged"
    assert (error.index, error.time, error.exit_code) == (20, pytest.approx(0.8), 3)


def test_between_two_packets_the_file_is_still_seen_to_be_short(tmp_path: Path):
    path = Clip(".mp4", options={"bf": "0"}, muxer=FAST).write(tmp_path)
    path.write_bytes(path.read_bytes()[: packets(path)[20][0]])
    frames, error = read(path)
    assert isinstance(error, DamagedSource)
    assert (len(frames), error.index, error.time) == (20, 20, pytest.approx(0.8))


def test_frames_behind_a_lost_b_frame_are_not_given(tmp_path: Path):
    """Decoded before it, shown after it: with them every later number would be one off."""
    path = Clip(".mp4", options=BFRAMES, muxer=FAST).write(tmp_path)
    data = path.read_bytes()
    for position, _ in packets(path)[2:14]:
        path.write_bytes(data[:position])
        frames, error = read(path)
        assert [number_of(frame.image) for frame in frames] == list(range(len(frames)))
        assert isinstance(error, DamagedSource)
        assert error.time == pytest.approx(len(frames) / 25)


@pytest.mark.parametrize("name", ["mpeg-ts", "flv", "raw h264"])
def test_formats_without_a_length_end_quietly_or_say_so(name: str, tmp_path: Path):
    path = HEALTHY[name].write(tmp_path)
    whole, _ = read(path)
    data, cut = path.read_bytes(), tmp_path / f"cut{path.suffix}"
    dice = random.Random(name)
    for _ in range(10):
        cut.write_bytes(data[: dice.randrange(len(data) // 2, len(data))])
        frames, error = read(cut)
        assert len(frames) > 3
        if isinstance(error, DamagedSource):
            assert error.index == len(frames)
        assert same(frames[:-3], whole)


@pytest.mark.parametrize("name", ["mp4", "mkv", "motion jpeg"])
def test_a_hole_in_the_data_is_a_break(name: str, tmp_path: Path):
    """Zeros from the first bytes of a packet to its end, as a failing disk leaves them."""
    path = {**HEALTHY, **TELLS_ITS_LENGTH}[name].write(tmp_path)
    whole, _ = read(path)
    position, size = max(packets(path)[11:20], key=lambda packet: packet[1])
    data = bytearray(path.read_bytes())
    first, last = position + 10, position + size
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    frames, error = read(path)
    assert isinstance(error, DamagedSource)
    assert 5 < error.index == len(frames) < 20
    assert same(frames, whole)


@pytest.mark.parametrize(
    "name", ["mp4", "vfr mkv", "mpeg-ts", "avi", "vp9", "png in mov", "h264 in avi"]
)
def test_flipped_bits_give_frames_and_one_of_our_errors_at_most(name: str, tmp_path: Path):
    path = {**HEALTHY, **TELLS_ITS_LENGTH}[name].write(tmp_path)
    data = path.read_bytes()
    dice = random.Random(name)
    reported = 0
    for _ in range(20):
        broken = bytearray(data)
        for _ in range(dice.choice([1, 4, 20])):
            broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        path.write_bytes(broken)
        frames, error = read(path)
        assert [frame.index for frame in frames] == list(range(len(frames)))
        if isinstance(error, DamagedSource):
            assert error.index == len(frames)
        reported += error is not None
    assert reported > 4 or name == "vp9"  # VP9 decodes any bits to some picture


def test_a_picture_made_from_a_damaged_one_is_not_given(tmp_path: Path):
    """B-frames lean on a frame shown after them: when that one is damaged they are, too, and nobody
    marks them."""
    path = Clip(
        ".mp4", count=40, options={"bf": "3", "b-pyramid": "none", "b-adapt": "0"}, muxer=FAST
    ).write(tmp_path)
    whole, _ = read(path)
    data = path.read_bytes()
    found = 0
    for position, size in packets(path)[4:40:4]:
        broken = bytearray(data)
        broken[position + size // 2] ^= 0x55
        path.write_bytes(broken)
        frames, error = read(path)
        if error is not None:
            found += 1
            assert same(frames, whole)
    assert found > 2


def test_a_first_frame_that_cannot_be_decoded_is_a_break_at_frame_0(tmp_path: Path):
    path = Clip(".mp4", options={"bf": "0"}, muxer=FAST).write(tmp_path)
    position, size = packets(path)[0]
    data = bytearray(path.read_bytes())
    data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    frames, error = read(path)
    assert frames == []
    assert isinstance(error, DamagedSource)
    assert error.index == 0


def test_joined_transport_streams_are_whole(tmp_path: Path):
    """Recorders are joined with ``cat``: the clock starts anew and counters jump, but every frame
    is there."""
    path = Clip(".ts", count=12, options={"bf": "0"}).write(tmp_path)
    path.write_bytes(path.read_bytes() * 2)
    frames, error = read(path)
    assert error is None
    assert [number_of(frame.image) for frame in frames] == [*range(12), *range(12)]


def test_a_transport_stream_that_begins_in_mid_picture_group(tmp_path: Path):
    path = Clip(".ts", count=40, options={"bf": "0"}).write(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:564] + data[564 + 188 * 8 :])  # the tables stay, the first frames go
    frames, error = read(path)
    assert error is None
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers == list(range(numbers[0], 40))
    assert 0 < numbers[0] <= 10


@pytest.mark.parametrize("name", HEALTHY)
def test_whole_files_miss_no_bytes(name: str, tmp_path: Path):
    assert missing_bytes(HEALTHY[name].write(tmp_path)) == 0


@pytest.mark.parametrize("name", ["mp4", "fragmented mp4", "mkv", "avi"])
def test_missing_bytes_are_counted(name: str, tmp_path: Path):
    path = TELLS_ITS_LENGTH[name].write(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-40])
    assert missing_bytes(path) in (39, 40)


def test_boxes_with_long_and_open_lengths(tmp_path: Path):
    path = tmp_path / "x.mp4"
    head = (8).to_bytes(4, "big") + b"ftyp"
    long_box = (1).to_bytes(4, "big") + b"mdat" + (100).to_bytes(8, "big") + bytes(20)
    path.write_bytes(head + long_box)
    assert missing_bytes(path) == 64
    path.write_bytes(head + bytes(4) + b"mdat" + bytes(20))
    assert missing_bytes(path) == 0
    path.write_bytes(head + (3).to_bytes(4, "big") + b"mdat" + bytes(20))
    assert missing_bytes(path) == 0


def test_a_live_matroska_has_no_length(tmp_path: Path):
    path = Clip(".mkv", muxer={"live": "1"}).write(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    assert missing_bytes(path) == 0
    path.write_bytes(b"\x1a\x45\xdf\xa3\x00")
    assert missing_bytes(path) == 0


def test_a_matroska_whose_middle_is_skipped_ends_too_early(tmp_path: Path):
    """A damaged cluster can make the demuxer jump to the end of the file without a word."""
    path = Clip(".mkv", count=60, ticks=range(0, 240, 4), options={"bf": "0"}).write(tmp_path)
    data = bytearray(path.read_bytes())
    position, _ = packets(path)[30]
    data[position - 30 :] = bytes(len(data) - position + 30)
    path.write_bytes(data)
    assert missing_bytes(path) == 0
    frames, error = read(path)
    assert isinstance(error, DamagedSource)
    assert 20 < error.index == len(frames) <= 30


def test_stated_ends():
    assert stated_end({"DURATION": "01:02:03.500000000"}) == 3723.5
    assert stated_end({"DURATION": "soon"}) is None
    assert stated_end({}) is None


def test_a_skip_is_only_seen_in_an_even_rhythm():
    even, uneven = Rhythm(), Rhythm()
    for even_pts, uneven_pts in zip((0, 10, 20, 30), (0, 10, 25, 30), strict=True):
        even.note(even_pts)
        uneven.note(uneven_pts)
    assert even.skips(50)
    assert not even.skips(40)
    assert not uneven.skips(50)
    assert not Rhythm().skips(50)


def test_the_box_walker_of_these_tests_finds_boxes(tmp_path: Path):
    data = HEALTHY["cfr"].write(tmp_path).read_bytes()
    assert len(boxes(data, "moov/trak/tkhd")) == 1
