"""What FFmpeg may open for a source, and what is never waited for: strangers' playlists, scripts,
references, pipes and devices."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from footage import BFRAMES, HEALTHY, Clip, boxes, number_of, numbered
from sam2s.errors import DamagedSource, InputError, Sam2sError
from sam2s.media import address, opening
from sam2s.media.frames import open_frames

HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{}'\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {} RTP/AVP 96\n"
DASH = (
    '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{}</BaseURL></MPD>'
)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A recording beside the folder that a stranger's files lie in."""
    (tmp_path / "private").mkdir()
    (tmp_path / "in").mkdir()
    return Clip(".ts", options={"bf": "0"}).write(tmp_path / "private", "patient")


# ---------------------------------------- files that name other files


@pytest.mark.parametrize("name", ["op.m3u8", "op.mp4", "op.ts", "op"])
@pytest.mark.parametrize("form", ["{}", "file://{}", "file:{}", "../private/patient.ts"])
def test_a_playlist_opens_no_other_file(name: str, form: str, private: Path):
    path = private.parent.parent / "in" / name
    path.write_text(HLS.format(form.format(private)))
    with pytest.raises(InputError, match="HLS playlist, which opens other files"):
        open_frames(path)


@pytest.mark.parametrize("before", ["\n \n", "\ufeff"])
def test_a_playlist_is_known_behind_blanks_and_marks(before: str, private: Path):
    path = private.parent.parent / "in" / "op.m3u8"
    path.write_text(before + HLS.format(private))
    with pytest.raises(InputError, match="cannot be opened as a video"):
        open_frames(path)


@pytest.mark.parametrize("script", [CONCAT, SDP, DASH])
@pytest.mark.parametrize("name", ["op.mp4", "op.txt", "op.sdp", "op.mpd", "op.ffconcat"])
def test_a_script_under_any_name_opens_no_other_file(script: str, name: str, private: Path):
    inner = private.parent.parent / "in"
    os.symlink(private, inner / "x.ts")
    (inner / name).write_text(script.format("x.ts"))
    with pytest.raises(InputError, match="cannot be opened as a video"):
        open_frames(inner / name)


@pytest.mark.parametrize(
    "name",
    [
        "concat:{}|{}",
        "subfile,,start,0,end,0,,:{}",
        "cache:{}",
        "async:{}",
        "crypto:{}",
        "data:video/mp2t;base64,R0",
        "fd:3",
        "concat://{}|{}",
        "subfile://{}",
        "async://{}",
        "unix://{}",
        "gopher://127.0.0.1/",
        "md5://{}",
    ],
)
def test_protocols_of_ffmpeg_are_no_names(name: str, private: Path):
    with pytest.raises(InputError, match=r"no such file|not an address that can be read"):
        open_frames(name.format(private, private))


def test_a_file_address_is_held_to_the_same(private: Path):
    with open_frames(f"file://{private}") as source:
        assert source.path == private
        assert len(list(source)) == 30
    path = private.parent.parent / "in" / "op.mp4"
    path.write_text(HLS.format(private))
    with pytest.raises(InputError, match="HLS playlist"):
        open_frames(f"file://{path}")


