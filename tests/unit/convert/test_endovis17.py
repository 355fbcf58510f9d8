from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from source_trees import box, codes, converted, grey, junk, picture, thrice, write

from sam2s.errors import InputError

TRAIN = "instrument_5_8_training/instrument_dataset_5"
TEST = "instrument_5_8_testing/instrument_dataset_5"
TRUTH = "instrument_2017_test/instrument_2017_test/instrument_dataset_5/gt"


def tree(root: Path, first_test: int = 3) -> None:
    """Set 5 with three training and two test frames, forceps left, sealer right."""
    for n in range(3):
        picture(root / TRAIN / f"left_frames/frame{n:03d}.png", seed=n)
        picture(root / TRAIN / f"right_frames/frame{n:03d}.png", seed=n)
        forceps = codes(shaft=(10, box(4, 2 + n, 10, 4)), wrist=(20, box(14, 2 + n, 3, 4)))
        write(
            root / TRAIN / f"ground_truth/Maryland_Bipolar_Forceps_labels/frame{n:03d}.png", forceps
        )
        sealer = codes(shaft=(31, box(4, 28, 10, 6)))
        write(
            root / TRAIN / f"ground_truth/Right_Vessel_Sealer_labels/frame{n:03d}.png",
            thrice(sealer),
        )
    for i in range(2):
        n = first_test + i
        picture(root / TEST / f"left_frames/frame{n:03d}.png", seed=10 + n)
        types = codes(forceps=(1, box(4, 5 + i, 12, 4)), sealer=(4, box(4, 28, 10, 6)))
        write(root / TRUTH / f"TypeSegmentation/frame{n:03d}.png", types)
        write(root / TRUTH / f"BinarySegmentation/frame{n:03d}.png", grey(types > 0))
    junk(root, f"{TRAIN}/left_frames", f"{TRAIN}/ground_truth/Right_Vessel_Sealer_labels")


@pytest.mark.parametrize("first_test", [3, 0])
def test_test_frames_continue_the_training_identities(tmp_path: Path, first_test: int) -> None:
    tree(tmp_path / "in", first_test)
    done = converted("endovis17", tmp_path / "in", tmp_path / "out")
    assert done.names() == ["endovis17_seq5"]
    assert done.classes("endovis17_seq5") == {1: "bipolar forceps", 2: "vessel sealer"}
    every = [f"{n:06d}" for n in range(5)]
    assert done.present("endovis17_seq5") == {1: every, 2: every}
    assert [frame["time_s"] for frame in done.frames("endovis17_seq5").values()] == [
        0.0,
        0.5,
        1.0,
        1.5,
        2.0,
    ]
    info = done.folder.videos["endovis17_seq5"].info
    assert (info.split, info.fps, info.procedure) == ("test", 2.0, "nephrectomy")
    assert done.provenance["videos"]["endovis17_seq5"]["ids"] == "derived"
    assert bool(done.report.notes) == (first_test == 0)


def test_parts_are_united_and_off_table_values_count(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    done = converted("endovis17", tmp_path / "in", tmp_path / "out")
    video = done.folder.videos["endovis17_seq5"]
    np.testing.assert_array_equal(video.mask(1, 0), box(4, 2, 13, 4))
    np.testing.assert_array_equal(video.mask(2, 0), box(4, 28, 10, 6))


def test_borders_are_cut_from_pictures_and_masks(tmp_path: Path) -> None:
    size, root = (1080, 1920), tmp_path / "in/instrument_dataset_2"
    picture(root / "left_frames/frame000.png", size)
    inside = box(28 + 100, 320 + 200, 50, 60, size)
    write(root / "ground_truth/Left_Prograsp_Forceps_labels/frame000.png", grey(inside, 10))
    write(root / "ground_truth/Other_labels/frame000.png", grey(box(500, 900, 40, 40, size), 40))
    done = converted("endovis17", tmp_path / "in", tmp_path / "out", "link", other="US probe")
    video = done.folder.videos["endovis17_seq2"]
    assert video.size == (1024, 1280)
    np.testing.assert_array_equal(video.mask(1, 0), box(100, 200, 50, 60, (1024, 1280)))
    assert done.classes("endovis17_seq2") == {1: "prograsp forceps", 2: "US probe"}
    assert done.provenance["videos"]["endovis17_seq2"]["ids"] == "source"


def test_other_sets_only_on_request_and_frames_without_truth_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / "in/instrument_dataset_1"
    for n in range(2):
        picture(root / f"left_frames/frame{n:03d}.png", seed=n)
    write(root / "ground_truth/Other_labels/frame000.png", grey(box(3, 3, 9, 9), 40))
    with pytest.raises(InputError, match="holds no video that SA-SV uses; subset=all"):
        converted("endovis17", tmp_path / "in", tmp_path / "out")
    done = converted("endovis17", tmp_path / "in", tmp_path / "out", subset="all")
    assert done.folder.videos["endovis17_seq1"].info.split == "extra"
    assert len(done.folder.videos["endovis17_seq1"]) == 1
    assert sum(done.report.notes.values()) == 1
    assert done.classes("endovis17_seq1") == {1: None}


def test_errors(tmp_path: Path) -> None:
    root = tmp_path / "in/instrument_dataset_2"
    picture(root / "left_frames/frame000.png")
    with pytest.raises(InputError, match="there are pictures, but no ground truth"):
        converted("endovis17", tmp_path / "in", tmp_path / "out")
    write(root / "ground_truth/Spoon_labels/frame000.png", grey(box(3, 3, 9, 9)))
    with pytest.raises(InputError, match="Spoon_labels: expected the name of an instrument type"):
        converted("endovis17", tmp_path / "in", tmp_path / "out")
    (root / "ground_truth/Spoon_labels").rename(root / "ground_truth/Vessel_Sealer_labels")
    picture(root / "left_frames/frame001.png", seed=1)
    write(root / "ground_truth/Other_labels/frame000.png", grey(box(3, 3, 9, 9)))
    write(root / "ground_truth/Other_labels/frame001.png", grey(box(3, 3, 9, 9)))
    with pytest.raises(InputError, match=r"Vessel_Sealer_labels/frame001.png: expected this mask"):
        converted("endovis17", tmp_path / "in", tmp_path / "out")
    with pytest.raises(
        InputError, match="option other=spoon: expected one of instrument, US probe"
    ):
        converted("endovis17", tmp_path / "in", tmp_path / "out", other="spoon")
