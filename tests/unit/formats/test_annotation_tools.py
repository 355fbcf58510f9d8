"""Files of annotation tools, as these tools have them and when they are damaged."""

from __future__ import annotations

import base64
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sam2s.errors import InputError
from sam2s.formats.brush import decode_brush, encode_brush
from sam2s.formats.cvat_reader import read_cvat
from sam2s.formats.label_studio import read_label_studio
from sam2s.formats.labelme import read_labelme
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import ExportOptions, Result, collected
from sam2s.formats.result import ObjectMask as One


def ring_that_leaves() -> Result:
    """Object 3 is a ring on frames 0 and 1, and again on frame 4; frame 5 shows nothing."""
    mask = np.zeros((6, 9), bool)
    mask[1:5, 2:8] = True
    mask[2:4, 4:6] = False
    shown = {index: {3: One.of(mask)} if index in (0, 1, 4) else {} for index in range(6)}
    return collected("op", (6, 9), shown, {3: 'a "b" <c>'})


def test_cvat_masks_are_runs_of_their_box_row_by_row(tmp_path: Path):
    FORMATS["cvat"].write(ring_that_leaves(), tmp_path, ExportOptions())
    root = ET.parse(tmp_path / "annotations.xml").getroot()
    tracks = root.findall("track")
    assert [[s.get("frame") for s in track] for track in tracks] == [
        ["0", "1"],
        ["1", "2"],
        ["4", "5"],
    ]
    assert [[s.get("outside") for s in track] for track in tracks] == [["0", "1"]] * 3
    assert {(t.get("group_id"), t.get("label")) for t in tracks} == {("3", 'a "b" <c>')}
    first = tracks[0][0]
    assert first.get("rle") == "0, 8, 2, 4, 2, 8"
    assert [first.get(k) for k in ("left", "top", "width", "height")] == ["2", "1", "6", "4"]
    assert root.findtext("meta/task/size") == "6"


def test_cvat_polygons_are_one_track_that_leaves_and_returns(tmp_path: Path):
    FORMATS["cvat"].write(ring_that_leaves(), tmp_path, ExportOptions(polygons=True))
    (track,) = ET.parse(tmp_path / "annotations.xml").getroot().findall("track")
    assert [(s.get("frame"), s.get("outside")) for s in track] == [
        ("0", "0"),
        ("1", "0"),
        ("2", "1"),
        ("4", "0"),
        ("5", "1"),
    ]
    assert track[0].get("points") == "2,1;8,1;8,5;2,5"


CVAT = """<annotations><version>1.1</version><meta><task><name>my op.mp4</name><size>3</size>
<original_size><width>4</width><height>2</height></original_size></task></meta>{}</annotations>"""


def test_cvat_of_others_is_read(tmp_path: Path):
    """Tracks without a group are objects of their own; boxes are no masks; key frames do not
    matter."""
    (tmp_path / "a.xml").write_text(
        CVAT.format(
            '<track id="0" label="hook"><polygon frame="0" keyframe="1" outside="0"'
            ' points="0.0,0.0;2.0,0.0;2.0,2.0;0.0,2.0"/><polygon frame="1" keyframe="0"'
            ' outside="0" points="1.0,0.0;3.0,0.0;3.0,2.0;1.0,2.0"/></track>'
            '<track id="1" label="hook" group_id="0"><box frame="0" outside="0" xtl="0" ytl="0"'
            ' xbr="1" ybr="1"/><polygon frame="2" outside="1" points="0,0;1,0;1,1"/></track>'
        )
    )
    back = read_cvat(tmp_path / "a.xml")
    assert (back.video, back.size, back.ids) == ("my_op.mp4", (2, 4), (1, 2))
    frames = [frame.masks[1].mask.astype(int).tolist() for frame in back.frames()]
    assert frames == [[[1, 1, 0, 0]] * 2, [[0, 1, 1, 0]] * 2, [[0, 0, 0, 0]] * 2]


