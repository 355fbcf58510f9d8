"""``sam2s export``: from a tracked video to the files of other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

from sam2s import extras
from sam2s.commands.options import Export
from sam2s.export.tracks import read_tracks
from sam2s.formats.coco_reader import read_coco
from sam2s.formats.registry import FORMATS
from sam2s.masklets.masks import write_binary_mask


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
    assert set(get_args(get_type_hints(Export)["to"])) == {*FORMATS, "onnx"}  # which is of models


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


def test_masklet_folders_are_results_too(sam2s, tmp_path: Path):
    """Two videos, as SA-V has them: objects from 000 on, every fourth frame; no pictures."""
    folder, mask = tmp_path / "masks", np.zeros((12, 16), bool)
    mask[2:6, 3:9] = True
    for video in ("sav_1", "sav_2"):
        for object_id in (0, 1):
            place = folder / "Annotations_6fps" / video / f"{object_id:03d}"
            place.mkdir(parents=True)
            for frame in (0, 4, 8)[: 3 - object_id]:
                write_binary_mask(place / f"{frame:05d}.png", np.roll(mask, 3 * object_id, axis=0))
    said = sam2s(f"export {folder} {tmp_path}/made --to coco")
    assert said.code == 0, said.err
    assert f"2 videos, 6 frames, 4 objects as coco: {tmp_path}/made" in said.out
    assert "note: sav_1: 1 masks are not known" in said.out
    for video in ("sav_1", "sav_2"):
        back = list(read_coco(tmp_path / "made" / video).frames())
        assert [frame.index for frame in back] == [0, 4, 8]
        np.testing.assert_array_equal(back[0].masks[0].mask, mask)
        assert not back[2].masks[1].mask.any()
    refused = sam2s(f"export {folder} {tmp_path}/palettes --to davis --video sav_2")
    assert refused.code == 2
    assert "davis: sav_2: objects overlap on 2 frames" in refused.err
    assert "object 0: numbers begin at 1 and end at 254 in this format" in refused.err
    assert refused.err.count("\n") == 1
    again = sam2s(f"export {folder} {tmp_path}/palettes --to davis --video sav_2 --allow-loss")
    assert again.code == 0, again.err
    picture = np.asarray(Image.open(tmp_path / "palettes/Annotations/sav_2/00000.png"))
    assert sorted(np.unique(picture)) == [0, 1, 2]
    missing = sam2s(f"export {folder} {tmp_path}/no --video sav_3")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    assert "--video sav_3:" in missing.err


def test_names_are_left_out_and_kept_apart(sam2s, result: Path, tmp_path: Path):
    names = tmp_path / "names.json"
    for out in ("one", "two"):
        said = sam2s(f"export {result} {tmp_path}/{out} --to sa-v --anonymise --mapping {names}")
        assert said.code == 0, said.err
        assert [path.name for path in (tmp_path / out).iterdir()] == ["video_0001_manual.json"]
    stem = read_tracks(result / "tracks.json").source.name.split(".")[0]
    assert json.loads(names.read_text())["videos"] == {"video_0001": stem}
    for arguments, words in (
        (f"--mapping {names}", "give --anonymise as well"),
        (f"--anonymise --mapping {tmp_path}/three/names.json", "is to name nobody"),
    ):
        said = sam2s(f"export {result} {tmp_path}/three {arguments}")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert words in said.err


@pytest.mark.parametrize("name", ["nifti", "dicom-seg"])
def test_a_missing_extra_is_said_before_the_result_is_read(
    sam2s, tmp_path: Path, monkeypatch, name
):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    said = sam2s(f"export {tmp_path}/none {tmp_path}/made --to {name}")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert f"pip install 'sam2s[{name.split('-')[0]}]'" in said.err
    assert not (tmp_path / "made").exists()
