"""``sam2s export``: from a tracked video to the files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

from sam2s.commands.options import Export
from sam2s.export.tracks import read_tracks
from sam2s.formats.coco import read_coco
from sam2s.formats.registry import FORMATS


@pytest.fixture
def result(sam2s, video: Path, model_folder: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out"
    said = sam2s(
        f"track {video} --click 1:16,18 --click 2:40,40 --out {out} --model {model_folder}"
        " --device cpu --exclusive"
    )
    assert said.code == 0, said.err
    return out


def test_the_options_name_every_format():
    assert set(get_args(get_type_hints(Export)["to"])) == set(FORMATS)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_is_written_and_verified(sam2s, result: Path, tmp_path: Path, name: str):
    said = sam2s(f"export {result} {tmp_path}/made --to {name}")
    assert said.code == 0, said.err
    assert f"12 frames, 2 objects as {name}: {tmp_path}/made" in said.out
    assert any((tmp_path / "made").rglob("*.*"))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", sorted(n for n in FORMATS if FORMATS[n].outlines == "option"))
def test_outlines_are_written_and_verified(sam2s, result: Path, tmp_path: Path, name: str):
    said = sam2s(f"export {result} {tmp_path}/made --to {name} --polygons")
    assert said.code == 0, said.err
    assert any((tmp_path / "made").rglob("*.*"))


def test_options_of_other_formats_are_refused(sam2s, result: Path, tmp_path: Path):
    for options in ("--to davis --polygons", "--to cvat --uncompressed"):
        said = sam2s(f"export {result} {tmp_path}/made {options}")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert "is not for this format; leave it out" in said.err
    assert not (tmp_path / "made").exists()


def test_masks_are_those_of_the_run(sam2s, result: Path, tmp_path: Path):
    assert sam2s(f"export {result} {tmp_path}/made").code == 0
    tracks = read_tracks(result / "tracks.json")
    for frame, back in zip(tracks.frames, read_coco(tmp_path / "made").frames(), strict=True):
        assert (back.index, back.time) == (frame.index, frame.time)
        for i, found in frame.objects.items():
            np.testing.assert_array_equal(back.masks[i].mask, found.mask)


def test_what_cannot_be_exported(sam2s, result: Path, tmp_path: Path, video: Path):
    (tmp_path / "taken").mkdir()
    for arguments, words in (
        (f"{result} {tmp_path}/taken", "is there already; name another folder"),
        (f"{tmp_path}/none {tmp_path}/made", "holds no tracks.json"),
        (f"{tmp_path}/taken {tmp_path}/made", "holds no tracks.json"),
    ):
        said = sam2s(f"export {arguments}")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert words in said.err
    assert not (tmp_path / "made").exists()


def test_a_loss_has_to_be_allowed(sam2s, video: Path, model_folder: Path, tmp_path: Path):
    out = tmp_path / "overlapping"
    mask = tmp_path / "m.png"
    from PIL import Image

    Image.fromarray(np.pad(np.full((20, 20), 255, np.uint8), ((9, 19), (9, 35)))).save(mask)
    said = sam2s(
        f"track {video} --mask 1:{mask} --mask 2:{mask} --out {out} --model {model_folder}"
    )
    assert said.code == 0, said.err
    refused = sam2s(f"export {out} {tmp_path}/made --to davis")
    assert refused.code == 2
    assert "the larger number will lie on top; choose another format, or give" in refused.err
    assert not (tmp_path / "made").exists()
    assert sam2s(f"export {out} {tmp_path}/made --to davis --allow-loss").code == 0
