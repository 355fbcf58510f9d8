"""``sam2s track`` on sources that are no plain file: live streams, pipes, several streams, joined
clocks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import av
import pytest

from footage import Clip
from sam2s.export.tracks import read_tracks


def seconds(path: Path) -> float:
    with av.open(str(path)) as container:
        return container.duration / av.time_base


@pytest.mark.parametrize("start", [0, 4])
def test_a_live_source_is_tracked_to_its_end(start: int, sam2s, model_folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    said = sam2s(
        f"track lavfi:testsrc2=size=64x48:rate=10:duration=1 --click 1:30,20 --frame {start}"
        f" --out {out} --overlay {out}/overlay.mp4 --model {model_folder} --device cpu"
    )
    assert (said.code, said.err) == (0, "")
    tracks = read_tracks(out / "tracks.json")
    assert tracks.complete
    assert [frame.index for frame in tracks.frames] == list(range(start, 10))
    assert [frame.time for frame in tracks.frames] == pytest.approx(
        [i / 10 for i in range(start, 10)]
    )
    assert (tracks.source.width, tracks.source.height, tracks.source.fps) == (64, 48, 10)
    assert seconds(out / "overlay.mp4") == pytest.approx((10 - start) / 10, abs=0.01)


def test_a_frame_behind_the_end_of_a_live_source(sam2s, model_folder: Path, tmp_path: Path):
    said = sam2s(
        "track lavfi:testsrc2=size=64x48:rate=10:duration=1 --click 1:30,20 --frame 10"
        f" --out {tmp_path}/out --model {model_folder} --device cpu"
    )
    assert said.code == 2
    assert "ends before that frame (it has 10 frames)" in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["pipe:{}", "{}"])
def test_a_named_pipe_is_tracked_as_it_comes(name: str, sam2s, model_folder: Path, tmp_path: Path):
    data = Clip(".ts", count=12, options={"bf": "0"}).write(tmp_path).read_bytes()
    os.mkfifo(tmp_path / "camera")
    writer = threading.Thread(target=(tmp_path / "camera").write_bytes, args=(data,))
    writer.start()
    said = sam2s(
        f"track {name.format(tmp_path / 'camera')} --click 1:30,20 --out {tmp_path}/out"
        f" --model {model_folder} --device cpu"
    )
    writer.join()
    assert (said.code, said.err) == (0, "")
    assert len(read_tracks(tmp_path / "out" / "tracks.json").frames) == 12


def test_the_standard_input_is_tracked_and_ends_at_an_interrupt(model_folder: Path, tmp_path: Path):
    """A camera that has stopped sending, and Ctrl+C: what was found is kept."""
    data = Clip(".ts", count=40, options={"bf": "0"}).write(tmp_path).read_bytes()
    out = tmp_path / "out"
    command = ["track", "-", "--click", "1:30,20", "--out", str(out), "--device", "cpu"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sam2s.cli", *command, "--model", str(model_folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=False,
    )
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()
    part = out / ".sam2s-part" / "tracks.json"
    deadline = time.monotonic() + 120
    while not (part.exists() and b'"index": 6' in part.read_bytes()):
        assert process.poll() is None, process.stderr
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    tracks = read_tracks(out / "tracks.json")
    assert not tracks.complete
    assert len(tracks.frames) > 5
    assert b"frames/s" in said


def test_a_second_video_stream_is_said_and_can_be_chosen(sam2s, model_folder: Path, tmp_path: Path):
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mjpeg", rate=25), container.add_stream("mpeg4", rate=25)]
        for stream, pixels in zip(streams, ("yuvj420p", "yuv420p"), strict=True):
            stream.height, stream.width, stream.pix_fmt = 48, 64, pixels
        for stream, count in zip(streams, (1, 8), strict=True):
            for _ in range(count):
                container.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
            container.mux(stream.encode(None))
    rest = f"--click 1:30,20 --out {tmp_path}/out --model {model_folder} --device cpu"
    said = sam2s(f"track {path} {rest}")
    assert said.code == 0
    assert "note: two.mp4 holds 2 video streams" in said.out
    assert "8 frames, 1 object" in said.out
    said = sam2s(f"track {path} --stream 0 {rest}")
    assert said.code == 0
    assert "1 frames, 1 object" in said.out
    said = sam2s(f"track {path} --stream 2 {rest}")
    assert said.code == 2
    assert "has no video stream 2" in said.err


def test_an_overlay_of_joined_recordings_lasts_as_long_as_both(
    sam2s, model_folder: Path, tmp_path: Path
):
    path = Clip(".ts", count=8, options={"bf": "0"}).write(tmp_path)
    path.write_bytes(path.read_bytes() * 2)
    out = tmp_path / "out"
    said = sam2s(
        f"track {path} --click 1:30,20 --out {out} --overlay {out}/overlay.mp4"
        f" --model {model_folder} --device cpu"
    )
    assert said.code == 0
    times = [frame.time for frame in read_tracks(out / "tracks.json").frames]
    assert [time - times[0] for time in times] == pytest.approx(
        [i / 25 for i in range(16)], abs=1e-3
    )
    assert seconds(out / "overlay.mp4") == pytest.approx(16 / 25, abs=0.01)


def test_a_playlist_needs_its_option(sam2s, model_folder: Path, tmp_path: Path):
    Clip(".ts", count=8, options={"bf": "0"}).write(tmp_path)
    playlist = tmp_path / "op.m3u8"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:0.3,\nclip.ts\n#EXT-X-ENDLIST\n")
    rest = f"--click 1:30,20 --out {tmp_path}/out --model {model_folder} --device cpu"
    said = sam2s(f"track {playlist} {rest}")
    assert said.code == 2
    assert "HLS playlist, which opens other files" in said.err
    assert sam2s(f"track {playlist} --playlist {rest}").code == 0


def test_a_very_long_name_is_one_short_line(sam2s, tmp_path: Path):
    said = sam2s(f"track {'x' * 5000} --click 1:1,1 --out {tmp_path}/out")
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert len(said.err) < 300
