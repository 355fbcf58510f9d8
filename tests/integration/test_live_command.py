"""``sam2s live`` from end to end: a file at its own pace, a pipe of raw frames, what is wrong."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sam2s.export.tracks import read_tracks
from sam2s.media import latest


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_is_tracked_and_recorded(sam2s, video: Path, model_folder: Path, tmp_path: Path):
    said = sam2s(
        f"live {video} --click 1:16,18 --model {model_folder} --device cpu --jsonl"
        f" {tmp_path}/masks.jsonl --record {tmp_path}/kept --report {tmp_path}/report.json"
    )
    assert said.code == 0, said.err
    assert said.out == ""
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["frames"] + report["dropped"] == 12
    assert report["to_mask"]["count"] == report["frames"]
    assert "capture to mask: p50 " in said.err
    found = lines(tmp_path / "masks.jsonl")
    assert found[0]["objects"]["1"]["rle"]["size"] == [48, 64]
    tracks = read_tracks(tmp_path / "kept/tracks.json")
    assert tracks.source.name == "op.mp4"
    assert len(tracks.frames) == report["sinks"]["recording"]["shown"]


def test_a_pipe_of_raw_frames_and_json_lines_out(sam2s, model_folder: Path, tmp_path: Path):
    pipe = tmp_path / "frames"
    os.mkfifo(pipe)
    pixels = np.random.default_rng(0).integers(0, 255, (3, 48, 64, 3), dtype=np.uint8)
    writer = threading.Thread(target=lambda: pipe.write_bytes(pixels.tobytes()))
    writer.start()
    said = sam2s(
        f"live pipe:{pipe} --raw 64x48:bgr24 --box 3:4,4,30,30 --model {model_folder} --device cpu"
        " --jsonl -"
    )
    writer.join()
    assert said.code == 0, said.err
    assert all("3" in json.loads(line)["objects"] for line in said.out.splitlines())
    assert len(said.out.splitlines()) >= 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_ends_it_in_good_order(
    sam2s,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    code: int,
):
    """While it waits for a frame that does not come."""
    monkeypatch.setattr(latest, "PATIENCE", 0.3)
    pipe, masks = tmp_path / "frames", tmp_path / "masks.jsonl"
    os.mkfifo(pipe)

    def one_frame_and_ctrl_c() -> None:
        with pipe.open("wb", buffering=0) as file:
            file.write(bytes(48 * 64 * 3))
            until = time.monotonic() + 60
            while not (masks.exists() and masks.stat().st_size) and time.monotonic() < until:
                time.sleep(0.02)
            os.kill(os.getpid(), number)
            ended.wait(60)

    ended = threading.Event()
    writer = threading.Thread(target=one_frame_and_ctrl_c)
    writer.start()
    said = sam2s(
        f"live pipe:{pipe} --raw 64x48 --box 3:4,4,30,30 --model {model_folder} --device cpu"
        f" --jsonl {masks} --record {tmp_path}/kept --report {tmp_path}/report.json"
    )
    ended.set()
    writer.join()
    assert (said.code, said.err.splitlines()[-1]) == (code, f"sam2s: interrupted ({number.name})")
    assert "1 frames" in said.err
    assert json.loads((tmp_path / "report.json").read_text())["frames"] == 1
    tracks = read_tracks(tmp_path / "kept/tracks.json")
    assert (tracks.complete, len(tracks.frames)) == (True, 1)


def test_what_cannot_be_done_is_one_line(sam2s, video: Path, model_folder: Path, tmp_path: Path):
    (tmp_path / "tracks.json").touch()
    click = "--click 1:3,4"
    for arguments, words in (
        (f"{video} {click}", "nothing would be seen of it; give --page"),
        (f"{video} --jsonl -", "nothing to track"),
        (f"{tmp_path}/none.mp4 {click} --jsonl -", "none.mp4: no such file"),
        (f"rtsp://127.0.0.1:9/x {click} --jsonl -", "rtsp://127.0.0.1:9/x"),
        (f"- {click} --stdin --jsonl -", "the standard input is the source already"),
        (f"{video} {click} --jsonl - --pace 0", "--pace 0.0: expected a number above 0"),
        (f"{video} {click} --jsonl - --raw 3", "--raw 3: expected WIDTHxHEIGHT"),
        (f"{video} {click} --jsonl - --port 80", "--port: is the page's"),
        (f"{video} {click} --record {tmp_path}", "holds a tracks.json already"),
        (f"{video} {click} --jsonl {tmp_path}/no/x", "cannot be written"),
        (f"{video} --click 1:a --jsonl -", "--click"),
    ):
        said = sam2s(f"live {arguments} --model {model_folder} --device cpu --reconnect 0")
        said_errors = [line for line in said.err.splitlines() if line.startswith("sam2s: ")]
        assert (said.code, len(said_errors)) == (2, 1), (arguments, said.err)
        assert words in said_errors[0]
