from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from source_trees import box, converted, grey, junk, picture, thrice, write

from sam2s.errors import InputError

SIZE = (48, 64)


def frame(
    root: Path, stem: str, mask: np.ndarray, mask_stem: str | None = None, rgb: bool = False
) -> None:
    sequence = root / "PolypGen2021_MultiCenterData_v3/sequenceData/positive/seq1"
    picture(sequence / f"images_seq1/{stem}.jpg", SIZE, seed=len(stem))
    pixels = thrice(grey(mask)) if rgb else grey(mask)
    write(sequence / f"masks_seq1/{mask_stem or stem}_mask.jpg", pixels, quality=60)


def tree(root: Path) -> None:
    polyp = box(8, 8, 24, 24, SIZE)
    frame(root, "seq1_C6_9", polyp)
    frame(root, "seq1_C6_10", np.zeros(SIZE, bool), rgb=True)
    frame(root, "seq1_C6_100", polyp)
    frame(root, "seq1_C6_101_", polyp, "seq1_C6_101")
    sequence = root / "PolypGen2021_MultiCenterData_v3/sequenceData/positive/seq1"
    (sequence / "masks_seq1/stray.txt").write_text("0 0 1 1")
    junk(root, "PolypGen2021_MultiCenterData_v3/sequenceData/positive/seq1/masks_seq1")
    picture(
        root / "PolypGen2021_MultiCenterData_v3/sequenceData/negativeOnly/seq1_neg/a_1.jpg", SIZE
    )


def test_jpeg_masks_numeric_order_and_true_absence(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    done = converted("polypgen", tmp_path / "in", tmp_path / "out", "link")
    assert done.names() == ["polypgen_seq1"]
    assert list(done.frames("polypgen_seq1")) == ["000009", "000010", "000100", "000101"]
    assert done.present("polypgen_seq1") == {1: ["000009", "000100", "000101"]}
    video = done.folder.videos["polypgen_seq1"]
    np.testing.assert_array_equal(video.mask(1, 0), box(8, 8, 24, 24, SIZE))
    assert (tmp_path / "out/JPEGImages/polypgen_seq1/000009.jpg").is_symlink()
    assert video.info.split == "test"


def test_single_frames_on_request(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    for stem in ("C3_EndoCV2021_00489_", "100H0050"):
        picture(tmp_path / f"in/x/data_C3/images_C3/{stem}.jpg", SIZE)
        write(tmp_path / f"in/x/data_C3/masks_C3/{stem}_mask.jpg", grey(box(4, 4, 20, 20, SIZE)))
    done = converted("polypgen", tmp_path / "in", tmp_path / "out", subset="all")
    assert len(done.names()) == 3
    still = done.folder.videos["polypgen_C3_100H0050"]
    assert (len(still), still.info.split, still.info.fps) == (1, "extra", None)


def test_equal_numbers_keep_their_order(tmp_path: Path) -> None:
    for i, stem in enumerate(("a_5", "b_5", "c_6")):
        frame(tmp_path / "in", stem, box(8 + i, 8, 20, 20, SIZE))
    done = converted("polypgen", tmp_path / "in", tmp_path / "out")
    assert {n: f["source_frame"] for n, f in done.frames("polypgen_seq1").items()} == {
        "000000": 5,
        "000001": 5,
        "000002": 6,
    }


def test_nothing_left(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    with pytest.raises(InputError, match="holds no video that SA-SV uses"):
        converted("polypgen", tmp_path / "in", tmp_path / "out", exclude="seq1")
    frame(tmp_path / "in2", "nonumber", box(8, 8, 24, 24, SIZE))
    with pytest.raises(InputError, match="expected a name that ends in the frame number"):
        converted("polypgen", tmp_path / "in2", tmp_path / "out")
