"""scripts/nano_table.py: what counts as covering a look-alike, and as a second cup."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo, open_masklets

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return runpy.run_path(str(SCRIPTS / "nano_table.py"))


def box(left: int, width: int = 10) -> np.ndarray:
    mask = np.zeros((20, 60), bool)
    mask[5:15, left : left + width] = True
    return mask


def test_only_objects_of_the_same_class_are_look_alikes(tmp_path: Path, table: Any) -> None:
    hook = ObjectInfo("hook", "instrument")
    objects = {1: hook, 2: hook, 3: ObjectInfo("liver", "tissue")}
    truths = {1: box(0), 2: box(20), 3: box(40)}
    image = np.zeros((20, 60, 3), np.uint8)
    with MaskletWriter(tmp_path / "data") as writer:
        writer.add_video("v", VideoInfo(objects=objects))
        for name in ("0", "1", "2"):
            writer.write("v", name, image, truths)
    with MaskletWriter(tmp_path / "masks") as writer:
        writer.add_video("v", VideoInfo(objects=objects))
        # The first frame is the prompted one. Then object 1 spills over a tenth of its twin, and
        # next over less; the liver may be covered as much as one likes.
        for name, own in (("0", truths[1]), ("1", box(0) | box(20, 1)), ("2", box(0) | box(40))):
            writer.write("v", name, image, {1: own, 2: truths[2], 3: truths[1]})
    videos = list(open_masklets(tmp_path / "data").videos.values())
    assert table["covered"](videos, tmp_path / "masks").tolist() == [1, 4]


def test_red_things_that_a_mask_covers(table: Any) -> None:
    image = np.full((20, 60, 3), 200, np.uint8)
    for left in (0, 20, 40):
        image[box(left)] = (180, 20, 40)
    count = table["_red_things"]
    assert count(image, box(0)) == 1
    assert count(image, box(0) | box(20, 1)) == 2
    assert count(image, box(0, 50)) == 3
    assert count(image, box(12, 6)) == 0