def test_a_movie_whose_media_lie_in_another_file_reads_none_of_it(private: Path):
    """QuickTime's data references name files; FFmpeg follows them on request only."""
    path = HEALTHY["cfr"].write(private.parent.parent / "in")
    other = HEALTHY["cfr"].write(private.parent, "other")
    data = bytearray(path.read_bytes())
    (start,) = boxes(bytes(data), "moov/trak/mdia/minf/dinf/dref")
    name = str(other).encode()
    record = bytes(10) + bytes([5]) + b"Disk1".ljust(27, b"\0") + bytes(12)
    record += bytes([5]) + b"other".ljust(63, b"\0") + bytes(16) + bytes(4) + bytes(16)
    tail = name + b"\0" * (len(name) % 2)
    record += (2).to_bytes(2, "big") + len(name).to_bytes(2, "big") + tail + b"\xff\xff\0\0"
    entry = (12 + len(record)).to_bytes(4, "big") + b"alis" + bytes(4) + record
    grown = len(entry) - 12
    data[start + 8 : start + 20] = entry
    for box in ["moov", "moov/trak", "moov/trak/mdia", "moov/trak/mdia/minf"]:
        (inside,) = boxes(path.read_bytes(), box)
        grow(data, inside - 8, grown)
    for box in ["moov/trak/mdia/minf/dinf", "moov/trak/mdia/minf/dinf/dref"]:
        (inside,) = boxes(path.read_bytes(), box)
        grow(data, inside - 8, grown)
    (media,) = boxes(path.read_bytes(), "mdat")
    data[media : media + 20] = bytes(20)  # so that only the other file has the first picture
    path.write_bytes(data)
    frames = []
    with pytest.raises(Sam2sError), open_frames(path) as source:
        frames.extend(source)
    assert frames == []
    followed = {"enable_drefs": "1", "use_absolute_path": "1"}
    with open_frames(path, options=followed) as source:  # the reference is a real one
        assert len(list(source)) == 30


def grow(data: bytearray, position: int, by: int) -> None:
    length = int.from_bytes(data[position : position + 4], "big") + by
    data[position : position + 4] = length.to_bytes(4, "big")


def test_a_playlist_plays_at_the_users_word(private: Path):
    path = private.parent / "op.m3u8"
    path.write_text(HLS.format("patient.ts"))
    with open_frames(path, playlist=True) as source:
        assert [number_of(frame.image) for frame in source] == list(range(30))
    path = private.parent / "op.txt"
    path.write_text(CONCAT.format("patient.ts"))
    with open_frames(path, playlist=True) as source:
        assert len(list(source)) == 30


def test_ffmpegs_own_options_win(private: Path):
    path = private.parent / "op.m3u8"
    path.write_text(HLS.format("patient.ts"))
    options = {"format_whitelist": "hls,mpegts", "protocol_whitelist": "file"}
    with open_frames(path, options=options) as source:
        assert len(list(source)) == 30


def test_a_playlist_on_the_network_leads_to_no_file(private: Path):
    folder = private.parent
    (folder / "evil.m3u8").write_text(HLS.format(f"file://{private}"))
    (folder / "good.m3u8").write_text(HLS.format("patient.ts"))
    (folder / "evil.txt").write_text(CONCAT.format("patient.ts"))
    with served(folder) as base:
        with open_frames(f"{base}/good.m3u8") as source:
            assert len(list(source)) == 30
        for name in ("evil.m3u8", "evil.txt"):
            with pytest.raises(Sam2sError), open_frames(f"{base}/{name}") as source:
                list(source)


class served:
    """The address of a folder on this machine, over HTTP."""

    def __init__(self, folder: Path) -> None:
        handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
        handler.func.log_message = lambda *args: None  # type: ignore[method-assign]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


# ---------------------------------------- pictures and texts that FFmpeg would play


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA"])
def test_a_still_picture_under_a_videos_name_is_refused(kind: str, tmp_path: Path):
    Image.fromarray(numbered(3)).save(tmp_path / "op.mp4", format=kind)
    with pytest.raises(InputError, match="cannot be opened as a video"):
        open_frames(tmp_path / "op.mp4")


def test_text_is_no_film(tmp_path: Path):
    """FFmpeg's tty demuxer makes pictures of letters."""
    for name in ["read.nfo", "x.ans", "x.asc", "x.svg", "x.srt"]:
        (tmp_path / name).write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n" * 50)
        with pytest.raises(InputError, match=r"cannot be opened as a video|no video stream"):
            open_frames(tmp_path / name)


def animation(path: Path, count: int = 6, **options: object) -> Path:
    pictures = [Image.fromarray(numbered(i)) for i in range(count)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80, **options)
    return path


