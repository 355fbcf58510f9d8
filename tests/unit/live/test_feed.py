"""Sources that go away and come back, and files at their own pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from fakes import frames, latest
from PIL import Image

from sam2s.errors import DamagedSource, InputError
from sam2s.export.video_file import write_video
from sam2s.live import feed as module
from sam2s.live.feed import LiveFeed, opener
from sam2s.media import latest as media_latest
from sam2s.media.latest import LatestFrames
from sam2s.types import Frame


def breaking(count: int) -> Iterator[Frame]:
    yield from frames(count, 0.02)
    raise DamagedSource("the camera was pulled out", count, None)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY", 0.05)
    monkeypatch.setattr(media_latest, "PATIENCE", 0.3)


def test_it_comes_back_with_numbers_and_clock_going_on():
    said: list[str] = []
    opened = iter([latest(breaking(3)), InputError("not yet"), latest(frames(3, 0.02))])

    def open_one() -> LatestFrames:
        found = next(opened)
        if isinstance(found, InputError):
            raise found
        return found

    feed = LiveFeed(open_one, 5.0, said.append)
    found = []
    for frame in feed.frames():
        found.append(frame)
        if frame.index == 5:
            feed._again = 0.0
    indices = [frame.index for frame in found]
    assert indices == sorted(set(indices))
    assert len(indices) + feed.dropped == 6
    times = [frame.time for frame in found]
    assert times[0] == 0.0
    assert times == sorted(times)
    assert feed.reconnected == 1
    assert said == [
        "camera: no more frames (the camera was pulled out); trying again for 5 s",
        "camera: is back",
    ]


def test_one_that_stays_away_is_an_error_after_a_while():
    opened = iter([latest(breaking(2))])

    def open_one() -> LatestFrames:
        for one in opened:
            return one
        raise InputError("nobody there")

    feed = LiveFeed(open_one, 0.1, lambda _: None)
    with pytest.raises(DamagedSource, match="pulled out"):
        list(feed.frames())


@pytest.mark.parametrize("away", [True, False])
def test_closing_ends_the_wait_for_a_frame_and_for_a_source(away: bool):
    def silent() -> Iterator[Frame]:
        yield from frames(1)
        if not away:
            time.sleep(3)

    opened = [latest(silent())]

    def open_one() -> LatestFrames:
        if not opened:
            raise InputError("nobody there")
        return opened.pop()

    feed = LiveFeed(open_one, 60.0, lambda _: threading.Timer(0.2, feed.close).start())
    each = feed.frames()
    assert next(each).index == 0
    if not away:
        threading.Timer(0.2, feed.close).start()
    begun = time.monotonic()
    assert list(each) == []
    assert time.monotonic() - begun < 2.9


def test_other_pictures_after_the_break_are_refused():
    opened = iter([latest(breaking(2)), latest(frames(2, size=(48, 64)))])
    feed = LiveFeed(lambda: next(opened), 5.0, lambda _: None)
    with pytest.raises(InputError, match="64 x 48 pixels instead of the size that is tracked"):
        list(feed.frames())


def test_a_file_plays_at_its_own_pace(tmp_path: Path):
    video = tmp_path / "a.mkv"
    write_video(video, [frame.image for frame in frames(11)], 50.0)
    for pace, seconds in ((1.0, 0.2), (4.0, 0.05)):
        open_one, returns = opener(str(video), None, pace)
        assert not returns
        feed = LiveFeed(open_one, 0.0, lambda _: None)
        assert feed.name == "a.mkv"
        begun = time.perf_counter()
        found = list(feed.frames())
        assert seconds <= time.perf_counter() - begun < seconds + 1.0
        assert found[-1].index + 1 == len(found) + feed.dropped == 11
    assert opener("rtsp://127.0.0.1:1/x", None, 1.0)[1], "worth trying again"
    assert not opener("-", None, 1.0)[1]


def test_silence_is_a_break_and_a_slow_source_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SILENCE", 0.2)
    over = threading.Event()

    def silent() -> Iterator[Frame]:
        yield from frames(3, 0.02)
        over.wait(20)

    said: list[str] = []
    opened = iter([latest(silent()), latest(frames(2, 0.35))])  # the slow one is waited for
    feed = LiveFeed(lambda: next(opened), 5.0, said.append)
    begun = time.monotonic()
    for frame in feed.frames():
        if frame.index == 4:
            feed.close()
    over.set()
    assert time.monotonic() - begun < 10
    assert said[0].startswith("camera: no more frames (camera: no frame came for")
    assert feed.reconnected == 1


class Server(ThreadingHTTPServer):
    """Gives ``/film.mkv``, and at ``/camera`` a stream that breaks off after ten pictures."""

    daemon_threads = True

    def __init__(self, film: bytes) -> None:
        self.film = film
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader that leaves."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        camera = self.path == "/camera"
        kind = "multipart/x-mixed-replace; boundary=b" if camera else "video/x-matroska"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if not camera:
            self.send_header("Content-Length", str(len(self.server.film)))
        self.end_headers()
        if not camera:
            self.wfile.write(self.server.film)
            return
        for frame in frames(10, 0.04):
            jpeg = BytesIO()
            Image.fromarray(frame.image).save(jpeg, "JPEG")
            head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {jpeg.tell()}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg.getvalue() + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    write_video(tmp_path / "film.mkv", [frame.image for frame in frames(11)], 50.0)
    server = Server((tmp_path / "film.mkv").read_bytes())
    yield server
    server.shutdown()
    server.server_close()


def test_a_stream_that_breaks_off_is_read_on(server: Server):
    open_one, returns = opener(f"http://127.0.0.1:{server.server_port}/camera", None, 1.0)
    assert returns
    feed = LiveFeed(open_one, 5.0, lambda _: None)
    found = []
    for frame in feed.frames():
        found.append(frame)
        if feed.reconnected == 2:
            feed.close()
    assert [frame.index for frame in found] == sorted({frame.index for frame in found})
    times = [frame.time or 0.0 for frame in found]
    assert times == sorted(times)
    assert feed.reconnected == 2


def test_a_film_behind_an_address_is_played_once_at_its_pace(server: Server):
    open_one, _ = opener(f"http://127.0.0.1:{server.server_port}/film.mkv", None, 1.0)
    feed = LiveFeed(open_one, 5.0, lambda _: None)
    begun = time.perf_counter()
    found = list(feed.frames())
    assert time.perf_counter() - begun >= 0.2
    assert found[-1].index + 1 == len(found) + feed.dropped == 11
    assert feed.reconnected == 0


def test_what_cannot_be_opened():
    with pytest.raises(InputError, match="no such file"):
        opener("none.mp4", None, 1.0)[0]()
