from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from source_trees import box, codes, converted, junk, picture, thrice, write

from sam2s.errors import InputError

FRAMES = ("001", "025", "050", "075", "100", "125")


@pytest.mark.parametrize(
    "folder", ["Task 3 Instrument and key anatomy segmentation", "AutoLaparo_Task3"]
)
def test_parts_touching_or_nearly_are_one_tool_and_the_uterus_is_one(
    tmp_path: Path, folder: str
) -> None:
    root = tmp_path / "in" / folder
    for i, frame in enumerate(FRAMES):
        pixels = codes(
            uterus=(180, box(22, 2, 8, 10)),
            uterus_too=(180, box(22, 20, 8, 10)),
            manipulator=(20, box(2, 2 + i, 4, 5)),
            shaft=(40, box(8, 2 + i, 8, 5)),
            other_manipulator=(20, box(2, 30 - i, 4, 5)),
            other_shaft=(40, box(6, 30 - i, 8, 5)),
        )
        picture(root / f"imgs/001{frame}.jpg", seed=i)
        write(root / f"masks/001{frame}.png", thrice(pixels))
    (root / "README (update_29 Nov 2022).txt").write_text("x")
    junk(root, "imgs", "masks")
    done = converted("AutoLaparo", tmp_path / "in", tmp_path / "out")
    assert sorted(done.classes("autolaparo_clip001").values()) == ["grasper", "grasper", "uterus"]
    assert all(len(frames) == 6 for frames in done.present("autolaparo_clip001").values())
    assert [f["time_s"] for f in done.frames("autolaparo_clip001").values()] == [
        0.0,
        1.0,
        2.0,
        3.0,
        4.0,
        5.0,
    ]
    video = done.folder.videos["autolaparo_clip001"]
    assert (video.info.fps, video.info.split, video.info.procedure) == (
        1.0,
        "train",
        "hysterectomy",
    )
    tools = [i for i, name in done.classes("autolaparo_clip001").items() if name == "grasper"]
    np.testing.assert_array_equal(
        video.mask(tools[0], 0) | video.mask(tools[1], 0),
        box(2, 2, 4, 5) | box(8, 2, 8, 5) | box(2, 30, 12, 5),
    )


def test_layout_error(tmp_path: Path) -> None:
    picture(tmp_path / "in/imgs/001001.jpg")
    with pytest.raises(
        InputError,
        match=r"AutoLaparo: expected imgs/001001.jpg and masks/001001.png under .* found 1 ",
    ):
        converted("autolaparo", tmp_path / "in", tmp_path / "out")
