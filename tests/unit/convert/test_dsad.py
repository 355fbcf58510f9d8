from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from source_trees import box, converted, grey, junk, picture, write

from sam2s.errors import InputError


def tree(root: Path) -> None:
    for n in (9, 10, 100):
        picture(root / f"liver/03/image{n:02d}.png", seed=n)
        write(root / f"liver/03/mask{n:02d}.png", grey(box(2, 2, 10, 10) | box(20, 20, 5, 5)))
        write(root / f"liver/03/anno_1/mask{n:02d}.png", grey(box(0, 0, 32, 40)))
    (root / "liver/03/weak_labels.csv").write_text("x")
    junk(root, "liver/03")
    for n in (0, 1):
        picture(root / f"multilabel/03/image{n:02d}.png", seed=50 + n)
        for organ, place in (("stomach", 2), ("liver", 20)):
            write(root / f"multilabel/03/mask{n:02d}_{organ}.png", grey(box(place, 2, 8, 30)))


def test_one_track_an_organ_and_raters_are_skipped(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    done = converted("DSAD", tmp_path / "in", tmp_path / "out")
    assert done.names() == ["dsad_liver_03", "dsad_multilabel_03"]
    assert list(done.frames("dsad_liver_03")) == ["000009", "000010", "000100"]
    assert done.classes("dsad_liver_03") == {1: "liver"}
    assert int(done.folder.videos["dsad_liver_03"].mask(1, 0).sum()) == 125
    assert done.provenance["videos"]["dsad_liver_03"]["labelled"] == ["liver"]
    assert set(done.classes("dsad_multilabel_03").values()) == {"liver", "stomach"}
    assert {entry["recording"] for entry in done.provenance["videos"].values()} == {"dsad:03"}


def test_repeated_frames_stay_where_more_is_labelled(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    shutil.copy(tmp_path / "in/multilabel/03/image01.png", tmp_path / "in/liver/03/image10.png")
    (tmp_path / "in/multilabel/03/mask01_liver.png").unlink()
    done = converted("dsad", tmp_path / "in", tmp_path / "out")
    assert list(done.frames("dsad_liver_03")) == ["000009", "000100"]
    assert sorted(done.report.notes.values()) == [1, 1]
    alone = converted("dsad", tmp_path / "in", tmp_path / "alone", multilabel="skip")
    assert alone.names() == ["dsad_liver_03"]
    assert len(alone.frames("dsad_liver_03")) == 3


def test_stills(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    done = converted("dsad", tmp_path / "in", tmp_path / "out", shape="stills")
    assert len(done.names()) == 5
    assert {len(video) for video in done.folder.videos.values()} == {1}
    assert done.frames("dsad_liver_03_000100") == {"000100": {"source_frame": 100, "time_s": None}}


def test_errors(tmp_path: Path) -> None:
    picture(tmp_path / "in/spoon/03/image00.png")
    with pytest.raises(InputError, match=r"DSAD: expected liver/03/image00.png and mask00.png"):
        converted("dsad", tmp_path / "in", tmp_path / "out")
    picture(tmp_path / "in/liver/03/image00.png")
    with pytest.raises(InputError, match="picture without a mask"):
        converted("dsad", tmp_path / "in", tmp_path / "out")
    (tmp_path / "in/liver/03/image00.png").unlink()
    write(tmp_path / "in/multilabel/03/mask00_liver.png", grey(box(2, 2, 8, 8)))
    with pytest.raises(InputError, match=r"has no picture image00.png beside it"):
        converted("dsad", tmp_path / "in", tmp_path / "out")
