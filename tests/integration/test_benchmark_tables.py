"""``sam2s benchmark`` and ``evaluate``: parts of a folder, several rules side by side, tables,
pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.benchmark.object_pictures import BAND, TIMES, WIDTH, MasksOfRun, draw_extremes
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo, open_masklets

SIDE, FRAMES = 64, 6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos, a bright square that moves and a darker one that stays."""
    root = tmp_path_factory.mktemp("data") / "set"
    kinds = {1: ObjectInfo("grasper", "instrument"), 2: ObjectInfo("liver", "tissue")}
    rng = np.random.default_rng(0)
    with MaskletWriter(root) as writer:
        for name in ("one", "two"):
            writer.add_video(name, VideoInfo("made", None, "test", 25.0, kinds))
            for k in range(FRAMES):
                picture = rng.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
                masks = {i: np.zeros((SIDE, SIDE), bool) for i in kinds}
                masks[1][8:24, 4 + 3 * k : 24 + 3 * k] = True
                masks[2][40:56, 30:56] = True
                picture[masks[1]], picture[masks[2]] = 230, 140
                writer.write(name, f"{k:05d}", picture, masks)
    return root


def test_several_rules_side_by_side(sam2s, data: Path, model_folder: Path, tmp_path: Path):
    said = sam2s(
        f"benchmark {data} --model {model_folder} --memory recent,diverse --prompt 1-click --floors"
        f" --per class --per object --report {tmp_path}/r --device cpu"
    )
    assert (said.code, said.err) == (0, "")
    folder = tmp_path / "r"
    results = [
        json.loads((folder / f"results-{rule}.json").read_text()) for rule in ("recent", "diverse")
    ]
    assert [r["model"]["memory"]["rule"] for r in results] == ["recent", "diverse"]
    for result in results:
        label = f"| {model_folder}, {result['model']['memory']['rule']}, 1-click |"
        rows = [line for line in said.out.splitlines() if line.startswith(label)]
        assert len(rows) == 2, "of scores, and of swaps"
        assert f"{result['mean']['jf']:.2f}" in said.out
        assert result["floors"]["flow"]["course"]
    rows = [line for line in said.out.splitlines() if line.startswith(("| grasper", "| liver"))]
    assert len(rows) == 2
    assert f"| one/001 | grasper | {results[0]['objects']['one/001']['jf']:.2f} |" in said.out
    assert {"course.png", "jf.png", "objects.png", "report.md", "masks"} <= {
        p.name for p in folder.iterdir()
    }
    text = (folder / "report.md").read_text()
    assert "2 runs side by side" in text
    assert "![The worst and the best objects" in text
    with Image.open(folder / "objects.png") as picture:
        assert picture.size == (2 * WIDTH, 4 * (WIDTH + BAND))


def test_a_comparison_that_was_cut_off_goes_on(
    sam2s, data: Path, model_folder: Path, tmp_path: Path
):
    line = (
        f"benchmark {data} --model {model_folder} --memory recent,diverse --prompt 1-click"
        f" --json {tmp_path}/r.json --device cpu --video one"
    )
    assert sam2s(line).code == 0
    recent, diverse = (tmp_path / f"r-{rule}.json" for rule in ("recent", "diverse"))
    before = recent.read_bytes()
    diverse.unlink()
    again = sam2s(line)
    assert again.code == 0
    assert f"recent: done before ({recent})" in again.out
    assert recent.read_bytes() == before
    assert diverse.is_file()
    anew = sam2s(line)
    assert "done before" not in anew.out, "a finished comparison is made anew"
    diverse.unlink()
    content = json.loads(before)
    content["provenance"]["command"] = "another"
    recent.write_text(json.dumps(content))
    assert "done before" not in sam2s(line).out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--memory none", "--memory none: expected auto, distractor, diverse"),
        ("--memory recent,", "--memory recent,: expected"),
        ("--memory recent,diverse --shard 1/2 --json {tmp}/r.json", "one rule at a time"),
        ("--object x", "--object x: expected ID or VIDEO/ID"),
        ("--object one/7", "no such object: one/7; there are one/1, one/2, two/1, two/2"),
    ],
)
def test_what_cannot_be(
    sam2s, data: Path, model_folder: Path, tmp_path: Path, options: str, words: str
):
    options = options.format(tmp=tmp_path)
    said = sam2s(f"benchmark {data} --model {model_folder} --device cpu {options}")
    assert said.code == 2
    assert words in said.err


def test_a_part_of_a_folder(sam2s, data: Path, model_folder: Path, tmp_path: Path):
    part = "--video two --object 2 --per object"
    said = sam2s(
        f"benchmark {data} --model {model_folder} --device cpu --prompt 1-click {part}"
        f" --masks {tmp_path}/m --json {tmp_path}/r.json"
    )
    assert (said.code, said.err) == (0, "")
    assert list(json.loads((tmp_path / "r.json").read_text())["objects"]) == ["two/002"]
    scored = sam2s(f"evaluate --pred {tmp_path}/m --gt {data} {part} --per class --per video")
    assert scored.code == 0
    assert "| two/002 | liver |" in scored.out
    assert "| liver |" in scored.out
    assert "| two |" in scored.out
    assert "one" not in scored.out


def test_on_a_terminal_tables_are_as_wide_as_it_is(
    sam2s, data: Path, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True)
    monkeypatch.setenv("COLUMNS", "60")
    line = f"benchmark {data} --model {model_folder} --device cpu --prompt 1-click --floors"
    said = sam2s(f"{line} --per object --object 1")
    assert said.code == 0
    lines = said.out.splitlines()
    assert not any(line.startswith("|") for line in lines)
    assert max(map(len, lines)) <= 60
    assert any(line.split()[:2] == ["one/001", "grasper"] for line in lines)


def test_worst_and_best_are_what_they_are_called(data: Path, tmp_path: Path):
    """Masks that are right for one object and missing for the other."""
    folder = open_masklets(data)
    for video in folder.videos.values():
        for k, name in enumerate(video.frame_names):
            place = tmp_path / "m" / "Annotations" / video.name / "001" / f"{name}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            mask = video.mask(1, k)
            assert mask is not None
            Image.fromarray(mask).save(place)
    rules = {
        "skip_first": "prompted",
        "skip_last": "none",
        "absent": "score",
        "unseen": "score",
        "unlabelled": "skip",
        "late": "prompt",
        "unit": "object",
        "mean": "subsets",
    }
    objects = {
        "one/001": {"jf": 100.0, "class": "grasper"},
        "two/002": {"jf": 0.0, "class": None},
        "two/001": {"jf": None, "class": "grasper"},
    }
    entry = {"objects": objects, "protocol": {"rules": rules}}
    run = MasksOfRun("right", tmp_path / "m")
    assert draw_extremes(tmp_path / "o.png", folder, [entry], [run])
    picture = np.asarray(Image.open(tmp_path / "o.png"))
    assert picture.shape == (2 * (WIDTH + BAND), TIMES * WIDTH, 3)
    worst, best = picture[BAND:WIDTH], picture[WIDTH + 2 * BAND :]
    tinted = [(part[..., 2].astype(int) - part[..., 0] > 70).mean() for part in (worst, best)]
    assert tinted[0] < 0.001 < 0.02 < tinted[1], "nothing is tinted where nothing was predicted"
    nothing = {"objects": {"two/001": objects["two/001"]}, "protocol": {"rules": rules}}
    assert not draw_extremes(tmp_path / "n.png", folder, [nothing], [run])
    assert not (tmp_path / "n.png").exists()
