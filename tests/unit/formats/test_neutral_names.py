"""Neutral names are stable, tell nothing, and leave the vocabulary of surgery as it is."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.formats.fitting import NeutralNames, read_names
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import ExportOptions, ObjectMask, Result, collected
from sam2s.masklets.vocabulary import INSTRUMENTS

SECRET = "mueller_anna_1961-04-23"
KNOWN = sorted(INSTRUMENTS)[0]


def of_a_patient(video: str = SECRET) -> Result:
    """Two objects, one called after the patient; times of a clock on the wall (2024)."""
    mask = np.zeros((6, 8), bool)
    other = mask.copy()
    mask[1:3, 2:5], other[4:, 6:] = True, True
    shown = {i: {1: ObjectMask.of(mask), 2: ObjectMask.of(other)} for i in range(3)}
    times = {i: 1_713_873_600.0 + i / 25 for i in range(3)}
    return collected(video, (6, 8), shown, {1: KNOWN, 2: "Anna's tumour"}, 25.0, times)


def test_names_are_counted_and_stay():
    names = NeutralNames().with_result(of_a_patient("b")).with_result(of_a_patient("a"))
    assert names.videos == {"video_0001": "b", "video_0002": "a"}
    assert names.classes == {"class_001": "Anna's tumour"}
    assert names.with_result(of_a_patient("b")) == names
    hidden = names.hide(of_a_patient("a"))
    assert (hidden.video, hidden.names) == ("video_0002", {1: KNOWN, 2: "class_001"})
    assert [frame.time for frame in hidden.frames()] == pytest.approx([0, 0.04, 0.08])


def test_times_of_a_video_stay_what_they_are():
    mask = {1: ObjectMask.of(np.ones((2, 2), bool))}
    late = collected("a", (2, 2), {5: mask}, times={5: 3600.0})
    names = NeutralNames().with_result(late)
    assert [frame.time for frame in names.hide(late).frames()] == [3600.0]


def test_no_file_of_names_is_no_names(tmp_path: Path):
    assert read_names(tmp_path / "names.json") == NeutralNames()


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_byte_tells_who_it_was(tmp_path: Path, name: str):
    """Names of files and all bytes of all files, unpacked where they are packed."""
    source = tmp_path / SECRET
    source.mkdir()
    for index in range(3):
        picture = Image.new("RGB", (8, 6))
        picture.save(source / f"{index}.jpg", comment=SECRET.encode())
    options = ExportOptions(anonymise=True, pictures=source if FORMATS[name].pictures else None)
    names = NeutralNames().with_result(of_a_patient())
    out = tmp_path / "out"
    out.mkdir()
    FORMATS[name].write(names.hide(of_a_patient()), out, options)
    files = [path for path in out.rglob("*") if path.is_file()]
    assert files
    secrets = re.compile(
        rb"mueller|anna|1961-?04|tumour|17138736|2024-?04|" + str(tmp_path).encode(), re.IGNORECASE
    )
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content += gzip.decompress(content)
        for text in (
            content,
            content.decode("utf-16-le", "ignore").encode(),
            bytes(path.relative_to(out)),
        ):
            assert secrets.search(text) is None, path
