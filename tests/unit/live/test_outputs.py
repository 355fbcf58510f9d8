"""What is written and sent: recordings in one clock, JSON lines, streams."""

from __future__ import annotations

import io
import json
import socket
from pathlib import Path

import av
import numpy as np
import pytest
from fakes import EveryFrame, FakeTracker, frames

from sam2s.errors import InputError
from sam2s.export.tracks import read_tracks
from sam2s.live.inbox import ActionInbox
from sam2s.live.json_lines import JsonLines
from sam2s.live.live_loop import LiveLoop, LiveSummary
from sam2s.live.live_recorder import LiveRecorder
from sam2s.live.sink import Sink
from sam2s.live.stream_output import StreamOutput
from sam2s.live.window import Window
from sam2s.masklets.masks import decode_rle


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
    assert summary.to_screen[target].count > 2


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
