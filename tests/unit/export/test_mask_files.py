"""Masks on disk, in both layouts, read back by the project's own readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sam2s.errors import InputError
from sam2s.export.mask_files import open_mask_files
from sam2s.masklets.annotations import open_annotations


def masks(*corners: int) -> dict[int, np.ndarray]:
    """Objects 1, 2, ... with 2 x 2 pixels from (corner, corner) on."""
    planes = {i: np.zeros((6, 7), bool) for i in range(1, len(corners) + 1)}
    for i, corner in enumerate(corners, 1):
        planes[i][corner : corner + 2, corner : corner + 2] = True
    return planes


@pytest.mark.parametrize("kind", ["sav", "davis"])
def test_what_is_written_is_read_back(kind: str, tmp_path: Path):
    files = open_mask_files(tmp_path / "v", kind)
    for frame, corner in [("00000", 0), ("00001", 9)]:
        files.write(frame, masks(corner, 3))
    back = open_annotations(tmp_path / "v")
    assert back.ids() == [1, 2]
    assert back.frames(1) == ["00000", "00001"]
    assert np.array_equal(back.read(1, "00000"), masks(0)[1])
    assert not back.read(1, "00001").any()
    assert files.notes() == []


def test_the_sav_layout_keeps_overlaps(tmp_path: Path):
    files = open_mask_files(tmp_path, "sav")
    files.write("a b", masks(0, 1))
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.png")) == [
        "001/a b.png",
        "002/a b.png",
    ]
    back = open_annotations(tmp_path)
    assert back.read(1, "a b").sum() == back.read(2, "a b").sum() == 4
    assert files.notes() == []


def test_the_davis_layout_puts_the_larger_id_on_top_and_says_so(tmp_path: Path):
    files = open_mask_files(tmp_path, "davis")
    files.write("0", masks(0, 3))
    files.write("1", masks(0, 1))
    files.write("2", masks(0, 1))
    back = open_annotations(tmp_path)
    assert (back.read(1, "1").sum(), back.read(2, "1").sum()) == (3, 4)
    (note,) = files.notes()
    assert "overlap on 2 frames" in note


def test_the_davis_layout_refuses_ids_it_cannot_hold(tmp_path: Path):
    with pytest.raises(InputError, match="use the sav format"):
        open_mask_files(tmp_path, "davis").write("0", {300: masks(0)[1]})
    open_mask_files(tmp_path, "sav").write("0", {1300: masks(0)[1]})
    assert open_annotations(tmp_path).ids() == [1300]


@pytest.mark.parametrize("kind", ["sav", "davis"])
def test_a_frame_can_be_taken_back(kind: str, tmp_path: Path):
    files = open_mask_files(tmp_path / "v", kind)
    files.take_back("0")
    for frame in ["0", "1"]:
        files.write(frame, masks(0, 3))
    files.take_back("1")
    files.take_back("1")
    assert open_annotations(tmp_path / "v").frames(1) == ["0"]


def test_a_frame_without_objects(tmp_path: Path):
    open_mask_files(tmp_path / "sav", "sav").write("0", {})
    assert not (tmp_path / "sav").exists()
    files = open_mask_files(tmp_path / "davis", "davis")
    files.write("0", {})
    assert not (tmp_path / "davis").exists()
