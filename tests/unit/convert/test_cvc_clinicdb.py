from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from source_trees import box, converted, grey, junk, picture, write

from sam2s.errors import InputError


def tree(
    root: Path,
    numbers: list[int],
    places: tuple[str, str] = ("Original", "Ground Truth"),
    end: str = "tif",
) -> None:
    for i, number in enumerate(numbers):
        picture(root / places[0] / f"{number}.{end}", seed=number)
        write(root / places[1] / f"{number}.{end}", grey(box(4 + i, 6, 10, 12)))


def test_sequences_follow_the_published_ranges_in_numeric_order(tmp_path: Path) -> None:
    tree(tmp_path / "in/CVC-ClinicDB", [9, 10, 25, 26, 100, 612])
    junk(tmp_path / "in", "CVC-ClinicDB/Original", "CVC-ClinicDB/Ground Truth")
    done = converted("CVC-ClinicDB", tmp_path / "in", tmp_path / "out")
    assert done.names() == [f"cvc-clinicdb_seq{n}" for n in ("01", "02", "05", "29")]
    assert list(done.frames("cvc-clinicdb_seq01")) == ["000009", "000010", "000025"]
    video = done.folder.videos["cvc-clinicdb_seq01"]
    assert (video.info.source, video.info.procedure, video.info.split) == (
        "CVC-ClinicDB",
        "colonoscopy",
        "train",
    )
    assert done.classes("cvc-clinicdb_seq01") == {1: "polyp"}
    assert done.frames("cvc-clinicdb_seq01")["000009"] == {"source_frame": 9, "time_s": None}


def test_mirror_with_both_formats_is_read_once(tmp_path: Path) -> None:
    tree(tmp_path / "in", [1, 2], ("PNG/Original", "PNG/Ground Truth"), "png")
    tree(tmp_path / "in", [1, 2], ("TIF/Original", "TIF/Ground Truth"), "tif")
    done = converted("clinicdb", tmp_path / "in", tmp_path / "out")
    video = done.folder.videos["cvc-clinicdb_seq01"]
    assert len(video) == 2
    assert (
        sorted(path.suffix for path in (tmp_path / "out/JPEGImages/cvc-clinicdb_seq01").iterdir())
        == [".png"] * 2
    )


def test_polyp_stays_one_object_where_the_camera_jumps_and_two_at_once_are_two(
    tmp_path: Path,
) -> None:
    root = tmp_path / "in"
    places = [(2, 2), (20, 28), (2, 28), (20, 2)]
    for number, place in enumerate(places, 1):
        picture(root / f"Original/{number}.tif", seed=number)
        write(root / f"Ground Truth/{number}.tif", grey(box(*place, 8, 8)))
    picture(root / "Original/5.tif", seed=5)
    write(root / "Ground Truth/5.tif", grey(box(2, 2, 8, 8) | box(20, 28, 8, 8)))
    done = converted("clinicdb", root, tmp_path / "out")
    present = done.present("cvc-clinicdb_seq01")
    assert [len(frames) for frames in present.values()] == [5, 1]


def test_colour_masks_and_specks(tmp_path: Path) -> None:
    root = tmp_path / "in"
    size = (96, 96)
    polyp = box(10, 10, 30, 30, size)
    picture(root / "Original/1.png", size)
    write(
        root / "Ground Truth/1.png",
        np.repeat(grey(polyp | box(90, 90, 1, 1, size))[..., None], 3, axis=2),
    )
    done = converted("clinicdb", root, tmp_path / "out")
    assert done.report.objects == 1
    np.testing.assert_array_equal(done.folder.videos["cvc-clinicdb_seq01"].mask(1, 0), polyp)


def test_errors_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        converted("clinicdb", tmp_path / "none", tmp_path / "out")
    (tmp_path / "in/Other").mkdir(parents=True)
    picture(tmp_path / "in/Other/x.png")
    with pytest.raises(
        InputError,
        match=r"CVC-ClinicDB: expected 'Original/1.tif'.*found 1 files such as Other/x.png",
    ):
        converted("clinicdb", tmp_path / "in", tmp_path / "out")
    picture(tmp_path / "in/Original/1.tif")
    picture(tmp_path / "in/Original/2.tif")
    write(tmp_path / "in/Ground Truth/1.tif", grey(box(1, 1, 9, 9)))
    with pytest.raises(InputError, match=r"2\.tif: picture without a mask \(1 of 2 pictures\)"):
        converted("clinicdb", tmp_path / "in", tmp_path / "out")
    write(tmp_path / "in/Ground Truth/2.tif", grey(box(1, 1, 9, 9)))
    write(tmp_path / "in/Ground Truth/3.tif", grey(box(1, 1, 9, 9)))
    with pytest.raises(InputError, match=r"3\.tif: mask without a picture"):
        converted("clinicdb", tmp_path / "in", tmp_path / "out")
    picture(tmp_path / "in/Original/3.tif")
    picture(tmp_path / "in/Original/700.tif")
    write(tmp_path / "in/Ground Truth/700.tif", grey(box(1, 1, 9, 9)))
    with pytest.raises(InputError, match="frame numbers run from 1 to 612"):
        converted("clinicdb", tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mask_of_another_size_is_an_error(tmp_path: Path) -> None:
    picture(tmp_path / "in/Original/1.tif")
    write(tmp_path / "in/Ground Truth/1.tif", grey(box(1, 1, 9, 9, (16, 20))))
    with pytest.raises(
        InputError, match="the mask of 'polyp' is 20 x 16 pixels, its picture 40 x 32"
    ):
        converted("clinicdb", tmp_path / "in", tmp_path / "out")


REAL = Path(os.environ.get("SAM2S_REAL", "no such folder")) / "cvc_clinicdb"


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the real ClinicDB excerpt is not below the folder SAM2S_REAL"
)
def test_real_excerpt(tmp_path: Path) -> None:
    done = converted("clinicdb", REAL, tmp_path / "out", "link")
    assert (done.report.videos, done.report.frames, done.report.masks, done.report.objects) == (
        20,
        428,
        440,
        22,
    )
    assert [len(done.classes(name)) for name in done.names()].count(1) == 19
