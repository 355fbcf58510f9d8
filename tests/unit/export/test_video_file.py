"""Video files that are written, read back with FFmpeg."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from footage import number_of, numbered
from sam2s.errors import InputError
from sam2s.export import video_file
from sam2s.export.video_file import (
    ENCODERS,
    VideoWriter,
    check_video_path,
    find_encoder,
    write_video,
)
from sam2s.media.frames import open_frames
from sam2s.types import Frame

AT_HAND = [name for name in ENCODERS if name in av.codecs_available]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".MP4"])
def test_frames_and_rate_come_back(suffix: str, tmp_path: Path):
    path = tmp_path / f"out{suffix}"
    assert write_video(path, (numbered(i) for i in range(20)), 30000 / 1001) == 20
    with open_frames(path) as source:
        assert source.fps == pytest.approx(30000 / 1001)
        assert source.count == 20
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == pytest.approx(
        [i * 1001 / 30000 for i in range(20)], abs=6e-4
    )
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("encoder", AT_HAND)
def test_variable_rate_keeps_its_times(encoder: str, tmp_path: Path):
    times = [7.0, 7.04, 7.08, 7.5, 7.51, 7.9, 9.0]
    with VideoWriter(tmp_path / "v.mp4", (64, 96), 25, encoder=encoder) as writer:
        for i, time in enumerate(times):
            writer.write(numbered(i), time)
    with open_frames(tmp_path / "v.mp4") as source:
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(7))
    assert [frame.time for frame in frames] == pytest.approx(
        [time - 7.0 for time in times], abs=2e-5
    )
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(2.04, abs=0.05)


@pytest.mark.parametrize("encoder", AT_HAND)
def test_colours_survive(encoder: str, tmp_path: Path):
    image = np.empty((96, 128, 3), np.uint8)
    image[:, :64], image[:, 64:] = (200, 60, 50), (30, 120, 220)
    with VideoWriter(tmp_path / "v.mp4", (96, 128), 25, encoder=encoder) as writer:
        for _ in range(3):
            writer.write(image)
    with open_frames(tmp_path / "v.mp4") as source:
        shown = list(source)[-1].image.astype(int)
    for half in (np.s_[:, 8:56], np.s_[:, 72:120]):
        assert np.abs(shown[half] - image[half]).mean() < 8


def test_the_preferred_encoder_is_h264():
    assert find_encoder() in ("libx264", "libopenh264")


def test_without_h264_another_encoder_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(video_file.av, "codecs_available", {"libvpx-vp9", "mpeg4"})
    assert find_encoder() == "libvpx-vp9"
    monkeypatch.setattr(video_file.av, "codecs_available", {"mpeg4"})
    assert find_encoder() == "mpeg4"
    monkeypatch.setattr(video_file.av, "codecs_available", set())
    with pytest.raises(InputError, match="no video encoder"):
        find_encoder()


def test_odd_sides_are_padded(tmp_path: Path):
    write_video(tmp_path / "v.mp4", [numbered(i, (63, 97)) for i in range(3)])
    with open_frames(tmp_path / "v.mp4") as source:
        frames = list(source)
    assert frames[0].size == (64, 98)
    assert np.abs(frames[0].image[20:63, :97].astype(int) - numbered(0, (63, 97))[20:]).mean() < 8
    assert np.abs(frames[0].image[63].astype(int) - frames[0].image[62]).mean() < 8


def test_only_pictures_are_in_the_file_and_no_metadata(tmp_path: Path):
    write_video(tmp_path / "v.mp4", [numbered(0)])
    with av.open(str(tmp_path / "v.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        assert set(container.metadata) <= {
            "major_brand",
            "minor_version",
            "compatible_brands",
            "encoder",
        }


def test_the_index_comes_first_so_that_browsers_can_start(tmp_path: Path):
    write_video(tmp_path / "v.mp4", [numbered(0)])
    data = (tmp_path / "v.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_frames_bring_their_own_times(tmp_path: Path):
    write_video(
        tmp_path / "v.mp4", [Frame(5, 0.2, numbered(0)), Frame(6, 0.7, numbered(1))], fps=None
    )
    with open_frames(tmp_path / "v.mp4") as source:
        assert [frame.time for frame in source] == pytest.approx([0, 0.5], abs=1e-4)


def test_clocks_that_stand_still_or_jump_back_still_give_a_video(tmp_path: Path):
    times = [1.0, 1.0, 0.5, None, 1.1]
    write_video(tmp_path / "v.mp4", [Frame(i, time, numbered(i)) for i, time in enumerate(times)])
    with open_frames(tmp_path / "v.mp4") as source:
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert all(a.time < b.time for a, b in pairwise(frames))


def test_an_error_leaves_nothing_behind_and_the_old_file_alone(tmp_path: Path):
    (tmp_path / "v.mp4").write_bytes(b"old")

    def frames():
        yield numbered(0)
        raise RuntimeError("camera unplugged")

    with pytest.raises(RuntimeError, match="unplugged"):
        write_video(tmp_path / "v.mp4", frames())
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("v.mp4", b"old")]


def test_what_cannot_be_written(tmp_path: Path):
    with pytest.raises(InputError, match="no frames"):
        write_video(tmp_path / "v.mp4", [])
    with pytest.raises(InputError, match=r"must end in \.mkv, \.mov, \.mp4"):
        write_video(tmp_path / "v.gif", [numbered(0)])
    (tmp_path / "d.mp4").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_video_path(tmp_path / "d.mp4")
    with pytest.raises(InputError, match=r"expected pictures \(64, 96, 3\)"):
        write_video(tmp_path / "v.mp4", [numbered(0), numbered(1, (32, 96))])
    assert [p.name for p in tmp_path.iterdir()] == ["d.mp4"]


def test_a_size_that_the_encoder_refuses(tmp_path: Path):
    with pytest.raises(InputError, match="cannot encode 40000 x 2 pixels"):
        write_video(tmp_path / "v.mp4", [np.zeros((2, 40000, 3), np.uint8)])
    assert list(tmp_path.iterdir()) == []


def test_a_writer_can_be_closed_twice_and_without_frames(tmp_path: Path):
    writer = VideoWriter(tmp_path / "v.mp4", (64, 96), float(Fraction(24000, 1001)))
    writer.close()
    writer.close()
    writer.discard()


def test_names_that_look_like_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for name in ["rtp:x %03d é.mp4", "-y.mp4"]:
        write_video(name, [numbered(3)])
        with open_frames(name) as source:
            assert [number_of(frame.image) for frame in source] == [3]