def test_an_animated_png_plays(tmp_path: Path):
    with open_frames(animation(tmp_path / "a.png")) as source:
        frames = list(source)
    assert [number_of(frame.image) for frame in frames] == list(range(6))
    assert all(np.array_equal(frame.image, numbered(i)) for i, frame in enumerate(frames))
    assert [frame.time for frame in frames] == pytest.approx([0.08 * i for i in range(6)])


def test_an_animated_gif_plays_once(tmp_path: Path):
    with open_frames(animation(tmp_path / "a.gif", loop=0)) as source:
        assert [number_of(frame.image) for frame in source] == list(range(6))


def test_a_png_that_says_it_is_animated_and_holds_one_picture_is_a_picture(tmp_path: Path):
    with open_frames(animation(tmp_path / "a.png", count=1)) as source:
        assert [number_of(frame.image) for frame in source] == [0]
        assert source.count_exact


def test_an_animated_png_among_pictures_is_refused(tmp_path: Path):
    Image.fromarray(numbered(0)).save(tmp_path / "0.png")
    animation(tmp_path / "1.png")
    with open_frames(tmp_path) as source, pytest.raises(DamagedSource, match="holds 6 pictures"):
        list(source)


@pytest.mark.parametrize("count", [1, 4])
def test_webp_is_refused_with_a_word(count: int, tmp_path: Path):
    path = animation(tmp_path / "a.webp", count)
    words = "an animated WebP" if count > 1 else "a WebP picture"
    with pytest.raises(InputError, match=f"it is {words}.*save it as PNG"):
        open_frames(path)


# ---------------------------------------- what is no regular file


@pytest.mark.parametrize("name", ["001.jpg", "m.png"])
def test_a_named_pipe_is_no_picture(name: str, tmp_path: Path):
    Image.fromarray(numbered(0)).save(tmp_path / "000.png")
    os.mkfifo(tmp_path / name)
    for source in (tmp_path, tmp_path / name):
        with pytest.raises(InputError, match="is a named pipe, expected a regular file"):
            open_frames(source)


def test_a_named_pipe_without_a_writer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opening, "PIPE_PATIENCE", 0.2)
    os.mkfifo(tmp_path / "op.mp4")
    with pytest.raises(InputError, match="named pipe that nobody writes to"):
        open_frames(tmp_path / "op.mp4")


