"""What is written and sent: recordings in one clock, JSON lines, streams."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import ClassVar

import av
import numpy as np
import pytest
from av.error import FFmpegError
from fakes import EveryFrame, FakeTracker, frames

from sam2s.errors import InputError
from sam2s.export.tracks import read_tracks
from sam2s.live import stream_output, window
from sam2s.live.inbox import ActionInbox
from sam2s.live.json_lines import JsonLines
from sam2s.live.live_loop import LiveLoop, LiveSummary
from sam2s.live.live_recorder import LiveRecorder
from sam2s.live.sink import LivePicture, Sink
from sam2s.live.stream_encoder import StreamEncoder
from sam2s.live.stream_output import StreamOutput
from sam2s.live.window import Window
from sam2s.masklets.masks import decode_rle
from sam2s.tracking.session.actions import Give, Remove
from sam2s.types import FrameResult


def run(*sinks: Sink, count: int = 6) -> LiveSummary:
    inbox = ActionInbox()
    inbox.put({"action": "click", "object": 1, "x": 4, "y": 5}, "a")
    tracker = FakeTracker()
    return LiveLoop(tracker, EveryFrame(frames(count, 0.03)), inbox).run(sinks)  # type: ignore[arg-type]


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time) for frame in container.decode(video=0)]


def test_a_recording_is_three_files_in_one_clock(tmp_path: Path):
    summary = run(LiveRecorder(tmp_path, "camera", 30.0, {"model": "x"}))
    tracks = read_tracks(tmp_path / "tracks.json")
    assert tracks.complete
    assert len(tracks.frames) == summary.sinks["recording"].shown > 2
    assert tracks.frames[0].objects[1].mask.all()
    clock = np.array([frame.time for frame in tracks.frames])
    for name in ("raw.mkv", "overlay.mkv"):
        np.testing.assert_allclose(times(tmp_path / name), clock - clock[0], atol=2e-3)


def test_json_lines_can_be_read_by_anything(tmp_path: Path):
    stream = io.StringIO()
    run(JsonLines(stream, "jsonl", owned=False))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["index"] for line in lines] == sorted({line["index"] for line in lines})
    one = lines[-1]["objects"]["1"]
    assert decode_rle(one["rle"]).all()
    assert one["box"] == [0, 0, 32, 24]
    assert lines[-1]["latency_ms"] > 0


def test_a_stream_is_sent_as_it_comes():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        target = f"udp://127.0.0.1:{receiver.getsockname()[1]}"
        summary = run(StreamOutput(target, 25.0))
        assert receiver.recv(2048)[0] == 0x47, "MPEG-TS"
    assert summary.sinks[target].error is None
    assert summary.to_screen[target].count > 0


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_stream_is_published_to_an_rtsp_server():
    """FFmpeg can wait for one, as a server would."""
    port = free_port()
    target = f"rtsp://127.0.0.1:{port}/live"
    found: list[np.ndarray] = []

    def serve() -> None:
        options = {"rtsp_flags": "listen", "listen_timeout": "20"}
        with av.open(target, options=options) as container, suppress(FFmpegError):
            found.extend(frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))

    server = Thread(target=serve)
    server.start()
    until = time.monotonic() + 20
    while time.monotonic() < until:  # asking whether it listens would be its one connection
        summary = run(StreamOutput(target, 25.0))
        if "refused" not in (summary.sinks[target].error or ""):
            break
    server.join(20)
    assert summary.sinks[target].error is None
    assert found[0].shape == (24, 32, 3)


class UdpOnly(StreamRequestHandler):
    """The part of an RTSP server that takes a stream over UDP, and refuses TCP as some do."""

    transports: ClassVar[list[str]] = []

    def handle(self) -> None:
        with suppress(OSError):
            while line := self.rfile.readline():
                self._answer(line.split(b" ")[0])

    def _answer(self, method: bytes) -> None:
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        self.rfile.read(int(headers.get("content-length", 0)))
        status, more = "200 OK", ""
        if method == b"SETUP":
            asked = headers["transport"]
            self.transports.append(asked)
            more = f"Transport: {asked};server_port=40000-40001\r\nSession: 1\r\n"
            status = "501 Not Implemented" if "TCP" in asked else status
        self.wfile.write(f"RTSP/1.0 {status}\r\nCSeq: {headers['cseq']}\r\n{more}\r\n".encode())


@pytest.mark.parametrize(("query", "tcp"), [("", [True, False]), ("?udp", [False])])
def test_an_rtsp_server_that_takes_udp_alone_gets_that(query: str, tcp: list[bool]):
    UdpOnly.transports.clear()
    with ThreadingTCPServer(("127.0.0.1", 0), UdpOnly) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        target = f"rtsp://127.0.0.1:{server.server_address[1]}/live{query}"
        summary = run(StreamOutput(target, 25.0))
        server.shutdown()
    assert summary.sinks[target].error is None
    assert summary.sinks[target].shown > 0
    assert ["TCP" in asked for asked in UdpOnly.transports] == tcp


def test_a_server_that_says_nothing_holds_up_nobody(monkeypatch: pytest.MonkeyPatch):
    """PyAV lets no other thread run while FFmpeg waits for its answer."""
    monkeypatch.setattr(stream_output, "ANSWER", 1.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = f"rtmp://127.0.0.1:{silent.getsockname()[1]}/live"
        summary = run(StreamOutput(target, 25.0))
    assert summary.sinks[target].error == f"{target}: does not answer for 2 s"
    assert summary.to_mask.max < 1000


def test_a_loopback_device_gets_raw_frames(monkeypatch: pytest.MonkeyPatch):
    """How FFmpeg is asked; the device itself needs a module of the kernel."""
    asked: list[tuple[object, ...]] = []

    def refuse(*arguments: object, **named: object) -> None:
        asked.append((*arguments, named))
        raise OSError("no such device")

    monkeypatch.setattr(av, "open", refuse)
    encoder = StreamEncoder("v4l2:/dev/video9", 25.0)
    with pytest.raises(InputError, match="cannot be sent to"):
        encoder.add(np.zeros((25, 32, 3), np.uint8), 0.0)
    assert asked == [("/dev/video9", "w", {"format": "v4l2", "options": {}})]


def test_a_server_that_is_not_there_is_told_of():
    target = "rtsp://127.0.0.1:9/live"
    summary = run(StreamOutput(target, 25.0), count=3)
    assert summary.sinks[target].error is not None
    assert summary.sinks[target].error.startswith(f"{target}: cannot be sent to (")
    assert summary.frames == 3
    with pytest.raises(InputError, match="expected an address that begins with rtsp://"):
        StreamOutput("http://host/x", None)


def test_a_window_where_opencv_has_none(monkeypatch: pytest.MonkeyPatch):
    import cv2

    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:   NONE\n")
    with pytest.raises(InputError, match="cannot open windows"):
        Window(ActionInbox())
    # A build with windows, where there is no screen or, as here, where it then has none after all.
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:   QT5\n")
    with pytest.raises(InputError, match=r"open a window here .*; is there a screen"):
        Window(ActionInbox())


class Toolkit:
    """As much of OpenCV's windows as there is to it, with a user who presses ``keys``."""

    WINDOW_NORMAL, WINDOW_GUI_NORMAL, WND_PROP_VISIBLE = 0, 16, 4
    EVENT_LBUTTONDOWN, EVENT_RBUTTONDOWN, EVENT_FLAG_SHIFTKEY = 1, 2, 16

    error = RuntimeError

    def __init__(self, keys: str, *, qt: bool) -> None:
        self.keys, self.visible, self.qt = list(keys), 1.0, qt
        self.size: tuple[int, int] | None = None
        self.shown: list[np.ndarray] = []

    def getBuildInformation(self) -> str:
        return "GUI: QT5"

    def namedWindow(self, _title: str, _flags: int) -> None:
        self.size = None

    def resizeWindow(self, _title: str, wide: int, high: int) -> None:
        self.size = wide, high

    def setMouseCallback(self, _title: str, call: Callable[..., None]) -> None:
        self.mouse = call

    def imshow(self, _title: str, image: np.ndarray) -> None:
        self.shown.append(image)

    def waitKey(self, _milliseconds: int) -> int:
        return ord(self.keys.pop(0)) if self.keys else -1

    def getWindowProperty(self, _title: str, _which: int) -> float:
        if self.visible < 1 and self.qt:
            raise self.error("NULL guiReceiver")
        return self.visible

    def destroyWindow(self, _title: str) -> None:
        self.visible = 0.0


