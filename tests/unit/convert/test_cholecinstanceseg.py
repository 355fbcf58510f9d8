from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from source_trees import box, converted, junk, picture, write_json

from sam2s.errors import InputError


def polygon(
    label: str, left: int, top: int, group: int | None = 1, side: int = 7
) -> dict[str, Any]:
    corners = [[left, top], [left + side, top], [left + side, top + side], [left, top + side]]
    return {
        "label": label,
        "points": corners,
        "group_id": group,
        "shape_type": "polygon",
        "flags": {},
    }


def frame(
    root: Path, split: str, sequence: str, stem: str, shapes: list[dict[str, Any]], size: Any = None
) -> None:
    folder = root / split / sequence
    picture(folder / f"img_dir/{stem}.png", seed=len(stem))
    content = {"version": "5", "shapes": shapes, "imagePath": f"{stem}.png", "imageData": None}
    content |= {"imageHeight": size and size[0], "imageWidth": size and size[1]}
    write_json(folder / f"ann_dir/{stem}.json", content)


def tree(root: Path) -> None:
    """Group ids change places on the second frame; the third is empty; a grasper has two
    polygons."""
    first = [
        polygon("grasper", 2, 2, 1),
        polygon("grasper", 2, 12, 1),
        polygon("grasper", 28, 2, 2),
    ]
    second = [
        polygon("grasper", 29, 2, 1),
        polygon("grasper", 3, 2, 2),
        polygon("irrigator", 15, 20, 1),
    ]
    frame(root, "train", "VID01_t50_full", "t50_VID01_000000", first, (32, 40))
    frame(root, "train", "VID01_t50_full", "t50_VID01_000001", second)
    frame(root, "train", "VID01_t50_full", "t50_VID01_000002", [])
    frame(root, "test", "VID14_t50_full", "t50_VID14_000000", [polygon("clipper", 5, 5)])
    frame(root, "val", "VID23_t50_full", "t50_VID23_000000", [polygon("hook", 5, 5)])
    frame(root, "train", "VID03_t80_sparse", "t80_VID03_000060", [polygon("snare", 5, 5)])
    junk(root, "train/VID01_t50_full/ann_dir")


def test_instances_are_united_by_group_and_linked_over_time(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    done = converted("cis", tmp_path / "in", tmp_path / "out")
    assert done.names() == ["cholecinstanceseg_VID14_t50_full", "cholecinstanceseg_VID01_t50_full"]
    name = "cholecinstanceseg_VID01_t50_full"
    classes, present = done.classes(name), done.present(name)
    assert sorted(classes.values()) == ["grasper", "grasper", "suction"]
    assert sorted(map(len, present.values())) == [1, 2, 2]
    left = next(i for i in classes if done.folder.videos[name].mask(i, 0)[5, 5])
    video = done.folder.videos[name]
    np.testing.assert_array_equal(video.mask(left, 0), box(2, 2, 8, 8) | box(12, 2, 8, 8))
    assert video.mask(left, 1)[5, 5]
    assert not video.mask(left, 2).any()
    assert [v["time_s"] for v in done.frames(name).values()] == [0.0, 1.0, 2.0]
    assert [done.folder.videos[n].info.split for n in done.names()] == ["test", "train"]
    assert done.provenance["videos"][name]["recording"] == "cholec80:VID01"


def test_the_rest_on_request(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    done = converted("cholecinstanceseg", tmp_path / "in", tmp_path / "out", subset="all")
    splits = {name.split("_", 1)[1]: video.info.split for name, video in done.folder.videos.items()}
    assert splits["VID23_t50_full"] == splits["VID03_t80_sparse"] == "extra"
    assert done.frames("cholecinstanceseg_VID03_t80_sparse")["000060"]["time_s"] is None


def test_odd_labels_are_counted(tmp_path: Path) -> None:
    tree(tmp_path / "in")
    odd = [polygon("Grasper ", 2, 2, None), polygon("spoon", 20, 2)]
    frame(tmp_path / "in", "test", "VID14_t50_full", "t50_VID14_000001", odd)
    done = converted("cis", tmp_path / "in", tmp_path / "out")
    assert sum(done.report.notes.values()) == 2
    assert "unknown label 'spoon', left out" in done.report.notes


def test_errors(tmp_path: Path) -> None:
    write_json(tmp_path / "in/train/VID01_t50_full/ann_dir/t50_VID01_000000.json", {"shapes": []})
    with pytest.raises(InputError, match="mask without a picture"):
        converted("cis", tmp_path / "in", tmp_path / "out")
    picture(tmp_path / "in/train/VID01_t50_full/img_dir/t50_VID01_000000.png")
    write_json(tmp_path / "in/train/VID01_t50_full/ann_dir/t50_VID01_000000.json", {"regions": []})
    with pytest.raises(InputError, match="expected a LabelMe file"):
        converted("cis", tmp_path / "in", tmp_path / "out")
    with pytest.raises(InputError, match="no option 'speed'; it has: subset, gap"):
        converted("cis", tmp_path / "in", tmp_path / "out", speed="fast")