def test_a_named_pipe_whose_writer_falls_silent_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(address, "SILENCE", 1.0)
    pipe = tmp_path / "camera"
    os.mkfifo(pipe)
    data = Clip(".ts", count=60, options={"bf": "0"}).write(tmp_path).read_bytes()
    with feeding(pipe, data[: len(data) // 2], then=5.0), open_frames(pipe) as source:
        frames = []
        with pytest.raises(DamagedSource, match="nothing came for 1 seconds"):
            frames.extend(source)
    assert [number_of(frame.image) for frame in frames] == list(range(len(frames)))


def test_a_socket_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as end:
        end.bind("op.mp4")
        with pytest.raises(InputError, match=r"op\.mp4: is a socket, expected a regular file"):
            open_frames("op.mp4")


@pytest.mark.parametrize("name", ["/dev/null", "/dev/zero", "/dev/random", "/dev/tty"])
def test_a_device_that_is_no_camera_is_refused(name: str):
    if not os.path.exists(name):
        pytest.skip("this machine has no such device")
    with pytest.raises(InputError, match="is a device, expected a regular file"):
        open_frames(name)


@pytest.mark.parametrize("name", ["/proc/kmsg", "/proc/self/maps", "/proc/version"])
def test_a_file_of_the_kernel_is_refused_unread(name: str, tmp_path: Path):
    if not os.path.exists(name):
        pytest.skip("this machine has no such file")
    os.symlink(name, tmp_path / "000.png")
    for source in (name, tmp_path / "000.png", tmp_path):
        with pytest.raises(Sam2sError, match="empty"):
            list(open_frames(source))


@pytest.mark.parametrize(
    "name", ["x" * 5000, "x/" * 3000, "a\0b", "/root/\0", "\udcff.mp4", "~nobody/x.mp4", " "]
)
def test_names_that_no_file_can_have(name: str):
    with pytest.raises(InputError, match="no such file") as caught:
        open_frames(name)
    assert len(str(caught.value)) < 300


def test_a_link_that_leads_in_a_circle(tmp_path: Path):
    os.symlink(tmp_path / "b.mp4", tmp_path / "a.mp4")
    os.symlink(tmp_path / "a.mp4", tmp_path / "b.mp4")
    with pytest.raises(InputError, match="no such file"):
        open_frames(tmp_path / "a.mp4")


# ---------------------------------------- live streams


class feeding:
    """A thread that writes ``data`` into a pipe, waits ``then`` seconds, and leaves."""

    def __init__(self, pipe: Path | int, data: bytes, then: float = 0.0) -> None:
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._feed, args=(pipe, data, then))

    def _feed(self, pipe: Path | int, data: bytes, then: float) -> None:
        with open(pipe, "wb") as end:
            end.write(data)
            end.flush()
            self._left.wait(then)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()


@pytest.mark.parametrize("suffix", [".ts", ".mkv", ".flv"])
def test_a_pipe_that_is_meant_is_a_live_stream(suffix: str, tmp_path: Path):
    os.mkfifo(tmp_path / "camera.png")  # whatever its name looks like
    data = Clip(suffix, options={"bf": "0"}).write(tmp_path).read_bytes()
    with (
        feeding(tmp_path / "camera.png", data),
        open_frames(f"pipe:{tmp_path}/camera.png") as source,
    ):
        assert source.path is None
        assert source.size == (64, 96)
        assert [number_of(frame.image) for frame in source] == list(range(30))


def test_a_pipe_by_its_number(tmp_path: Path):
    data = HEALTHY["mpeg-ts"].write(tmp_path).read_bytes()
    reading, writing = os.pipe()
    with feeding(writing, data), open_frames(f"pipe:{reading}") as source:
        assert [number_of(frame.image) for frame in source] == list(range(30))
    os.close(reading)


def test_a_playlist_from_a_pipe_is_refused(private: Path, tmp_path: Path):
    os.mkfifo(tmp_path / "camera")
    text = HLS.format(private).encode()
    with (
        feeding(tmp_path / "camera", text),
        pytest.raises(InputError, match="cannot be opened"),
    ):
        open_frames(tmp_path / "camera")


def test_a_terminal_sends_no_video():
    pty = pytest.importorskip("pty")
    ends = pty.openpty()
    with pytest.raises(InputError, match="is a terminal"):
        open_frames(f"pipe:{ends[1]}")
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("number", [987, 10**12])
def test_a_number_that_is_no_open_pipe(number: int):
    with pytest.raises(InputError, match="cannot be opened"):
        open_frames(f"pipe:{number}")


def test_a_pipe_that_is_not_there():
    with pytest.raises(InputError, match="cannot be opened"):
        open_frames("pipe:/nowhere/camera")


@pytest.mark.parametrize("begun", [False, True])
def test_the_size_of_a_live_stream_can_be_asked_at_any_time(begun: bool):
    with open_frames("lavfi:testsrc=size=64x48:rate=10:duration=1") as source:
        frames = source.frames()
        first = [next(frames)] if begun else []
        assert source.size == (48, 64)
        assert [frame.index for frame in [*first, *frames]] == list(range(10))
        assert (source.count, source.count_exact) == (10, True)


class sending:
    """The address of a server that sends ``data`` to whoever connects, and closes or (``then``)
    waits."""

    def __init__(self, data: bytes, scheme: str, then: float = 0.0) -> None:
        self._data, self._scheme, self._left = data, scheme, threading.Event()
        self._then = then
        self._server = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                end, _ = self._server.accept()
                with end:
                    if self._scheme == "http":
                        end.recv(4096)
                        end.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
                    end.sendall(self._data)
                    self._left.wait(self._then)
                    end.shutdown(socket.SHUT_WR)
                    end.recv(100)

    def __enter__(self) -> str:
        self._thread.start()
        return f"{self._scheme}://127.0.0.1:{self._server.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._server.close()


@pytest.mark.parametrize("scheme", ["tcp", "http"])
def test_a_stream_on_the_network_ends_where_its_sender_ends_it(scheme: str, tmp_path: Path):
    data = Clip(".ts", count=60, options={"bf": "0"}).write(tmp_path).read_bytes()
    with sending(data, scheme) as address, open_frames(address) as source:
        assert source.size == (64, 96)
        assert [number_of(frame.image) for frame in source] == list(range(60))


@pytest.mark.parametrize("scheme", ["tcp", "http"])
def test_a_stream_on_the_network_that_falls_silent_is_left(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(opening, "URL_TIMEOUT", (2.0, 1.0))
    data = Clip(".ts", count=60, options={"bf": "0"}).write(tmp_path).read_bytes()
    frames = []
    with sending(data[: len(data) // 2], scheme, then=60.0) as address:
        begun = time.monotonic()
        with (
            pytest.raises(DamagedSource, match="nothing came for too long"),
            open_frames(address) as source,
        ):
            frames.extend(source)
        assert time.monotonic() - begun < 30
    assert [number_of(frame.image) for frame in frames] == list(range(len(frames)))


def test_a_live_stream_that_stands_still_ends_at_an_interrupt(tmp_path: Path):
    """FFmpeg waits for the pipe and hears no signal; the reader must."""
    os.mkfifo(tmp_path / "camera")
    data = Clip(".ts", count=60, options={"bf": "0"}).write(tmp_path).read_bytes()
    frames = []
    with feeding(tmp_path / "camera", data[: len(data) // 2], then=60.0):
        source = open_frames(f"pipe:{tmp_path}/camera")
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            frames.extend(source)
        source.close()
        assert time.monotonic() - begun < 30
    assert [number_of(frame.image) for frame in frames] == list(range(len(frames)))
    assert len(frames) > 5


# ---------------------------------------- several video streams


def two_streams(path: Path, first: int, second: int) -> Path:
    """A file with two video streams of so many frames; the second counts from 100."""
    with av.open(str(path), "w") as container:
        streams = []
        for _ in range(2):
            stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
            stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p"
            streams.append(stream)
        for stream, count, base in zip(streams, (first, second), (0, 100), strict=True):
            for index in range(count):
                picture = av.VideoFrame.from_ndarray(numbered(base + index), format="rgb24")
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi"])
def test_a_cover_in_front_of_the_video_is_not_the_video(suffix: str, tmp_path: Path):
    with open_frames(two_streams(tmp_path / f"two{suffix}", 1, 12)) as source:
        assert [number_of(frame.image) for frame in source] == list(range(100, 112))
        (note,) = source.notes
        assert "holds 2 video streams" in note
        assert "number 1 is read, --stream chooses another" in note


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_second_video_stream_is_said_and_can_be_chosen(suffix: str, tmp_path: Path):
    path = two_streams(tmp_path / f"stereo{suffix}", 12, 12)
    for wanted, numbers in [(None, range(12)), (0, range(12)), (1, range(100, 112))]:
        with open_frames(path, stream=wanted) as source:
            assert [number_of(frame.image) for frame in source] == list(numbers)
            assert "holds 2 video streams" in source.notes[0]
    for wanted in (2, -1):
        with pytest.raises(InputError, match=rf"has no video stream {wanted}; it has 2"):
            open_frames(path, stream=wanted)


def test_one_stream_needs_no_note(tmp_path: Path):
    with open_frames(Clip(".mp4", options=BFRAMES).write(tmp_path)) as source:
        assert source.notes == ()
    assert open_frames([numbered(0)]).notes == ()
