"""No frame is lost in silence: packets are held against the file's own structure, and against what
the container states."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image

from footage import BFRAMES, HEALTHY, Clip, boxes, number_of, numbered, packets
from sam2s.errors import DamagedSource, InputError, Sam2sError
from sam2s.media.frames import open_frames
from sam2s.media.structure.jpeg import is_whole_jpeg

NO_B = {"bf": "0"}
STATING = {
    "mjpeg avi": Clip(".avi", codec="mjpeg", pixels="yuvj420p"),
    "raw avi": Clip(".avi", codec="rawvideo", pixels="bgr24"),
    "huffyuv avi": Clip(".avi", codec="huffyuv", pixels="yuv422p"),
    "mpeg4 avi": Clip(".avi", codec="mpeg4", options=NO_B),
    "mpeg4 avi with gaps": Clip(
        ".avi", codec="mpeg4", options=NO_B, ticks=[i + 3 * (i // 5) for i in range(30)]
    ),
    "h264 avi": Clip(".avi", options=BFRAMES),
    "ffv1 mkv": Clip(".mkv", codec="ffv1"),
    "mjpeg mkv": Clip(".mkv", codec="mjpeg", pixels="yuvj420p"),
    "h264 mkv": Clip(".mkv", options=BFRAMES),
    "vp8 webm": Clip(".webm", codec="libvpx"),
    "mjpeg mov": Clip(".mov", codec="mjpeg", pixels="yuvj420p"),
    "mpeg4 mp4": Clip(".mp4", codec="mpeg4", options={"bf": "2"}),
    "fragmented mp4": HEALTHY["fragmented"],
    "mp4 with fragments behind": Clip(".mp4", options=NO_B, muxer={"movflags": "frag_keyframe"}),
    "wmv": Clip(".wmv", codec="wmv2"),
    "mxf": Clip(".mxf", codec="mpeg2video"),
    "ivf": Clip(".ivf", codec="libvpx"),
    "y4m": Clip(".y4m", codec="wrapped_avframe"),
    "gif": Clip(".gif", codec="gif", pixels="rgb8"),
}
"""Files that state how many frames they hold, or the length of each."""
UNSTATING = {
    "ts": Clip(".ts", options=NO_B),
    "ts with b-frames": HEALTHY["mpeg-ts"],
    "mpeg-2 ts": Clip(".ts", codec="mpeg2video"),
}
"""... and files whose packets are numbered."""


def read(path: Path) -> tuple[list[int], Sam2sError | None]:
    numbers: list[int] = []
    try:
        with open_frames(path) as source:
            numbers.extend(number_of(frame.image) for frame in source)
    except Sam2sError as error:
        return numbers, error
    return numbers, None


@pytest.mark.parametrize("name", [*STATING, *UNSTATING])
def test_whole_files_are_read_whole(name: str, tmp_path: Path):
    clip = {**STATING, **UNSTATING}[name]
    assert read(clip.write(tmp_path)) == (list(range(30)), None)


@pytest.mark.parametrize("name", STATING)
@pytest.mark.parametrize("length", [64, 600, 6000])
def test_a_block_of_zeros_loses_no_frame_in_silence(name: str, length: int, tmp_path: Path):
    path = STATING[name].write(tmp_path)
    data = path.read_bytes()
    dice = random.Random(f"{name}{length}")
    for _ in range(8):
        start = dice.randrange(len(data))
        path.write_bytes(
            data[:start] + bytes(len(data[start : start + length])) + data[start:][length:]
        )
        numbers, error = read(path)
        assert error is not None or len(numbers) == 30
        if isinstance(error, DamagedSource):
            assert error.index == len(numbers)


@pytest.mark.parametrize("name", STATING)
def test_a_part_cut_out_or_put_in_loses_no_frame_in_silence(name: str, tmp_path: Path):
    path = STATING[name].write(tmp_path)
    data = path.read_bytes()
    dice = random.Random(name)
    for _ in range(8):
        start, length = dice.randrange(len(data)), dice.choice([1, 50, 2000])
        end = start + length
        changed = dice.choice([data[:start] + data[end:], data[:end] + data[start:]])
        path.write_bytes(changed)
        numbers, error = read(path)
        assert error is not None or len(numbers) >= 30


@pytest.mark.parametrize(
    "name", ["mjpeg avi", "raw avi", "ffv1 mkv", "h264 mkv", "vp8 webm", "ivf", "y4m", "mxf"]
)
def test_the_break_is_told_where_the_frame_was_lost(name: str, tmp_path: Path):
    """The head of one packet in the middle is gone: FFmpeg finds the next and says nothing."""
    path = STATING[name].write(tmp_path)
    position, _ = packets(path)[15]
    data = bytearray(path.read_bytes())
    before = {"mxf": 0, "ivf": 0, "ffv1 mkv": 0, "h264 mkv": 0, "vp8 webm": 0}.get(name, 8)
    data[position - before : position + 8] = bytes(before + 8)
    path.write_bytes(data)
    numbers, error = read(path)
    assert isinstance(error, DamagedSource)
    assert numbers == list(range(len(numbers)))
    assert 10 <= error.index == len(numbers) <= 15


def test_more_frames_in_an_avi_header_than_in_the_file(tmp_path: Path):
    path = STATING["mjpeg avi"].write(tmp_path)
    data = bytearray(path.read_bytes())
    for name, offset in [(b"avih", 24), (b"strh", 40)]:
        place = data.index(name) + offset
        assert int.from_bytes(data[place : place + 4], "little") == 30
        data[place : place + 4] = (33).to_bytes(4, "little")
    path.write_bytes(data)
    numbers, error = read(path)
    assert numbers == list(range(30))
    assert isinstance(error, DamagedSource)
    assert error.index == 30


def test_an_avi_without_its_index_is_walked_chunk_by_chunk(tmp_path: Path):
    path = STATING["mjpeg avi"].write(tmp_path)
    data = path.read_bytes().replace(b"idx1", b"JUNK")
    path.write_bytes(data)
    assert read(path) == (list(range(30)), None)
    position, size = packets(path)[12]
    path.write_bytes(data[: position - 8] + bytes(size + 8) + data[position + size :])
    numbers, error = read(path)
    assert isinstance(error, DamagedSource)
    assert numbers == list(range(12))


def test_an_avi_whose_header_was_never_finished_is_whole(tmp_path: Path):
    """As recorders leave it that lose their power: no counts, no index."""
    path = STATING["mjpeg avi"].write(tmp_path)
    data = bytearray(path.read_bytes().replace(b"idx1", b"JUNK"))
    for name, offset in [(b"avih", 24), (b"strh", 40)]:
        place = data.index(name) + offset
        data[place : place + 4] = bytes(4)
    path.write_bytes(data)
    assert read(path) == (list(range(30)), None)


@pytest.mark.parametrize("table", ["stco", "stsz"])
def test_an_mp4_whose_tables_are_too_short(table: str, tmp_path: Path):
    """The count of one table is less than the file states elsewhere."""
    path = Clip(".mp4", options={"bf": "0"}).write(tmp_path)
    data = bytearray(path.read_bytes())
    (start,) = boxes(bytes(data), f"moov/trak/mdia/minf/stbl/{table}")
    place = start + (4 if table == "stco" else 8)
    count = int.from_bytes(data[place : place + 4], "big")
    data[place : place + 4] = (count - 1 if count > 1 else 0).to_bytes(4, "big")
    path.write_bytes(data)
    numbers, error = read(path)
    assert error is not None
    assert numbers == list(range(len(numbers)))


def test_a_matroska_block_of_a_track_that_is_not_there(tmp_path: Path):
    """One bit in the number of a block's track, and FFmpeg drops the frame."""
    path = STATING["ffv1 mkv"].write(tmp_path)
    data = bytearray(path.read_bytes())
    position, _ = packets(path)[10]
    track = data.index(b"\x81", position)
    data[track] = 0x85
    path.write_bytes(data)
    numbers, error = read(path)
    assert numbers == list(range(10))
    assert isinstance(error, DamagedSource)


