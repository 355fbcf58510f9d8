"""A project about one small video."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sam2s.annotate.project import Project
from sam2s.export.video_file import write_video
from tiny import moving_square

FRAMES, HEIGHT, WIDTH = 10, 48, 80


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "op.mp4"
    write_video(path, moving_square(FRAMES, height=HEIGHT, width=WIDTH), 10.0)
    return path


@pytest.fixture
def project(tmp_path: Path, video: Path) -> Iterator[Project]:
    opened = Project(tmp_path / "project", [video])
    yield opened
    opened.close()
