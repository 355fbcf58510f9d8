"""What people's folders hold beside the expected: damaged tables, links, masks of other pictures,
names in other encodings. A valid video or one line that names the file; never half a result."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_trees import box, codes, grey, picture, thrice, write, write_json

from sam2s.convert.convert import ConvertReport, ConvertSettings, convert
from sam2s.convert.sources.annotation_files import read_coco, read_labelme
from sam2s.convert.sources.label_masks import decode_coco, draw_polygons
from sam2s.errors import InputError
from sam2s.masklets.catalogue import read_catalogue
from sam2s.masklets.masklets import open_masklets

OBJECTS = {"1": {"class": "liver", "kind": "tissue"}}
LARGE = (800, 900)


def tree(root: Path, videos: tuple[str, ...] = ("a", "b")) -> Path:
    """The layout of one's own data: three frames a video, one object."""
    for name in videos:
        for i in range(3):
            picture(root / name / "frames" / f"{i:05d}.jpg", seed=i)
            write(root / name / "masks" / f"{i:05d}.png", codes(a=(1, box(2, 2, 8, 8))))
        write_json(root / name / "objects.json", OBJECTS)
    return root


def run(root: Path, out: Path, source: str = "folder", **more: Any) -> ConvertReport:
    return convert(source, root, out, "copy", False, ConvertSettings(**more))


# ---------------------------------------------------------------- masks of another size


BLACK: dict[str, tuple[str, str, np.ndarray, dict[str, str]]] = {
    "folder": ("a/frames/0.jpg", "a/masks/0.png", np.zeros(LARGE, np.uint8), {}),
    "kvasir-seg": ("images/x.jpg", "masks/x.jpg", thrice(np.zeros(LARGE, np.uint8)), {}),
    "bkai-igh": ("train/x.jpeg", "train_gt/x.jpeg", thrice(np.zeros(LARGE, np.uint8)), {}),
    "cvc-clinicdb": ("Original/1.tif", "Ground Truth/1.tif", np.zeros(LARGE, np.uint8), {}),
    "davis": ("JPEGImages/v/00000.jpg", "Annotations/v/00000.png", np.zeros(LARGE, np.uint8), {}),
    "plain": ("images/x.jpg", "masks/x.png", np.zeros(LARGE, np.uint8), {}),
    "cholecseg8k": (
        "video01/video01_00080/frame_80_endo.png",
        "video01/video01_00080/frame_80_endo_watershed_mask.png",
        thrice(np.zeros(LARGE, np.uint8)),
        {},
    ),
    "autolaparo": ("imgs/001001.jpg", "masks/001001.png", np.zeros(LARGE, np.uint8), {}),
    "surgai3.8k": (
        "1/images/2.png",
        "1/masks/2.png",
        np.zeros(LARGE, np.uint8),
        {
            "images": r"(?P<video>\d+)/images/(?P<frame>\d+)\.png",
            "masks": r"(?P<video>\d+)/masks/(?P<frame>\d+)\.png",
        },
    ),
}


@pytest.mark.parametrize("source", sorted(BLACK))
def test_a_black_mask_of_another_size_is_of_another_picture(tmp_path: Path, source: str) -> None:
    image, mask, pixels, options = BLACK[source]
    picture(tmp_path / "in" / image)
    write(tmp_path / "in" / mask, pixels)
    if source == "folder":
        write_json(tmp_path / "in/objects.json", OBJECTS)
    with pytest.raises(InputError, match=r"mask.* is 900 x 800 pixels, (its|the) picture 40 x 32"):
        run(tmp_path / "in", tmp_path / "out", source, options=options)


def test_a_black_mask_among_others(tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    write(root / "a/masks/00001.png", grey(box(0, 0, 0, 0, LARGE)))
    with pytest.raises(InputError, match=r"00001.jpg: its mask 00001.png is 900 x 800 pixels"):
        run(root, tmp_path / "out")
    report = run(root, tmp_path / "out", skip_bad=True)
    assert list(report.failed) == ["folder_a"]
    assert list(open_masklets(tmp_path / "out").videos) == ["folder_b"]


# ---------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"1": {"class": 5, "kind": "tissue"}}', "1.class must be text or null, got 5"),
        ('{"1": {"class": [1]}}', "1.class must be text or null, got [1]"),
        ('{"1": {"class": "\\ud800", "kind": "tissue"}}', "1.class must be text of whole"),
        ('{"1": {"class": "\\u001b[2J", "kind": "tissue"}}', "1.class must be one line of text"),
        ('{"1": {"class": "liver", "kind": 5}}', "1.kind must be"),
        ('{"1": 5}', "1 should be a table"),
        ('{"1": {}, "01": {}}', "1 twice"),
        ('{"-1": {}}', "object ids must be whole numbers"),
        ('{"' + "9" * 5000 + '": {}}', "object ids must be whole numbers"),
        ("[" * 100_000, "nested too deeply"),
        ("", "cannot be read as JSON"),
        ("null", "expected {"),
    ],
)
def test_a_damaged_table_leaves_out_its_video_alone(
    tmp_path: Path, text: str, message: str
) -> None:
    root = tree(tmp_path / "in")
    (root / "a/objects.json").write_text(text)
    with pytest.raises(InputError) as caught:
        run(root, tmp_path / "out")
    assert "a/objects.json" in str(caught.value)
    assert message in str(caught.value)
    assert not (read_catalogue(tmp_path / "out") or {}).keys() - {"folder_b"}
    report = run(root, tmp_path / "out", skip_bad=True)
    assert list(report.failed) == ["folder_a"]
    assert list(open_masklets(tmp_path / "out").videos) == ["folder_b"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: (
        st.lists(inner, max_size=7)
        | st.dictionaries(st.sampled_from(["size", "counts", "label", "points", "id"]), inner)
    ),
    max_leaves=12,
)


