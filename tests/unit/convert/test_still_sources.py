"""ART-Net, BKAI-IGH, Kvasir-SEG, RoboTool, Endoscapes2023."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from source_trees import SIZE, box, converted, grey, junk, picture, thrice, write, write_json

from sam2s.errors import InputError
from sam2s.masklets.masks import encode_rle

BIG = (64, 80)
"""JPEG masks need some room around their blocks."""


def test_art_net_keeps_one_mask_a_positive_picture(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for part in ("Train", "Test"):
        for i in range(2):
            stem = f"{part}_Pos_{i:03d}"
            picture(root / f"{part}/{part}_Positive/{stem}.png", seed=i)
            tool = grey(box(2, 2, 8, 8) | box(20, 20, 8, 8))
            write(root / f"{part}/{part}_Positive_Tool_Mask/{stem}_Tool_Mask.png", tool)
            write(
                root / f"{part}/{part}_Positive_TipPoint/{stem}_TipPoint.png", grey(box(2, 2, 2, 2))
            )
        picture(root / f"{part}/{part}_Negative/{part}_Neg_000.png")
    junk(root, "Train/Train_Positive", "Test/Test_Positive_Tool_Mask")
    done = converted("ART-Net", root, tmp_path / "out")
    assert (done.report.videos, done.report.masks) == (4, 4)
    video = done.folder.videos["art-net_Train_Pos_000"]
    assert (video.info.split, video.info.procedure) == ("train", "hysterectomy")
    assert done.classes(video.name) == {1: None}


def test_art_net_resizes_masks_and_says_so(tmp_path: Path) -> None:
    picture(tmp_path / "in/Train/Train_Positive/a.png")
    small = grey(box(0, 0, 8, 10, (16, 20)))
    write(tmp_path / "in/Train/Train_Positive_Tool_Mask/a_Tool_Mask.png", small)
    done = converted("art-net", tmp_path / "in", tmp_path / "out")
    np.testing.assert_array_equal(done.folder.videos["art-net_a"].mask(1, 0), box(0, 0, 16, 20))
    assert sum(done.report.notes.values()) == 1


def colours(*painted: tuple[tuple[int, int, int], np.ndarray]) -> np.ndarray:
    pixels = np.zeros((*BIG, 3), dtype=np.uint8)
    for colour, mask in painted:
        pixels[mask] = colour
    return pixels


@pytest.mark.parametrize("levels", ["train/{}", "{}"])
def test_bkai_reads_colours_out_of_jpeg(tmp_path: Path, levels: str) -> None:
    root, stem = tmp_path / "in", "0123456789abcdef0123456789abcdef"
    red, green, speck = box(8, 8, 24, 24, BIG), box(40, 48, 16, 16, BIG), box(2, 60, 1, 1, BIG)
    images = root / ("train/train" if "/" in levels else "train")
    labels = root / ("train_gt/train_gt" if "/" in levels else "train_gt")
    picture(images / f"{stem}.jpeg", BIG)
    pixels = colours(((255, 0, 0), red), ((0, 255, 0), green), ((255, 0, 0), speck))
    write(labels / f"{stem}.jpeg", pixels, quality=75)
    picture(root / "test/test/ffffffffffffffffffffffffffffffff.jpeg", BIG)
    junk(root, labels.relative_to(root).as_posix())
    done = converted("bkai-igh", root, tmp_path / "out", min_fraction="0.01")
    assert done.classes(f"bkai-igh_{stem}") == {1: "polyp", 2: "polyp"}
    video = done.folder.videos[f"bkai-igh_{stem}"]
    areas = sorted(int(video.mask(i, 0).sum()) for i in (1, 2))
    assert areas[0] == pytest.approx(256, rel=0.15)
    assert areas[1] == pytest.approx(576, rel=0.15)


def test_kvasir(tmp_path: Path) -> None:
    root = tmp_path / "in/Kvasir-SEG"
    for i, stem in enumerate(("cju0qkwl35", "cju0qoxqj9")):
        size = (64, 80 + 8 * i)
        picture(root / f"images/{stem}.jpg", size)
        write(
            root / f"masks/{stem}.jpg",
            thrice(grey(box(8, 8, 24, 24, size) | box(40, 48, 16, 16, size))),
            quality=70,
        )
    write_json(root / "kavsir_bboxes.json", {})
    done = converted("Kvasir-SEG", tmp_path / "in", tmp_path / "out")
    assert done.names() == ["kvasir-seg_cju0qkwl35", "kvasir-seg_cju0qoxqj9"]
    assert done.report.objects == 4
    with pytest.raises(
        InputError, match=r"Kvasir-SEG: expected images/<stem>.jpg and masks/<same stem>.jpg"
    ):
        converted("kvasir-seg", tmp_path / "in/Kvasir-SEG/images", tmp_path / "other")


@pytest.mark.parametrize("value", [1, 255])
def test_robotool_pairs_by_suffix_whatever_the_value(tmp_path: Path, value: int) -> None:
    for name in ("dv10_00001", "dv11_00007"):
        picture(tmp_path / f"in/somewhere/{name}.png")
        write(
            tmp_path / f"in/somewhere/{name}_seg.png",
            grey(box(2, 2, 8, 8) | box(20, 20, 8, 8), value),
        )
    junk(tmp_path / "in", "somewhere")
    done = converted("robotool", tmp_path / "in", tmp_path / "out")
    assert (done.report.videos, done.report.objects) == (2, 4)
    assert done.provenance["videos"]["robotool_dv10_00001"]["recording"] == "robotool:dv10"
    assert done.folder.videos["robotool_dv10_00001"].info.procedure == "several"


def endoscapes(root: Path, split: str, name: str, extra: tuple[str, ...] = ()) -> dict[str, Any]:
    polygon = [2, 2, 12, 2, 12, 12, 2, 12]
    names = [
        "background",
        "cystic_plate",
        "calot_triangle",
        "cystic_artery",
        "cystic_duct",
        "gallbladder",
        "tool",
        *extra,
    ]
    annotations = [
        {"id": 1, "image_id": 5, "category_id": 6, "segmentation": [polygon]},
        {"id": 2, "image_id": 5, "category_id": 6, "segmentation": encode_rle(box(20, 20, 8, 8))},
        {"id": 3, "image_id": 5, "category_id": 2, "segmentation": encode_rle(box(14, 2, 5, 20))},
        {"id": 4, "image_id": 6, "category_id": 6, "segmentation": [], "bbox": [0, 0, 4, 4]},
    ]
    annotations += [annotations[2] | {"id": 9 + i, "category_id": 7 + i} for i in range(len(extra))]
    sizes = {"height": SIZE[0], "width": SIZE[1]}
    images = [
        {"id": 5, "file_name": f"{name}.jpg", **sizes},
        {"id": 6, "file_name": "4_99999.jpg", **sizes},
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_json(root / f"{split}_seg/annotation_coco.json", content)
    picture(root / f"{split}_seg/{name}.jpg")
    picture(root / f"{split}_seg/4_99999.jpg")
    return content


def test_endoscapes_instances(tmp_path: Path) -> None:
    endoscapes(tmp_path / "in/endoscapes", "train", "4_21725")
    endoscapes(tmp_path / "in/endoscapes", "test", "190_500", ("spoon",))
    write_json(tmp_path / "in/endoscapes/train/annotation_coco.json", {})
    done = converted("endoscapes", tmp_path / "in", tmp_path / "out")
    assert set(done.names()) == {"endoscapes2023_4_21725", "endoscapes2023_190_500"}
    name = "endoscapes2023_4_21725"
    assert sorted(map(str, done.classes(name).values())) == [
        "None",
        "None",
        "hepatocystic triangle",
    ]
    assert done.frames(name) == {"021725": {"source_frame": 21725, "time_s": 869.0}}
    assert dict(done.report.notes) == {"unknown category 'spoon', left out": 1}


def test_endoscapes_errors(tmp_path: Path) -> None:
    content = endoscapes(tmp_path / "in", "train", "4_21725")
    (tmp_path / "in/train_seg/4_21725.jpg").unlink()
    with pytest.raises(
        InputError, match=r"expected .*4_21725.jpg, which annotation_coco.json lists"
    ):
        converted("endoscapes", tmp_path / "in", tmp_path / "out")
    content["images"][0]["file_name"] = "noframe.jpg"
    picture(tmp_path / "in/train_seg/noframe.jpg")
    write_json(tmp_path / "in/train_seg/annotation_coco.json", content)
    with pytest.raises(InputError, match=r"expected a name <video>_<frame>.jpg"):
        converted("endoscapes", tmp_path / "in", tmp_path / "out")
