from __future__ import annotations

import os
from pathlib import Path

import pytest
from source_trees import box, codes, converted, picture, write

from sam2s.errors import InputError


def tree(root: Path) -> None:
    for number in (2, 10):
        picture(root / f"images/seq1/{number:04d}_l.jpg", seed=number)
        parts = {
            "tissue": (2, box(0, 0, 32, 40)),
            "fold": (1, box(2, 2, 10, 5)),
            "other_fold": (1, box(2, 20, 10, 5)),
            "tool": (5, box(20, 2, 8, 8)),
            "tool_two": (5, box(20, 24, 8, 8)),
        }
        write(root / f"labels/seq1/{number:04d}_l.png", codes(**parts))


def test_folds_are_one_object_and_tools_are_two(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    done = converted("vocalfolds", tmp_path / "in", tmp_path / "out", split="train")
    assert done.classes("vocalfolds_seq1") == {1: "vocal fold", 2: None, 3: None}
    assert done.present("vocalfolds_seq1") == {i: ["000002", "000010"] for i in (1, 2, 3)}
    info = done.folder.videos["vocalfolds_seq1"].info
    assert {i: o.kind for i, o in info.objects.items()} == {
        1: "tissue",
        2: "instrument",
        3: "instrument",
    }
    assert info.split == "train"
    assert "laryngeal lesion" in done.provenance["videos"]["vocalfolds_seq1"]["labelled"]


def test_unknown_codes_are_counted_or_refused(tmp_path: Path) -> None:
    from sam2s.convert.convert import ConvertSettings, convert

    tree(tmp_path / "in")
    write(
        tmp_path / "in/labels/seq1/0002_l.png",
        codes(a=(1, box(2, 2, 9, 9)), b=(9, box(20, 20, 5, 5))),
    )
    done = converted("vocalfolds", tmp_path / "in", tmp_path / "out")
    assert dict(done.report.notes) == {"unknown code 9 in a mask, left out": 1}
    strict = ConvertSettings(strict=True)
    with pytest.raises(InputError, match=r"0002_l.png: unknown code 9 .*strict"):
        convert("vocalfolds", tmp_path / "in", tmp_path / "other", "link", False, strict)


REAL = Path(os.environ.get("SAM2S_REAL", "no such folder")) / "vocalfolds"


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the real laryngeal set is not below the folder SAM2S_REAL"
)
def test_real_set(tmp_path: Path) -> None:
    done = converted("vocalfolds", REAL, tmp_path / "out", "link")
    assert (done.report.videos, done.report.frames) == (6, 228)
    assert all(
        {"vocal fold", "glottis"} <= set(done.classes(name).values()) for name in done.names()
    )
