"""Healthy videos: every frame once, in order, upright, at the container's own time; and what is no
usable video."""

from __future__ import annotations

import os
import threading
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from footage import BFRAMES, HEALTHY, SIZE, Clip, boxes, number_of, numbered
from sam2s.errors import DamagedSource, InputError
from sam2s.media.frames import open_frames


@pytest.mark.parametrize("name", HEALTHY)
def test_every_frame_comes_once_in_order_at_its_time(name: str, tmp_path: Path):
    clip = HEALTHY[name]
    with open_frames(clip.write(tmp_path)) as source:
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(clip.count))
    assert [frame.index for frame in frames] == list(range(clip.count))
    assert all(
        frame.image.shape == (*SIZE, 3) and frame.image.flags.c_contiguous for frame in frames
    )
    if name == "raw h264":
        assert {frame.time for frame in frames} == {None}
        return
    shift = frames[0].time
    assert shift == pytest.approx(clip.times[0], abs=0.6)  # some formats start a little after 0
    assert [frame.time - shift for frame in frames] == pytest.approx(
        [time - clip.times[0] for time in clip.times], abs=6e-4
    )


def test_times_are_exactly_pts_times_time_base(tmp_path: Path):
    path = HEALTHY["vfr"].write(tmp_path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        expected = sorted(
            float(p.pts * stream.time_base) for p in container.demux(stream) if p.size
        )
    with open_frames(path) as source:
        assert [frame.time for frame in source] == expected


def test_fps_count_name_and_size(tmp_path: Path):
    path = HEALTHY["b-frames"].write(tmp_path, "my operation")
    with open_frames(path) as source:
        assert (source.name, source.path, source.fps, source.count, source.size) == (
            "my operation.mp4",
            path,
            25.0,
            30,
            SIZE,
        )
        assert not source.count_exact
        assert source.frame_name(7) == "00007"


def test_a_late_start_does_not_lengthen_the_count(tmp_path: Path):
    with open_frames(HEALTHY["starts late"].write(tmp_path)) as source:
        assert source.count == 30


def test_asking_for_the_size_costs_no_frame(tmp_path: Path):
    with open_frames(HEALTHY["cfr"].write(tmp_path)) as source:
        assert source.size == SIZE
        assert [frame.index for frame in source] == list(range(30))
        assert [frame.index for frame in source] == list(range(30))


@pytest.mark.parametrize("asked", [True, False])
def test_start_gives_the_same_frames_as_reading_on(asked: bool, tmp_path: Path):
    with open_frames(HEALTHY["b-frames"].write(tmp_path)) as source:
        whole = list(source)
        if asked:
            assert source.size == SIZE
        late = list(source.frames(13))
    assert [(f.index, f.time) for f in late] == [(f.index, f.time) for f in whole[13:]]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(late, whole[13:], strict=True))


def test_two_readers_at_once_do_not_disturb_each_other(tmp_path: Path):
    with open_frames(HEALTHY["cfr"].write(tmp_path)) as source:
        pairs = list(zip(source, source, strict=True))
    assert all(a is not b and np.array_equal(a.image, b.image) for a, b in pairs)


def test_a_closed_source_says_so(tmp_path: Path):
    source = open_frames(HEALTHY["cfr"].write(tmp_path))
    reading = iter(source)
    next(reading)
    reading.close()
    source.close()
    source.close()
    with pytest.raises(InputError, match="was closed"):
        next(iter(source))


def test_reading_a_part_leaves_no_file_open(tmp_path: Path):
    path = HEALTHY["cfr"].write(tmp_path)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for _ in range(3):
        with open_frames(path) as source:
            assert next(iter(source)).index == 0
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


TURNS = {
    "90 clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "180": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "90 counterclockwise": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda image: image[::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
}