BOMB = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><annotations>&c;</annotations>'
MASK = (
    '<track id="0" label="a"><mask frame="0" left="{}" top="0" width="2" height="1" rle="{}"/>'
    "</track>"
)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<annotations>",
        "<annotations/>",
        BOMB,
        CVAT.format(MASK.format(3, "0, 2")),
        CVAT.format(MASK.format(-1, "0, 2")),
        CVAT.format(MASK.format(0, "0, 9")),
        CVAT.format(MASK.format(0, "0, x")),
        CVAT.format('<track label="a"/>'),
        CVAT.replace("<width>4", "<width>400000000"),
    ],
)
def test_damaged_cvat_is_one_line(tmp_path: Path, text: str):
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(InputError) as said:
        read_cvat(tmp_path)
    assert "\n" not in str(said.value)


def test_labelme_masks_are_pictures_of_their_box(tmp_path: Path):
    FORMATS["labelme"].write(ring_that_leaves(), tmp_path, ExportOptions())
    content = json.loads((tmp_path / "op" / "00004.json").read_text())
    assert content["imagePath"] == "00004.jpg"
    (shape,) = content["shapes"]
    assert (shape["group_id"], shape["points"]) == (3, [[2, 1], [7, 4]])
    with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as picture:
        assert np.asarray(picture).astype(int).tolist() == [
            [1] * 6,
            [1, 1, 0, 0, 1, 1],
            [1, 1, 0, 0, 1, 1],
            [1] * 6,
        ]


@pytest.mark.parametrize(
    "shape",
    [
        {"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "no base 64"},
        {"shape_type": "mask", "points": [[0, 0]], "mask": ""},
        {"shape_type": "mask", "points": [[0, 0], [1, 1]], "mask": "AAAA"},
        {"shape_type": "mask", "points": [[-5, 0], [1, 1]]},
        {"shape_type": "polygon", "points": [[0, 0], [1]]},
        {"shape_type": "polygon", "points": "no list"},
    ],
)
def test_damaged_labelme_is_one_line(tmp_path: Path, shape: dict):
    content = {"imageHeight": 4, "imageWidth": 4, "shapes": [{"label": "a", **shape}]}
    (tmp_path / "1.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as said:
        read_labelme(tmp_path)
    assert "\n" not in str(said.value)


@given(st.integers(1, 30), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_brushes_come_back(height: int, width: int, seed: int):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.choice([0, 0.01, 0.5, 1])
    np.testing.assert_array_equal(decode_brush(encode_brush(mask), mask.shape), mask)


def test_brush_bits_are_label_studios():
    """Written out by hand from the format: 8 values, of which the first four are 0."""
    bits = (
        f"{8:032b}" + "00111" + "0010" + "0011" + "0111" + "1111"  # 8 bits a value; 3, 4, 8, 16
        "1" + "00" + "011" + "00000000"  # 4 times 0
        "1" + "00" + "011" + "11111111"  # 4 times 255
    )
    bits += "0" * (-len(bits) % 8)
    by_hand = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    mask = np.array([[False, True]])
    assert encode_brush(mask) == by_hand
    np.testing.assert_array_equal(decode_brush(by_hand, (1, 2)), mask)


def test_brushes_with_single_values_are_read():
    """Label Studio's own files hold runs in which every value is written out."""
    bits = f"{8:032b}" + "00111" + "0010001101111111" + "0" + "00" + "111"
    bits += "".join(f"{value:08b}" for value in (0, 0, 0, 0, 9, 9, 9, 7))
    bits += "0" * (-len(bits) % 8)
    code = [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]
    np.testing.assert_array_equal(decode_brush(code, (1, 2)), [[False, True]])


@pytest.mark.parametrize("code", [[], [1, 2, 3], "text", [300], None, [0] * 40, [255] * 40])
def test_damaged_brushes_are_one_line(tmp_path: Path, code):
    region = {"original_width": 2, "original_height": 1, "value": {"rle": code or [1]}}
    task = {"data": {"image": "1.jpg"}, "annotations": [{"result": [region]}]}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    with pytest.raises(InputError, match="brush: cannot be decoded"):
        read_label_studio(tmp_path)


def test_label_studio_labels_are_ready_for_its_set_up(tmp_path: Path):
    FORMATS["label-studio"].write(ring_that_leaves(), tmp_path, ExportOptions())
    view = ET.parse(tmp_path / "labels.xml").getroot()
    assert [label.get("value") for label in view.iter("Label")] == ['a "b" <c>']
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert [len(task["predictions"][0]["result"]) for task in tasks] == [1, 1, 0, 0, 1, 0]
