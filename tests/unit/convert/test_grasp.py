from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from source_trees import SIZE, box, converted, picture, write, write_json

from sam2s.errors import InputError
from sam2s.masklets.masks import encode_rle

NAMES = ["Bipolar Forceps", "Prograsp Forceps", "Large Needle Driver", "Monopolar Curved Scissors"]


def coco(frames: dict[str, list[tuple[int, np.ndarray]]]) -> dict[str, Any]:
    images, annotations = [], []
    for i, (name, instances) in enumerate(frames.items()):
        images.append(
            {"id": i, "file_name": name, "width": SIZE[1], "height": SIZE[0], "frame_num": 3}
        )
        for category, mask in instances:
            entry = {"id": len(annotations), "image_id": i, "category_id": category, "iscrowd": 0}
            annotations.append(entry | {"segmentation": encode_rle(mask), "bbox": [0, 0, 1, 1]})
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(NAMES)]
    return {"images": images, "annotations": annotations, "categories": categories}


def tree(root: Path) -> Path:
    """A case with one pair of scissors, and needle drivers that are two on the second frame, three
    on the third."""
    data = root / "GraSP_30fps"
    left, right, middle = box(2, 2, 8, 8), box(2, 30, 8, 8), box(15, 16, 8, 8)
    frames = {
        "CASE001/000000068.jpg": [(4, right), (3, left)],
        "CASE001/000001642.jpg": [(4, left), (3, right), (3, left)],
        "CASE001/000003218.jpg": [(3, left), (3, middle), (3, right)],
        "CASE001/000003300.jpg": [],
    }
    write_json(data / "annotations/grasp_short-term_train.json", coco(frames))
    write_json(data / "annotations/grasp_short-term_fold1.json", coco(frames))
    write_json(data / "annotations/grasp_long-term_train.json", {"images": []})
    for i, name in enumerate(frames):
        part = "frames-001/frames" if i == 0 else "frames-002/frames"
        picture(data / part / name, seed=i)
        write(
            data / "annotations/segmentations" / Path(name).with_suffix(".png"),
            np.zeros(SIZE, np.uint8),
        )
    return data


def test_keyframes_linked_by_class_and_side(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    done = converted("GraSP", tmp_path / "in", tmp_path / "out")
    name = "grasp_CASE001"
    assert list(done.frames(name)) == ["000000068", "000001642", "000003218"]
    assert done.frames(name)["000001642"]["time_s"] == pytest.approx(1642 / 30)
    classes, present = done.classes(name), done.present(name)
    scissors = [present[i] for i, c in classes.items() if c == "monopolar scissors"]
    drivers = sorted(len(present[i]) for i, c in classes.items() if c == "needle driver")
    assert scissors == [["000000068", "000001642"]]
    assert drivers == [1, 2, 3]
    assert done.folder.videos[name].info.fps is None


def test_one_fps_folder_and_rate_option(tmp_path: Path) -> None:
    data = tree(tmp_path / "in")
    data.rename(tmp_path / "in/data")
    done = converted("grasp", tmp_path / "in", tmp_path / "out")
    assert done.frames("grasp_CASE001")["000000068"]["time_s"] is None
    assert any("frame rate" in note for note in done.report.notes)
    done = converted("grasp", tmp_path / "in", tmp_path / "rated", rate="1")
    assert done.frames("grasp_CASE001")["000000068"]["time_s"] == 68.0
    with pytest.raises(InputError, match="option rate=fast: expected a number"):
        converted("grasp", tmp_path / "in", tmp_path / "wrong", rate="fast")


def test_folds_serve_where_train_is_missing(tmp_path: Path) -> None:
    data = tree(tmp_path / "in")
    (data / "annotations/grasp_short-term_train.json").unlink()
    assert converted("grasp", tmp_path / "in", tmp_path / "out").report.frames == 3


def test_errors(tmp_path: Path) -> None:
    data = tree(tmp_path / "in")
    (data / "frames-002/frames/CASE001/000001642.jpg").unlink()
    with pytest.raises(
        InputError,
        match=r"expected frames/CASE001/000001642.jpg; looked in .*frames-001/frames/CASE001",
    ):
        converted("grasp", tmp_path / "in", tmp_path / "out")
    write_json(data / "annotations/grasp_short-term_train.json", {"images": []})
    with pytest.raises(InputError, match="expected COCO 'images', 'annotations' and 'categories'"):
        converted("grasp", tmp_path / "in", tmp_path / "out")
    for path in (data / "annotations").glob("*.json"):
        path.unlink()
    with pytest.raises(
        InputError, match=r"GraSP: expected annotations/grasp_short-term_train.json"
    ):
        converted("grasp", tmp_path / "in", tmp_path / "out")


def test_unknown_category_and_wrong_size(tmp_path: Path) -> None:
    data = tree(tmp_path / "in")
    content = coco({"CASE001/000000068.jpg": [(1, box(2, 2, 8, 8)), (2, box(12, 2, 8, 8))]})
    content["categories"][0]["name"] = "Spoon"
    content["categories"][1]["name"] = "prograsp_forceps"
    write_json(data / "annotations/grasp_short-term_train.json", content)
    done = converted("grasp", tmp_path / "in", tmp_path / "out")
    assert dict(done.report.notes) == {"unknown category 'Spoon', left out": 1}
    assert list(done.classes("grasp_CASE001").values()) == ["prograsp forceps"]
    content["images"][0]["height"] = 30
    write_json(data / "annotations/grasp_short-term_train.json", content)
    with pytest.raises(
        InputError, match=r"CASE001/000000068.jpg: its segmentation is 40 x 32, expected 40 x 30"
    ):
        converted("grasp", tmp_path / "in", tmp_path / "other")
