"""The generic reader (Hyst-YT, one's own data) and SurgAI3.8k, whose layout the user states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from source_trees import box, codes, converted, grey, junk, picture, write, write_json

from sam2s.errors import InputError

OBJECTS = {
    "1": {"class": "grasper"},
    "7": {"class": None, "kind": "instrument"},
    "9": {"class": "my organ", "kind": "tissue"},
}


def tree(root: Path) -> None:
    for i, stem in enumerate(("f_2", "f_10", "f_11")):
        picture(root / f"case1/frames/{stem}.jpg", seed=i)
    write(root / "case1/masks/f_2.png", codes(a=(1, box(2, 2, 8, 8)), b=(7, box(20, 20, 8, 8))))
    write(root / "case1/masks/f_11.png", codes(a=(1, box(2, 2, 8, 8)), c=(9, box(12, 12, 4, 4))))
    junk(root, "case1/frames", "case1/masks")


def test_ids_of_the_masks_are_identities_and_bare_frames_are_not_annotated(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    write_json(tmp_path / "in/objects.json", OBJECTS)
    done = converted("hyst-yt", tmp_path / "in", tmp_path / "out", fps="1")
    video = done.folder.videos["hyst-yt_case1"]
    assert video.frame_names == ["f_2", "f_10", "f_11"]
    assert done.classes(video.name) == {1: "grasper", 2: None, 3: "my organ"}
    assert [video.annotated(i) for i in (1, 2, 3)] == [[0, 2]] * 3
    assert done.present(video.name) == {1: ["f_2", "f_11"], 2: ["f_2"], 3: ["f_11"]}
    assert video.info.objects[1].kind == "instrument"
    assert (video.info.procedure, video.info.fps, video.info.split) == ("hysterectomy", 1.0, "test")
    assert done.frames(video.name)["f_11"] == {"source_frame": 11, "time_s": 2.0}


def test_own_table_of_a_video_wins_and_unlisted_ids_are_reported(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    write_json(tmp_path / "in/objects.json", OBJECTS)
    write_json(tmp_path / "in/case1/objects.json", {"1": {"class": "hook"}})
    done = converted("folder", tmp_path / "in", tmp_path / "out")
    assert done.classes("folder_case1") == {1: "hook"}
    assert set(done.report.notes) == {
        "id 7 is not in objects.json, left out",
        "id 9 is not in objects.json, left out",
    }


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        (None, "expected this file, such as"),
        ([1], "expected {"),
        ({"x": {"class": "hook"}}, "expected {"),
        ({"1": {"class": "my organ"}}, "kind must be 'instrument' or 'tissue', got None"),
    ],
)
def test_table_errors(tmp_path: Path, objects: object, message: str) -> None:
    tree(tmp_path / "in")
    if objects is not None:
        write_json(tmp_path / "in/objects.json", objects)
    with pytest.raises(InputError, match=message):
        converted("folder", tmp_path / "in", tmp_path / "out")


PLACES = {
    "images": r"(?P<video>v\d+)/img_(?P<frame>\d+)\.png",
    "masks": r"(?P<video>v\d+)/lab_(?P<frame>\d+)\.png",
}


def surgai(root: Path) -> None:
    for n in (2, 10):
        picture(root / f"deep/v1/img_{n}.png", seed=n)
        write(
            root / f"deep/v1/lab_{n}.png",
            codes(uterus=(3, box(4, 4, 20, 20)), contour=(5, box(0, 0, 3, 40))),
        )


def test_surgai_states_what_it_found_when_nothing_is_stated(tmp_path: Path) -> None:
    surgai(tmp_path / "in")
    with pytest.raises(
        InputError, match=r"SurgAI3.8k: its layout is not published; .*deep/v1: 4 pictures"
    ):
        converted("surgai3.8k", tmp_path / "in", tmp_path / "out")
    (tmp_path / "masks").mkdir()
    write(tmp_path / "masks/a/1.png", grey(box(2, 2, 9, 9)))
    with pytest.raises(InputError, match=r"Mask-like values in a: 0, 255\."):
        converted("surgai3.8k", tmp_path / "masks", tmp_path / "out")


def test_surgai_by_patterns(tmp_path: Path) -> None:
    surgai(tmp_path / "in")
    done = converted("surgai3.8k", tmp_path / "in", tmp_path / "out", value="3", **PLACES)
    assert list(done.frames("surgai3.8k_v1")) == ["000002", "000010"]
    assert done.classes("surgai3.8k_v1") == {1: "uterus"}
    np.testing.assert_array_equal(done.folder.videos["surgai3.8k_v1"].mask(1, 0), box(4, 4, 20, 20))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": "("}, "not a regular expression"),
        ({"images": r"(?P<video>v\d+)/img.*"}, "expected the groups"),
        ({"images": r"(?P<video>w\d+)/(?P<frame>\d+)"}, "no path matches images="),
        ({"images": r"(?P<video>v\d+)/(?P<frame>img_\d+)\.png"}, "must match digits only"),
        ({"value": "white"}, "expected above0 or a number"),
    ],
)
def test_surgai_option_errors(tmp_path: Path, change: dict[str, str], message: str) -> None:
    surgai(tmp_path / "in")
    with pytest.raises(InputError, match=message):
        converted("surgai3.8k", tmp_path / "in", tmp_path / "out", **(PLACES | change))