def outcome(call: Callable[[], object]) -> str:
    """What an InputError said, '' when there was none; any other error is one."""
    said = ""
    try:
        call()
    except InputError as error:
        said = str(error)
    assert len(said) < 800
    return said


@settings(deadline=None, max_examples=200)
@given(shape=VALUES | st.fixed_dictionaries({"label": st.just("hook"), "points": VALUES}))
def test_any_shape_of_labelme(tmp_path_factory: pytest.TempPathFactory, shape: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "labelme.json"
    path.write_text(json.dumps({"shapes": [shape]}))

    def draw() -> None:
        mask = draw_polygons([s.points for s in read_labelme(path).shapes], (20, 30))
        assert mask.shape == (20, 30)

    said = outcome(draw)
    assert said == "" or said.startswith(str(path))


FIELD = st.sampled_from(
    [
        ("images", "id"),
        ("images", "file_name"),
        ("images", "height"),
        ("annotations", "image_id"),
        ("annotations", "category_id"),
        ("annotations", "segmentation"),
        ("categories", "name"),
        ("categories", "id"),
    ]
)


@settings(deadline=None, max_examples=200)
@given(field=FIELD, value=VALUES)
def test_any_value_in_coco(
    tmp_path_factory: pytest.TempPathFactory, field: tuple[str, str], value: Any
) -> None:
    content: dict[str, list[dict[str, Any]]] = {
        "images": [{"id": 1, "file_name": "a/1.jpg", "height": 20, "width": 30}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": []}],
        "categories": [{"id": 1, "name": "hook"}],
    }
    content[field[0]][0][field[1]] = value
    path = tmp_path_factory.getbasetemp() / "coco.json"
    path.write_text(json.dumps(content))
    said = outcome(lambda: read_coco(path))
    assert said == "" or said.startswith(str(path))


@settings(deadline=None, max_examples=300)
@given(value=VALUES | st.fixed_dictionaries({"size": VALUES, "counts": VALUES}))
def test_any_segmentation_is_a_mask_or_one_line(value: Any) -> None:
    def decode() -> None:
        assert decode_coco(value, (20, 30), "x").shape == (20, 30)

    said = outcome(decode)
    assert said == "" or said.startswith("x: ")


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [10**5, 10**5], "counts": [10**10]},
        {"size": [10**9, 10**9], "counts": "0" * 10},
        [[0, 0, 1e9, 0, 1e9, 1e9]],
        [[0, 0, 1e300, 0, 1e300, 1e300]],
        [[0, 0, 10**390, 0, 1, 1]],
        [[float("nan")] * 6],
    ],
)
def test_segmentations_that_would_fill_the_memory(segmentation: Any) -> None:
    with pytest.raises(InputError, match=r"^x: "):
        decode_coco(segmentation, (20, 30), "x")


# ---------------------------------------------------------------- links and names


@pytest.mark.parametrize("target", ["nowhere", "..", ".", "../..", "link"])
def test_links_that_lead_nowhere_or_back(tmp_path: Path, target: str) -> None:
    root = tree(tmp_path / "in")
    (root / "a/link").symlink_to(target)
    assert run(root, tmp_path / "out").videos == 2


def test_a_picture_that_is_a_dangling_link(tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    (root / "a/frames/00001.jpg").unlink()
    (root / "a/frames/00001.jpg").symlink_to("nowhere.jpg")
    with pytest.raises(InputError, match=r"a/frames/00001.jpg: no such file"):
        run(root, tmp_path / "out")
    report = run(root, tmp_path / "out", skip_bad=True)
    assert list(report.failed) == ["folder_a"]


@pytest.mark.parametrize("frames", ["link", "copy", "jpeg"])
def test_names_in_no_encoding(tmp_path: Path, frames: str) -> None:
    """A name of bytes that are no text could not be written into any table."""
    root = tree(tmp_path / "in")
    for kind, suffix in (("frames", "jpg"), ("masks", "png")):
        os.rename(
            root / "a" / kind / f"00001.{suffix}",
            os.fsencode(root / "a" / kind) + b"/00001\xff." + suffix.encode(),
        )
    with pytest.raises(InputError, match=r"'00001\\udcff': cannot name a video or frame"):
        convert("folder", root, tmp_path / "out", frames, False)  # type: ignore[arg-type]
    skipping = ConvertSettings(skip_bad=True)
    report = convert("folder", root, tmp_path / "out", frames, False, skipping)  # type: ignore[arg-type]
    assert list(report.failed) == ["folder_a"]
    assert len(open_masklets(tmp_path / "out").videos) == 1


@pytest.mark.parametrize("rate", ["nan", "inf", "-5", "1e999", "fast"])
def test_rates_that_are_none(tmp_path: Path, rate: str) -> None:
    with pytest.raises(InputError, match=rf"option fps={rate}: expected a number"):
        run(tree(tmp_path / "in"), tmp_path / "out", options={"fps": rate})


def test_a_split_that_no_table_can_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"folder_a: split must be one line of text"):
        run(tree(tmp_path / "in"), tmp_path / "out", options={"split": "te\x1bst"})
    assert read_catalogue(tmp_path / "out") is None
