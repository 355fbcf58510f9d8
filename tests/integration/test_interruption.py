"""Real processes that are told to stop: what was found so far stands under its final names."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from command_process import start, wait_for
from sam2s.export.tracks import read_tracks
from sam2s.export.video_file import write_video
from sam2s.media.frames import open_frames

LONG = 2000


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes far longer to track than a test waits."""
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("long") / "op.mp4"
    write_video(path, (np.roll(picture, k, axis=1) for k in range(LONG)), 25.0)
    return path


@pytest.fixture
def tracking(long_video: Path, model_folder: Path, tmp_path: Path) -> Iterator[subprocess.Popen]:
    """A track under way, with a few frames found."""
    out = tmp_path / "out"
    process = start(
        *("track", long_video, "--click", "1:16,18", "--out", out, "--model", model_folder),
        *("--overlay", out / "overlay.mp4", "--device", "cpu"),
    )
    wait_for(out / ".sam2s-part" / "tracks.json", 4000, process)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_keeps_what_was_found(
    tracking: subprocess.Popen, tmp_path: Path, number: signal.Signals, code: int
):
    tracking.send_signal(number)
    _, errors = tracking.communicate(timeout=60)
    assert tracking.returncode == code, errors
    assert errors == f"sam2s: interrupted ({number.name})\n"
    out = tmp_path / "out"
    tracks = read_tracks(out / "tracks.json")
    assert 0 < len(tracks.frames) < LONG
    assert (tracks.complete, tracks.broke_at.reason) == (False, "interrupted")
    masks = list((out / "Annotations" / "op" / "001").iterdir())
    assert len(masks) == len(tracks.frames)
    with open_frames(out / "overlay.mp4") as overlay:
        assert sum(1 for _ in overlay) == len(tracks.frames)
    assert not list(out.glob(".*"))


def test_after_a_kill_the_next_run_keeps_what_is_there(
    tracking: subprocess.Popen, long_video: Path, model_folder: Path, tmp_path: Path
):
    tracking.kill()
    tracking.communicate()
    out = tmp_path / "out"
    again = start(
        *("track", long_video, "--click", "1:16,18", "--frame", LONG - 3, "--out", out),
        *("--model", model_folder, "--device", "cpu"),
    )
    said, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert f"moved to {out / 'broken-off-1'}" in said
    left = read_tracks(out / "broken-off-1" / "tracks.json")
    assert len(left.frames) > 0
    assert len(read_tracks(out / "tracks.json").frames) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has it")
def test_a_full_standard_output_costs_no_result(
    long_video: Path, model_folder: Path, tmp_path: Path
):
    out = tmp_path / "out"
    with open("/dev/full", "w") as full:
        process = start(
            *("track", long_video, "--click", "1:16,18", "--frame", LONG - 3, "--out", out),
            *("--model", model_folder, "--device", "cpu"),
            stdout=full,
        )
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors == ("sam2s: the output could not be shown to its end (No space left on device)\n")
    assert len(read_tracks(out / "tracks.json").frames) == 3


def test_nohup_stays_in_force(long_video: Path, model_folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    process = start(
        *("track", long_video, "--click", "1:16,18", "--frame", LONG - 40, "--out", out),
        *("--model", model_folder, "--device", "cpu"),
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    wait_for(out / ".sam2s-part" / "tracks.json", 600, process)
    process.send_signal(signal.SIGHUP)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert len(read_tracks(out / "tracks.json").frames) == 40