@pytest.mark.parametrize("name", TURNS)
def test_rotation_and_mirroring_tags_are_applied(name: str, tmp_path: Path):
    path = HEALTHY["cfr"].write(tmp_path)
    with open_frames(path) as source:
        upright = [frame.image for frame in source]
    (a, b, c, d), turn = TURNS[name]
    data = bytearray(path.read_bytes())
    (header,) = boxes(bytes(data), "moov/trak/tkhd")
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    data[header + 40 : header + 76] = b"".join(
        value.to_bytes(4, "big", signed=True) for value in matrix
    )
    path.write_bytes(data)
    with open_frames(path) as source:
        assert source.size == turn(upright[0]).shape[:2]
        shown = [frame.image for frame in source]
    assert all(np.array_equal(s, turn(u)) for s, u in zip(shown, upright, strict=True))


def test_frames_outside_the_edit_list_are_not_missed(tmp_path: Path):
    path = HEALTHY["b-frames"].write(tmp_path)
    data = bytearray(path.read_bytes())
    (edit,) = boxes(bytes(data), "moov/trak/edts/elst")
    media_time = int.from_bytes(data[edit + 12 : edit + 16], "big")
    (media,) = boxes(bytes(data), "moov/trak/mdia/mdhd")
    timescale = int.from_bytes(data[media + 12 : media + 16], "big")
    data[edit + 12 : edit + 16] = (media_time + 4 * timescale // 25).to_bytes(4, "big")
    path.write_bytes(data)
    with open_frames(path) as source:
        assert [number_of(frame.image) for frame in source] == list(range(4, 30))


@pytest.mark.parametrize("name", ["rtp:1 ü.mp4", "100%03d.mp4", "-i.mp4", "a#b?c.mp4"])
def test_names_that_look_like_something_else(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    HEALTHY["cfr"].write(tmp_path).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    with open_frames(name) as source:
        assert source.name == name
        assert next(iter(source)).index == 0


def test_metadata_in_another_encoding_does_no_harm(tmp_path: Path):
    path = Clip(".mkv", count=3, metadata={"title": "Prof. MXller"}).write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"MXller", b"M\xfcller"))
    with open_frames(path) as source:
        assert len(list(source)) == 3


@pytest.mark.parametrize("pixels", ["gray", "gray16le", "yuv420p10le", "yuva420p", "rgb24"])
def test_other_pixel_formats_become_rgb(pixels: str, tmp_path: Path):
    codec, suffix = ("png", ".mov") if pixels == "rgb24" else ("ffv1", ".mkv")
    path = Clip(suffix, codec=codec, pixels=pixels, count=3).write(tmp_path)
    with open_frames(path) as source:
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2]
    assert frames[0].image.dtype == np.uint8
    if pixels == "rgb24":
        assert np.array_equal(frames[2].image, numbered(2))


# ---------------------------------------- devices, streams, URLs


def test_a_device_is_read_as_a_live_stream():
    with open_frames("lavfi:testsrc=size=64x48:rate=10:duration=1") as source:
        assert source.size == (48, 64)
        assert source.path is None
        assert source.count is None
        assert [frame.time for frame in source] == pytest.approx([i / 10 for i in range(10)])
        with pytest.raises(InputError, match="read once"):
            next(iter(source))


def test_a_live_stream_plays_on_over_damage(tmp_path: Path):
    data = bytearray(Clip(".ts", count=60, options={"bf": "0"}).write(tmp_path).read_bytes())
    third = len(data) // 3
    data[third : third + 400] = os.urandom(400)
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(bytes(data),))
    writer.start()
    with open_frames(pipe) as source:
        frames = list(source)
    writer.join()
    assert [frame.index for frame in frames] == list(range(len(frames)))
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers[:5] == [0, 1, 2, 3, 4]
    assert numbers[-1] == 59


def test_a_video_over_http(tmp_path: Path):
    HEALTHY["cfr"].write(tmp_path)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.func.log_message = lambda *args: None  # type: ignore[method-assign]
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        with open_frames(f"{base}/clip.mp4?token=secret") as source:
            assert "secret" not in source.name
            assert [number_of(frame.image) for frame in source] == list(range(30))
        with pytest.raises(InputError, match=r"none\.mp4: cannot be opened .*check the address"):
            open_frames(f"{base}/none.mp4")
        server.shutdown()


def test_a_password_in_an_address_is_not_shown():
    with pytest.raises(InputError) as caught:
        open_frames("http://me:hush@127.0.0.1:9/cam?key=hush")
    assert "hush" not in str(caught.value)