def test_a_fragment_whose_run_states_more_samples(tmp_path: Path):
    path = HEALTHY["fragmented"].write(tmp_path)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"moof")
    data[place : place + 4] = bytes(4)
    path.write_bytes(data)
    numbers, error = read(path)
    assert isinstance(error, DamagedSource)
    assert numbers == list(range(20))


@pytest.mark.parametrize("codec", ["libsvtav1", "libaom-av1"])
def test_no_frame_of_av1_is_lost_in_silence(codec: str, tmp_path: Path):
    if codec not in av.codecs_available:
        pytest.skip("this FFmpeg cannot write AV1 with it")
    speed = {"preset": "12"} if codec == "libsvtav1" else {"cpu-used": "8", "usage": "realtime"}
    path = Clip(".mp4", codec=codec, options=speed).write(tmp_path)
    assert read(path) == (list(range(30)), None)
    data, places = path.read_bytes(), packets(path)
    dice = random.Random(codec)
    reported = 0
    for k in range(30):
        position, size = places[-1 - k % 4]
        changed = bytearray(data)
        changed[position + dice.randrange(min(size, 12))] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        numbers, error = read(path)
        assert error is not None or len(numbers) == 30
        reported += error is not None
    assert reported > 3


def test_what_is_left_of_a_container_is_not_played_as_something_else(tmp_path: Path):
    """Without its head an MP4 may look like the raw stream of a picture that lies in it."""
    picture = tmp_path / "x.jpg"
    Image.fromarray(numbered(0)).save(picture)
    jpeg = picture.read_bytes()
    for suffix in (".mp4", ".mkv", ".avi", ".mov"):
        path = tmp_path / f"op{suffix}"
        path.write_bytes(bytes(600) + jpeg * 3 + bytes(600))
        with pytest.raises(InputError, match="cannot be opened as a video"):
            open_frames(path)


