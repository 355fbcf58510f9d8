"""A small model with random weights on disk, and a short video, as a user would have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sam2s.cli import main
from sam2s.export.video_file import write_video
from sam2s.weights.save import save_model
from small import small_model

FRAMES, HEIGHT, WIDTH, FPS = 12, 48, 64, 10.0


@dataclass(frozen=True)
class Said:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


Run = Callable[[str], Said]


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = small_model()
    return save_model(model, tmp_path_factory.mktemp("weights") / "small")


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bright square that moves over a dim, noisy ground."""
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 120, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    pictures = []
    for k in range(FRAMES):
        picture = ground.copy()
        picture[10 + k : 26 + k, 8 + 2 * k : 24 + 2 * k] = (230, 220, 240)
        pictures.append(picture)
    path = tmp_path_factory.mktemp("videos") / "op.mp4"
    write_video(path, pictures, FPS)
    return path


@pytest.fixture(autouse=True)
def no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine: tests that look at the error stream expect errors there."""
    monkeypatch.setattr("sam2s.progress.EVERY", 3600.0)


@pytest.fixture
def sam2s(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs one command line in this process, split at spaces."""

    def run(line: str) -> Said:
        capfd.readouterr()
        try:
            code = main(line.split())
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return run