# ---------------------------------------- what cannot be used


def test_no_such_file():
    with pytest.raises(InputError, match=r"nowhere\.mp4: no such file"):
        open_frames("nowhere.mp4")
    with pytest.raises(InputError, match="no such file"):
        open_frames("")


@pytest.mark.parametrize("content", [b"", b"not a video, just text\n" * 100, bytes(5000)])
def test_a_file_that_is_no_video(content: bytes, tmp_path: Path):
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.mp4: cannot be opened as a video"):
        open_frames(tmp_path / "x.mp4")


def test_sound_alone_has_no_video_stream(tmp_path: Path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 800), np.int16), format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = 8000, 0
        container.mux(stream.encode(frame))
    with pytest.raises(InputError, match=r"no video stream \(it holds audio only\)"):
        open_frames(path)


@pytest.mark.parametrize(
    ("suffix", "words"),
    [
        (".avi", "holds no frames"),
        (".mp4", "no video stream"),
        (".mkv", "cannot be opened as a video"),
    ],
)
def test_a_video_without_frames(suffix: str, words: str, tmp_path: Path):
    path = Clip(".mp4", count=1).write(tmp_path)
    empty = tmp_path / f"empty{suffix}"
    with av.open(str(path)) as source, av.open(str(empty), "w") as container:
        container.add_stream_from_template(source.streams.video[0])
        container.start_encoding()
    with pytest.raises(InputError, match=words):
        list(open_frames(empty))


def test_a_codec_that_is_not_known(tmp_path: Path):
    path = HEALTHY["cfr"].write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    with pytest.raises(InputError, match="codec is not known"):
        open_frames(path)


def test_a_cover_picture_is_no_video(tmp_path: Path):
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        cover = container.add_stream("mjpeg", rate=25)
        cover.height, cover.width, cover.pix_fmt = *SIZE, "yuvj420p"
        try:
            cover.disposition = av.stream.Disposition.attached_pic
        except (AttributeError, TypeError):
            pytest.skip("this PyAV cannot write a cover picture")
        picture = av.VideoFrame.from_ndarray(numbered(0), format="rgb24")
        packets = [*cover.encode(picture), *cover.encode(None)]
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate, silence.pts = 8000, 0
        container.mux([*sound.encode(silence), *sound.encode(None)])
        container.mux(packets)
    with pytest.raises(InputError, match="no video stream"):
        open_frames(path)


def test_pictures_over_the_limit_are_refused_before_decoding(tmp_path: Path):
    path = HEALTHY["cfr"].write(tmp_path)
    with pytest.raises(InputError, match=r"96 x 64 is 0\.0 megapixel, the limit is 0\.005"):
        open_frames(path, max_pixels=5000)
    assert open_frames(path, max_pixels=64 * 96).size == SIZE


def test_a_change_of_size_is_a_break(tmp_path: Path):
    first = Clip(".ts", count=5, options={"bf": "0"}).write(tmp_path, "a")
    second = Clip(".ts", count=5, options={"bf": "0"}, size=(96, 128)).write(tmp_path, "b")
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    frames = []
    with (
        open_frames(both) as source,
        pytest.raises(DamagedSource, match="changes from 96 x 64 to 128 x 96") as caught,
    ):
        frames.extend(source)
    assert caught.value.index == 5


def test_frames_per_second_must_be_positive():
    with pytest.raises(InputError, match="above 0"):
        open_frames([numbered(0)], fps=0)


def test_variable_rate_keeps_its_mean_rate(tmp_path: Path):
    ticks = range(0, 100, 10)
    clip = Clip(
        ".mp4", count=10, ticks=ticks, time_base=Fraction(1, 50), options={**BFRAMES, "bf": "0"}
    )
    with open_frames(clip.write(tmp_path)) as source:
        assert source.fps == pytest.approx(5, rel=0.15)


def test_threads_do_not_grow_with_the_frames_read(tmp_path: Path):
    import psutil

    path = Clip(".mp4", count=60).write(tmp_path)
    process, counts = psutil.Process(), []
    with open_frames(path) as source:
        for _ in source:
            counts.append(process.num_threads())
    assert max(counts[10:]) <= counts[10] + 2
