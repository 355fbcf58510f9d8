from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from source_trees import SIZE, box, codes, converted, junk, picture, thrice, write

from sam2s.errors import InputError


def frame(root: Path, video: str, start: int, n: int, shift: int = 0) -> None:
    """A frame with two graspers, liver, blood, and the white line round it."""
    folder = root / f"video{video}/video{video}_{start:05d}"
    pixels = codes(
        fill=50,
        liver=(21, box(16, 0, 16, 40)),
        left=(31, box(2, 4 + shift, 10, 6)),
        right=(31, box(2, 28 - shift, 10, 6)),
        blood=(24, box(14, 18, 4, 4)),
    )
    pixels[[0, -1]] = 255
    picture(folder / f"frame_{n}_endo.png", seed=n)
    write(folder / f"frame_{n}_endo_watershed_mask.png", thrice(pixels))
    write(folder / f"frame_{n}_endo_color_mask.png", thrice(pixels))
    write(folder / f"frame_{n}_endo_mask.png", np.zeros((*SIZE, 3), np.uint8))
    junk(folder, ".")


def test_adjacent_clips_are_one_video_in_numeric_order(tmp_path: Path) -> None:
    for start, numbers in ((80, (98, 99)), (100, (100, 101)), (900, (900, 901))):
        for n in numbers:
            frame(tmp_path / "in/archive", "01", start, n)
    done = converted("CholecSeg8k", tmp_path / "in", tmp_path / "out")
    assert done.names() == ["cholecseg8k_video01_00098", "cholecseg8k_video01_00900"]
    assert list(done.frames("cholecseg8k_video01_00098")) == [
        "000098",
        "000099",
        "000100",
        "000101",
    ]
    assert done.frames("cholecseg8k_video01_00098")["000100"] == {
        "source_frame": 100,
        "time_s": 4.0,
    }
    video = done.folder.videos["cholecseg8k_video01_00098"]
    assert (video.info.fps, video.info.split) == (25.0, "train")
    assert done.provenance["videos"][video.name]["recording"] == "cholec80:VID01"


def test_graspers_are_two_tissue_is_one_and_blood_is_left_out(tmp_path: Path) -> None:
    for n in (80, 81):
        frame(tmp_path / "in", "01", 80, n, shift=n - 80)
    done = converted("cholecseg8k", tmp_path / "in", tmp_path / "out")
    name = done.names()[0]
    assert sorted(done.classes(name).values()) == ["grasper", "grasper", "liver"]
    assert all(len(frames) == 2 for frames in done.present(name).values())
    assert not done.report.notes
    kept = converted("cholecseg8k", tmp_path / "in", tmp_path / "kept", blood="keep")
    assert "blood" in kept.classes(name).values()


def test_stray_codes_are_reported(tmp_path: Path) -> None:
    frame(tmp_path / "in", "01", 80, 80)
    path = tmp_path / "in/video01/video01_00080/frame_80_endo_watershed_mask.png"
    write(path, thrice(codes(liver=(21, box(3, 3, 9, 9)), stray=(35, box(20, 20, 3, 3)))))
    done = converted("cholecseg8k", tmp_path / "in", tmp_path / "out")
    assert dict(done.report.notes) == {"unknown code 35 in a mask, left out": 1}


def test_exclude_and_layout_error(tmp_path: Path) -> None:
    frame(tmp_path / "in", "01", 80, 80)
    frame(tmp_path / "in", "09", 80, 80)
    done = converted("cholecseg8k", tmp_path / "in", tmp_path / "out", exclude="9")
    assert done.names() == ["cholecseg8k_video01_00080"]
    picture(tmp_path / "wrong/video01/frame_80_endo.png")
    with pytest.raises(
        InputError,
        match=r"CholecSeg8k: expected video01/video01_00080/frame_.*found 1 files such as v",
    ):
        converted("cholecseg8k", tmp_path / "wrong", tmp_path / "out")
