"""A project about one small video, and a server of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from annotate_pictures import FRAMES, HEIGHT, WIDTH
from sam2s.annotate.model_room import ModelChoice
from sam2s.annotate.project import Project
from sam2s.annotate.server.application import make_application
from sam2s.annotate.server.sign_in import SignIn
from sam2s.annotate.workspace import Workspace
from sam2s.export.video_file import write_video
from sam2s.weights.save import save_model
from small import small_model
from tiny import moving_square

HOST = "127.0.0.1:8765"


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


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, video: Path) -> Iterator[Workspace]:
    model = save_model(small_model(), tmp_path_factory.mktemp("weights") / "small")
    project = Project(tmp_path_factory.mktemp("project"), [video])
    opened = Workspace(project, ModelChoice(str(model), "cpu"))
    room = opened.room(project.videos[0].id)
    for _ in range(200):
        if room.facts.indexed:
            break
        time.sleep(0.05)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def sign_in() -> SignIn:
    return SignIn(8765)


@pytest.fixture(scope="module")
def app(work: Workspace, sign_in: SignIn):
    return make_application(work, sign_in, {HOST, "localhost:8765"})


@pytest.fixture
def page(app, sign_in: SignIn) -> TestClient:
    client = TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)
    client.get("/", params={"token": sign_in.new_link()})
    return client


@pytest.fixture(scope="module")
def base(work: Workspace) -> str:
    return f"/api/videos/{work.project.videos[0].id}"