# ---------------------------------------- transport streams


@pytest.mark.parametrize("name", UNSTATING)
@pytest.mark.parametrize("lost", [1, 3, 16, 40])
def test_packets_that_a_transport_stream_lost_are_noticed(name: str, lost: int, tmp_path: Path):
    path = UNSTATING[name].write(tmp_path)
    data = path.read_bytes()
    count = len(data) // 188
    dice = random.Random(f"{name}{lost}")
    for _ in range(6):
        start = dice.randrange(10, count - lost - 5) * 188
        path.write_bytes(data[:start] + data[start + lost * 188 :])
        numbers, error = read(path)
        if error is None and lost != 16:  # the counter of each track has four bits
            assert len(numbers) == 30
        if isinstance(error, DamagedSource):
            assert error.index == len(numbers)


def test_noise_in_a_transport_stream_loses_no_frame_in_silence(tmp_path: Path):
    path = UNSTATING["ts"].write(tmp_path)
    data = path.read_bytes()
    dice = random.Random(4)
    for _ in range(12):
        start = dice.randrange(1000, len(data) - 4000)
        length = dice.choice([100, 1500, 3000])
        noise = dice.choice([bytes(length), dice.randbytes(length)])
        path.write_bytes(data[:start] + noise + data[start + length :])
        numbers, error = read(path)
        assert error is not None or len(numbers) == 30


@pytest.mark.parametrize("stride", [192, 204])
def test_transport_streams_with_longer_packets(stride: int, tmp_path: Path):
    data = UNSTATING["ts"].write(tmp_path).read_bytes()
    front = 4 if stride == 192 else 0
    longer = b"".join(
        bytes(front) + data[i : i + 188] + bytes(stride - 188 - front)
        for i in range(0, len(data), 188)
    )
    path = tmp_path / "long.m2ts"
    path.write_bytes(longer)
    assert read(path) == (list(range(30)), None)


def test_recordings_joined_at_any_byte_are_whole(tmp_path: Path):
    """The first ends in the middle of a packet of sound or padding, and the clock starts anew."""
    path = UNSTATING["ts"].write(tmp_path)
    data = path.read_bytes()
    padding = b"\x47\x1f\xff\x10" + bytes(184)
    path.write_bytes(data + padding[:100] + data)
    assert read(path) == ([*range(30), *range(30)], None)


# ---------------------------------------- pictures cut short


