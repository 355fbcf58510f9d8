"""Damaged videos: what can be read is worked on, and the page is told what cannot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from annotate_pictures import act, refused
from damaged_footage import (
    BAD,
    COUNT,
    cut_short,
    pictures_with_a_bad_one,
    with_a_hole,
    without_its_head,
)
from sam2s.annotate.model_room import ModelChoice
from sam2s.annotate.project import Project
from sam2s.annotate.server.application import make_application
from sam2s.annotate.server.sign_in import SignIn
from sam2s.annotate.workspace import Workspace

HOST = "127.0.0.1:8765"


@contextmanager
def served(project: Project, choice: ModelChoice) -> Iterator[tuple[TestClient, str]]:
    """A page on the project's first video, which has been read."""
    work, sign_in = Workspace(project, choice), SignIn(8765)
    page = TestClient(make_application(work, sign_in, {HOST}), base_url=f"http://{HOST}")
    page.get("/", params={"token": sign_in.new_link()})
    base = f"/api/videos/{project.videos[0].id}"
    try:
        while page.get(base).json().get("indexed") is False:
            time.sleep(0.05)
        yield page, base
    finally:
        work.close()


@pytest.mark.parametrize("make", [cut_short, with_a_hole])
def test_a_damaged_video_is_worked_on_up_to_the_damage(tmp_path: Path, work: Workspace, make):
    video = make(tmp_path)
    for start in ("first", "second"):  # the second knows it from the project
        with served(Project(tmp_path / "project", [video]), work.models.choice) as (page, base):
            facts = page.get(base).json()
            assert 5 < facts["frames"] <= BAD + 5, start
            assert f"broken at frame {facts['frames']} (" in facts["damage"]
            assert page.get(f"{base}/frames/{facts['frames'] - 1}").status_code == 200
            refused(page.get(f"{base}/frames/{facts['frames']}"), 400)
            run = {"objects": [1], "frame": 0}
            click = {"action": "click", "object": 1, "frame": 0, "x": 20.0, "y": 24.0}
            act(page, base, **click)
            assert page.post(f"{base}/runs", json=run).json()["steps"] == facts["frames"]


def test_a_picture_that_is_none_is_said_and_the_others_are_shown(tmp_path: Path, work: Workspace):
    folder = pictures_with_a_bad_one(tmp_path / "pictures")
    with served(Project(tmp_path / "project", [folder]), work.models.choice) as (page, base):
        assert page.get(base).json()["frames"] == COUNT
        refused(page.get(f"{base}/frames/{BAD}"), 400, f"frame {BAD}: {BAD:03d}.png: damaged")
        assert page.get(f"{base}/frames/{BAD + 1}").status_code == 200
        assert page.get(f"{base}/frames/{BAD - 1}").status_code == 200


def test_a_video_that_cannot_be_opened_is_said(tmp_path: Path, work: Workspace):
    video = without_its_head(tmp_path)
    with served(Project(tmp_path / "project", [video]), work.models.choice) as (page, base):
        refused(page.get(base), 400, "headless.mp4")
        assert page.get("/api/project").status_code == 200
