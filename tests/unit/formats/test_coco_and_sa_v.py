"""COCO and SA-V files that others wrote, and damaged ones."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2s.errors import InputError
from sam2s.formats.coco_reader import read_coco
from sam2s.formats.datumaro import read_datumaro
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import ExportOptions, ObjectMask, collected
from sam2s.formats.sa_v import read_sa_v
from sam2s.masklets.masks import encode_rle

SQUARE = [0, 0, 2, 0, 2, 2, 0, 2]
OTHERS: dict[str, Any] = {
    "images": [
        {"id": 10, "height": 3, "width": 4, "file_name": "op/frame_000007.png"},
        {"id": 11, "height": 3, "width": 4, "file_name": "op/frame_000008.png"},
    ],
    "categories": [{"id": 1, "name": "hook"}, {"id": 2, "name": "clip"}],
    "annotations": [
        {"image_id": 10, "category_id": 1, "segmentation": [SQUARE]},
        {"image_id": 10, "category_id": 1, "segmentation": {"size": [3, 4], "counts": [11, 1]}},
        {"image_id": 11, "category_id": 2, "segmentation": [SQUARE], "attributes": {"track_id": 5}},
        {"image_id": 11, "category_id": 2, "bbox": [0, 0, 1, 1]},
    ],
}


def test_coco_of_others_is_read(tmp_path: Path):
    """Without videos, tracks and frame numbers: names of files tell the frames, CVAT's attributes
    the tracks, and a class is an object where nothing else is said."""
    (tmp_path / "instances.json").write_text(json.dumps(OTHERS))
    back = read_coco(tmp_path / "instances.json")
    first, second = back.frames()
    assert (first.index, second.index) == (7, 8)
    assert (back.ids, back.names) == ((5, 6), {5: "clip", 6: "hook"})
    assert first.masks[6].mask.astype(int).tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1]]
    assert second.masks[5].mask.sum() == 4
    assert not second.masks[6].mask.any()


def changed(**changes: Any) -> dict[str, Any]:
    """OTHERS with another first annotation or first image."""
    content = deepcopy(OTHERS)
    for key, change in changes.items():
        content[key][0].update(change)
    return content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "images"),
        ([], "expected"),
        ({**OTHERS, "images": []}, "expected images of one size"),
        (changed(images={"height": 5}), "expected images of one size"),
        (changed(images={"height": 10**9}), "expected images of one size"),
        (changed(images={"file_name": "8.png"}), "two images are the same frame"),
        ({**OTHERS, "videos": [{"name": "a"}, {"name": "b"}]}, "holds 2 videos"),
        (changed(annotations={"image_id": 9}), "an image that is not listed"),
        (changed(annotations={"segmentation": [[1, 2, 3]]}), "cannot be read"),
        (changed(annotations={"segmentation": ["x"]}), "cannot be read"),
        (changed(annotations={"segmentation": {"size": [3, 4], "counts": [1]}}), "cannot be read"),
        (changed(annotations={"segmentation": {"size": [1, 1], "counts": [1]}}), "its mask is"),
    ],
)
def test_damaged_coco_is_one_line(tmp_path: Path, content: Any, said: str):
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=said) as error:
        read_coco(tmp_path)
    assert "\n" not in str(error.value)


def sav(**changes: Any) -> dict[str, Any]:
    """A file as Meta has it: six annotated frames a second of 24, no names, no frame numbers."""
    rle = encode_rle(np.eye(3, 4, dtype=bool))
    return {
        "video_id": "sav_1",
        "video_height": 3.0,
        "video_width": 4.0,
        "video_frame_count": 11.0,
        "masklet_id": [0],
        "masklet_num": 1,
        "masklet": [[rle], [rle], [rle]],
        **changes,
    }


def test_sa_v_of_meta_is_every_fourth_frame(tmp_path: Path):
    (tmp_path / "sav_1_auto.json").write_text(json.dumps(sav()))
    back = read_sa_v(tmp_path / "sav_1_auto.json")
    assert [frame.index for frame in back.frames()] == [0, 4, 8]
    assert all(frame.masks[0].mask.sum() == 3 for frame in back.frames())


@pytest.mark.parametrize(
    "changes",
    [
        {"masklet": [[], [], []]},
        {"masklet": None},
        {"frame_indices": [1]},
        {"masklet_names": ["a", "b"]},
        {"video_height": 4},
        {"masklet": [[{"counts": "x"}]]},
    ],
)
def test_damaged_sa_v_is_one_line(tmp_path: Path, changes: dict[str, Any]):
    (tmp_path / "sav_1_manual.json").write_text(json.dumps(sav(**changes)))
    with pytest.raises(InputError) as error:
        read_sa_v(tmp_path)
    assert "\n" not in str(error.value)


def test_youtube_vos_keeps_objects_that_no_picture_shows(tmp_path: Path):
    nothing = {0: {1: ObjectMask.of(np.ones((2, 2), bool)), 9: ObjectMask.of(np.zeros((2, 2)) > 0)}}
    result = collected("op", (2, 2), nothing, {9: "hook"})
    FORMATS["youtube-vos"].write(result, tmp_path, ExportOptions())
    back = FORMATS["youtube-vos"].read(tmp_path)
    assert (back.ids, back.names) == ((1, 9), {9: "hook"})


def test_datumaro_of_others_is_read(tmp_path: Path):
    """Items without our attributes, with other annotations among the masks."""
    rle = encode_rle(np.eye(3, 4, dtype=bool))
    item = {
        "id": "cam/00012",
        "image": {"path": "cam/00012.jpg", "size": [3, 4]},
        "annotations": [
            {"type": "bbox", "label_id": 0, "bbox": [0, 0, 1, 1]},
            {"type": "mask", "label_id": 1, "rle": rle},
        ],
    }
    labels = {"label": {"labels": [{"name": "hook"}, {"name": "clip"}]}}
    (tmp_path / "default.json").write_text(json.dumps({"items": [item], "categories": labels}))
    back = read_datumaro(tmp_path / "default.json")
    (frame,) = back.frames()
    assert (frame.index, back.names) == (12, {1: "clip"})
    (tmp_path / "default.json").write_text(json.dumps({"items": []}))
    with pytest.raises(InputError, match="expected pictures of one size"):
        read_datumaro(tmp_path / "default.json")


def test_mots_instances_of_two_classes_are_two_objects(tmp_path: Path):
    """A car 1 and a pedestrian 1 share their instance, so the whole ids are the objects."""
    counts = encode_rle(np.eye(3, 4, dtype=bool))["counts"]
    lines = [
        f"{frame} {name} {name // 1000} 3 4 {counts}" for frame, name in ((0, 1001), (1, 2001))
    ]
    (tmp_path / "op.txt").write_text("\n".join(lines))
    assert FORMATS["mots-txt"].read(tmp_path).ids == (1001, 2001)