def test_a_jpeg_is_whole_with_its_end_and_padding_only():
    def encoded(**options: object) -> bytes:
        end = io.BytesIO()
        Image.fromarray(numbered(5)).save(end, "JPEG", **options)
        return end.getvalue()

    plain = encoded()
    for whole in [plain, encoded(progressive=True), encoded(restart_marker_blocks=4)]:
        for padded in [
            whole,
            whole + bytes(3),
            whole + b"\xff" * 5,
            whole + whole,
            whole * 2 + b"\0",
        ]:
            assert is_whole_jpeg(padded)
        for cut in (len(whole) - 1, len(whole) - 2, len(whole) // 2, 200, 3, 0):
            assert not is_whole_jpeg(whole[:cut])
        assert not is_whole_jpeg(whole + b"\0 \0")
        assert not is_whole_jpeg(b"\0" + whole)
    thumbnail = b"\xff\xe1" + (len(plain) + 2).to_bytes(2, "big") + plain
    inside = plain[:2] + thumbnail + plain[2:]
    assert is_whole_jpeg(inside)
    assert not is_whole_jpeg(inside[: len(thumbnail) + 40])


@pytest.mark.parametrize("name", ["mjpeg avi", "mjpeg mkv", "mjpeg mov"])
def test_half_a_jpeg_is_not_given(name: str, tmp_path: Path):
    path = STATING[name].write(tmp_path)
    position, size = packets(path)[20]
    data = bytearray(path.read_bytes())
    end = data.index(b"\xff\xd9", position + size // 2) + 2
    data[position + size // 2 : end] = b"\x55" * (end - position - size // 2)
    path.write_bytes(data)
    numbers, error = read(path)
    assert numbers == list(range(20))
    assert isinstance(error, DamagedSource)
    assert error.index == 20


def test_a_camera_that_writes_no_ends_is_read(tmp_path: Path):
    path = Clip(".avi", codec="mjpeg", pixels="yuvj420p").write(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"\xff\xd9", b"\0\0"))
    assert read(path) == (list(range(30)), None)


def animated(path: Path) -> Path:
    pictures = [Image.fromarray(numbered(i)) for i in range(12)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50)
    return path


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_a_damaged_animation_loses_no_picture_in_silence(suffix: str, tmp_path: Path):
    path = animated(tmp_path / f"a{suffix}")
    data = path.read_bytes()
    assert read(path) == (list(range(12)), None)
    dice = random.Random(suffix)
    ways: list[Callable[[int, int], bytes]] = [
        lambda start, length: data[:start] + bytes(length) + data[start + length :],
        lambda start, length: data[:start] + data[start + length :],
        lambda start, length: data[:start] + data[max(0, start - length) :],
        lambda start, length: data[:start],
    ]
    for k in range(40):
        path.write_bytes(ways[k % 4](dice.randrange(40, len(data)), dice.choice([1, 30, 700])))
        numbers, error = read(path)
        assert error is not None or len(numbers) == 12


def test_the_stream_of_two_is_followed_that_was_chosen(tmp_path: Path):
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("ffv1", rate=25) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
        for index in range(12):
            for stream, base in zip(streams, (0, 100), strict=True):
                picture = av.VideoFrame.from_ndarray(numbered(base + index), format="rgb24")
                container.mux(stream.encode(picture))
        for stream in streams:
            container.mux(stream.encode(None))
    for chosen, base in [(0, 0), (1, 100)]:
        with open_frames(path, stream=chosen) as source:
            assert [number_of(frame.image) for frame in source] == list(range(base, base + 12))


@pytest.mark.parametrize("stamped", [True, False])
def test_a_cover_in_a_matroska_file_gives_way(stamped: bool, tmp_path: Path):
    """Matroska states no number of frames, but when a track ends."""
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w", options={} if stamped else {"live": "1"}) as container:
        streams = [container.add_stream("mjpeg", rate=25) for _ in range(2)]
        for stream in streams:
            stream.height, stream.width, stream.pix_fmt = 64, 96, "yuvj420p"
        for stream, count, base in zip(streams, (1, 12), (0, 100), strict=True):
            for index in range(count):
                picture = av.VideoFrame.from_ndarray(numbered(base + index), format="rgb24")
                container.mux(stream.encode(picture.reformat(format="yuvj420p")))
            container.mux(stream.encode(None))
    with open_frames(path) as source:
        numbers = [number_of(frame.image) for frame in source]
        assert "holds 2 video streams" in source.notes[0]
    assert numbers == (list(range(100, 112)) if stamped else [0])


def test_healthy_files_of_rarer_make(tmp_path: Path):
    """What stands before an MXF file, and DV of twice the usual rate."""
    path = STATING["mxf"].write(tmp_path)
    path.write_bytes(bytes(300) + path.read_bytes())
    assert read(path) == (list(range(30)), None)
    for pixels in ("yuv420p", "yuv422p"):
        clip = Clip(".dv", codec="dvvideo", count=3, pixels=pixels, size=(576, 720))
        path = clip.write(tmp_path)
        with open_frames(path) as source:
            assert source.fps == 25
        assert read(path) == ([0, 1, 2], None)


def test_no_file_stays_open(tmp_path: Path):
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this system does not list open files")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("ffv1 mkv", "gif", "wmv"):
        path = STATING[name].write(tmp_path)
        read(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        read(path)
    assert len(os.listdir("/proc/self/fd")) == before