@pytest.mark.parametrize("qt", [True, False])
def test_clicks_and_keys_in_a_window(monkeypatch: pytest.MonkeyPatch, qt: bool):
    toolkit, inbox = Toolkit("2x", qt=qt), ActionInbox()
    monkeypatch.setattr(window, "cv2", toolkit)
    monkeypatch.setattr(window, "_try_one", lambda: None)
    opened = Window(inbox)
    (frame,) = frames(1)
    for _ in range(2):
        opened.show(LivePicture(frame, FrameResult(0, 0.0), {}, False))
    assert toolkit.size == (32, 24)
    assert toolkit.shown[0][0, 0].tolist() == [50, 60, 180], "BGR"
    toolkit.mouse(1, 3, 4, 0, None)
    toolkit.mouse(1, 3, 4, 16, None)
    toolkit.mouse(0, 9, 9, 0, None)
    removed, on, beside = inbox.take()
    assert isinstance(removed, Remove)
    assert removed.object_id == 2
    assert isinstance(on, Give)
    assert isinstance(beside, Give)
    assert (on.object_id, on.prompt.labels.tolist(), beside.prompt.labels.tolist()) == (2, [1], [0])
    assert not inbox.stopped
    toolkit.visible = 0.0  # its user closes it
    opened.show(LivePicture(frame, FrameResult(0, 0.0), {}, False))
    assert inbox.stopped
    opened.close()
