"""Which videos a project is about, and whether they are still the ones that were annotated."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sam2s.annotate import fingerprint as samples
from sam2s.annotate.fingerprint import fingerprint
from sam2s.annotate.project import Project
from sam2s.errors import InputError


def opened(folder: Path, *sources: Path) -> tuple[str | None, ...]:
    project = Project(folder, sources)
    project.close()
    return tuple(video.trouble for video in project.videos)


def test_a_second_start_needs_no_names(tmp_path: Path, video: Path):
    assert opened(tmp_path / "p", video) == (None,)
    assert opened(tmp_path / "p") == (None,)
    assert opened(tmp_path / "p", video) == (None,), "it is not added twice"


def test_a_moved_video_is_missed_and_known_again(tmp_path: Path, video: Path):
    here = Path(shutil.copy(video, tmp_path / "here.mp4"))
    project = Project(tmp_path / "p", [here])
    first = project.videos[0].id
    project.close()
    there = here.rename(tmp_path / "there.mp4")
    (trouble,) = opened(tmp_path / "p")
    assert trouble is not None
    assert "no longer where it was" in trouble
    project = Project(tmp_path / "p", [there])
    assert [(v.id, v.trouble) for v in project.videos] == [(first, None)]
    project.close()


def test_a_changed_video_is_not_taken_for_the_annotated_one(tmp_path: Path, video: Path):
    here = Path(shutil.copy(video, tmp_path / "here.mp4"))
    opened(tmp_path / "p", here)
    here.write_bytes(here.read_bytes() + b"\0")
    (trouble,) = opened(tmp_path / "p", here)
    assert trouble is not None
    assert "content has changed" in trouble


def test_a_project_is_open_once(tmp_path: Path, video: Path):
    project = Project(tmp_path / "p", [video])
    with pytest.raises(InputError, match="open in another"):
        Project(tmp_path / "p")
    project.close()
    assert opened(tmp_path / "p") == (None,)


def test_folders_of_videos_and_folders_of_pictures(tmp_path: Path, video: Path):
    from PIL import Image

    for name in ("b.mp4", "a.mp4", "notes.txt"):
        shutil.copy(video, tmp_path / name)
    (tmp_path / "a.mp4").write_bytes((tmp_path / "a.mp4").read_bytes() + b"\0")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (8, 6)).save(pictures / "0.png")
    project = Project(tmp_path / "p", [tmp_path, pictures])
    assert [v.name for v in project.videos] == ["a.mp4", "b.mp4", "pictures"]
    project.close()


def test_nothing_to_annotate_is_said(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        Project(tmp_path / "p", [tmp_path / "none.mp4"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="neither videos nor pictures"):
        Project(tmp_path / "p", [tmp_path / "empty"])
    with pytest.raises(InputError, match="holds no videos yet"):
        Project(tmp_path / "p")


def test_a_long_file_is_sampled_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(samples, "SAMPLES", 4)
    monkeypatch.setattr(samples, "SAMPLE", 4)
    path = tmp_path / "long"
    content = bytearray(range(100))
    path.write_bytes(content)
    before = fingerprint(path)
    for place in (0, 99):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert fingerprint(path) != before
    path.write_bytes(content[:-1])
    assert fingerprint(path) != before
