"""The other commands from end to end, on a folder of two tiny synthetic videos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.cli import main
from sam2s.masklets.masklets import open_masklets

FRAMES, SIZE = 6, 64


@pytest.fixture(scope="module")
def masklets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by the command itself."""
    out = tmp_path_factory.mktemp("synth") / "data"
    line = (
        f"synth {out} --videos 2 --frames {FRAMES} --size {SIZE} --seed 3 --procedure"
        " cholecystectomy"
    )
    assert main(line.split()) == 0
    return out


def test_synth_writes_masklets(masklets: Path):
    folder = open_masklets(masklets)
    assert len(folder) == 2
    for video in folder.videos.values():
        assert len(video) == FRAMES
        assert video.size == (SIZE, SIZE)
        assert video.info.procedure == "cholecystectomy"
        assert video.info.objects


def test_synth_says_what_it_made(sam2s, tmp_path: Path):
    said = sam2s(f"synth {tmp_path}/a --videos 1 --frames 2 --size 64")
    assert (said.code, said.err) == (0, "")
    assert f"1 video of 2 frames: {tmp_path}/a" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--procedure dentistry", "procedure 'dentistry': unknown; use one of cholecystectomy"),
        ("--videos 0", "videos must be 1 or more"),
        ("--frames 0", "frames must be 1 or more"),
        ("--size 8", "size must be"),
        ("--workers 0", "workers must be 1 or more"),
    ],
)
def test_synth_refuses(sam2s, tmp_path: Path, arguments: str, words: str):
    said = sam2s(f"synth {tmp_path}/a {arguments}")
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "a").exists()


def test_evaluate_finds_the_truth_perfect(sam2s, masklets: Path, tmp_path: Path):
    said = sam2s(f"evaluate --pred {masklets} --gt {masklets} --json {tmp_path}/r.json")
    assert said.code == 0, said.err
    assert said.out.startswith("J&F 100.00  J 100.00  F 100.00")
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["mean"]["jf"] == 100


def test_evaluate_counts_what_is_missing(sam2s, masklets: Path, tmp_path: Path):
    pred = tmp_path / "pred"
    shutil.copytree(masklets / "Annotations", pred / "Annotations")
    victim = next(p for p in sorted(pred.rglob("*.png")) if np.asarray(Image.open(p)).any())
    victim.unlink()
    said = sam2s(f"evaluate --pred {pred} --gt {masklets}")
    assert said.code == 0, said.err
    assert "1 masks were not predicted and count as empty" in said.out
    assert "J&F 100.00" not in said.out


def test_evaluate_refuses(sam2s, masklets: Path, tmp_path: Path):
    said = sam2s(f"evaluate --pred {tmp_path}/none --gt {masklets} --json {tmp_path}/r.json")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "no such folder" in said.err
    assert not (tmp_path / "r.json").exists()


def test_benchmark_scores_a_model_and_the_floors(
    sam2s, masklets: Path, model_folder: Path, tmp_path: Path
):
    said = sam2s(
        f"benchmark {masklets} --model {model_folder} --memory diverse --prompt 1-click --json"
        f" {tmp_path}/r.json --floors --device cpu --masks {tmp_path}/masks"
    )
    assert (said.code, said.err) == (0, "")
    result = json.loads((tmp_path / "r.json").read_text())
    assert 0 <= result["mean"]["jf"] <= 100
    assert set(result["floors"]) == {"still", "flow"}
    assert f"{result['mean']['jf']:.2f}" in said.out
    assert f"all scores: {tmp_path}/r.json" in said.out
    assert sam2s(f"evaluate --pred {tmp_path}/masks --gt {masklets}").code == 0


def test_benchmark_writes_a_report(sam2s, masklets: Path, model_folder: Path, tmp_path: Path):
    said = sam2s(
        f"benchmark {masklets} --model {model_folder} --prompt mask --report {tmp_path}/r --device"
        " cpu --skip-last video"
    )
    assert (said.code, said.err) == (0, "")
    assert f"report: {tmp_path}/r/report.md" in said.out
    assert "| swaps |" in said.out
    made = {"results.json", "report.md", "course.png", "classes.png", "objects.png", "masks"}
    assert made <= {p.name for p in (tmp_path / "r").iterdir()} <= made | {"reliability.png"}
    result = json.loads((tmp_path / "r" / "results.json").read_text())
    assert result["protocol"]["rules"]["skip_last"] == "video"
    assert result["details"]["all"]["frames"] > 0
    said = sam2s(f"benchmark {masklets} --model {model_folder} --suite sa-sv --device cpu")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "holds no test video of SA-SV" in said.err


def test_a_report_beside_a_result_file_elsewhere(
    sam2s, masklets: Path, model_folder: Path, tmp_path: Path
):
    said = sam2s(
        f"benchmark {masklets} --model {model_folder} --prompt 1-click --device cpu --json"
        f" {tmp_path}/new/b.json --report {tmp_path}/more/r --masks {tmp_path}/new/masks"
    )
    assert (said.code, said.err) == (0, "")
    assert (tmp_path / "more" / "r" / "report.md").is_file()
    assert [p.name for p in (tmp_path / "new").iterdir() if p.is_file()] == ["b.json"]
    assert sorted(p.name for p in (tmp_path / "new" / "masks").iterdir()) == ["Annotations"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("benchmark {data} --json {file}/b.json", "it is a file, expected the name of a folder"),
        ("benchmark {data} --json {folder}", "is a folder, expected the name of a file to write"),
        ("benchmark {data} --report {file}", "it is a file"),
        ("benchmark {data} --report {file}/r", "cannot be written"),
        ("benchmark {data} --json {folder}/b.json --report {file}", "it is a file"),
        ("benchmark {data} --masks {file}", "it is a file"),
        ("evaluate --pred {data} --gt {data} --json {folder}", "is a folder"),
        ("evaluate --pred {data} --gt {data} --json {file}/e.json", "it is a file"),
        ("data stats {data} --json {file}/s.json", "it is a file"),
        ("data stats {data} --plot {file}/s.png", "it is a file"),
        ("data stats {data} --plot {folder}/s.tiff2", "a plot's name must end in one of "),
        ("data check {data} --json {folder}", "is a folder"),
        ("data check {data} --sheet {file}/s.png", "it is a file"),
        ("synth {file} --videos 1 --frames 1", "it is a file"),
        ("demo --out {file}", "it is a file"),
        ("train finetune --data {data} --out {file}/run", "cannot be written"),
        ("train finetune --data {data} --out {folder}/run --scenes {file}", "it is a file"),
    ],
)
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    sam2s, masklets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
):
    def work(*arguments: object, **named: object) -> None:
        raise AssertionError("the work began")

    for name in (
        "sam2s.benchmark.run_benchmark.score_videos",
        "sam2s.benchmark.evaluate.open_mask_folder",
        "sam2s.curation.stats.open_masklets",
        "sam2s.curation.check.open_masklets",
        "sam2s.synthetic.write.SurgicalScene",
        "sam2s.commands.demo_footage.SurgicalScene",
        "sam2s.commands.demo_footage.decode_rle",
        "sam2s.train.run.open_pool",
    ):
        monkeypatch.setattr(name, work)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    places = {"data": masklets, "file": tmp_path / "file", "folder": tmp_path / "folder"}
    said = sam2s(line.format(**places))
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert words in said.err
    assert (tmp_path / "file").read_text() == "mine"


def test_benchmark_refuses(sam2s, masklets: Path, model_folder: Path, tmp_path: Path):
    for arguments, words in (
        (f"{tmp_path}/none --model {model_folder}", "no such folder"),
        (f"{masklets} --model nanoo", "unknown model"),
        (f"{masklets} --model {model_folder} --video nobody", "no such video: nobody"),
    ):
        said = sam2s(f"benchmark {arguments} --json {tmp_path}/r.json")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert words in said.err
        assert not (tmp_path / "r.json").exists()


def test_train_refuses(sam2s, tmp_path: Path):
    said = sam2s(f"train nonsense --out {tmp_path}/run")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "unknown name 'nonsense'; use one of finetune" in said.err
    for arguments, words in (
        ("finetune", "name your annotated folder with --data"),
        (f"finetune --data {tmp_path}/none", "no such folder"),
        ("nano --set scratch.stages.0.stepz=3", "has no field 'stepz'; it has name, schedule"),
        ("nano --set seed=3", "begin with *, scratch"),
        ("nano --set scratch.stages.0.clips.size=100", "stages.0.clips.size: got 100, expected a"),
        ("nano --model small", "starts from scratch, so --model does not fit"),
        ("nano --data mine", "--data is for finetune, sam2s_base_plus"),
    ):
        said = sam2s(f"train {arguments} --out {tmp_path}/run")
        assert (said.code, said.err.count("\n")) == (2, 1), said.err
        assert words in said.err
    assert not (tmp_path / "run").exists()


def test_train_hands_over_and_says_where_the_model_is(
    sam2s, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen = {}

    def run_training(config, out_dir, **how):
        seen.update(config=config, out=out_dir, **how)
        return out_dir / "model"

    monkeypatch.setattr("sam2s.recipes.train_recipe.run_training", run_training)
    said = sam2s(
        f"train nano:scratch --out {tmp_path}/run --resume --scenes {tmp_path}/s --set seed=5 --set"
        " stages.*.schedule.steps=1"
    )
    assert said.code == 0, said.err
    assert (seen["out"], seen["resume"], seen["data_dir"]) == (
        tmp_path / "run",
        True,
        tmp_path / "s",
    )
    assert (seen["config"].name, seen["config"].seed, seen["config"].steps) == ("scratch", 5, 6)
    assert f"trained model: {tmp_path}/run/model" in said.out


def test_train_without_its_extra_says_what_to_install(
    sam2s, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(__import__("sys").modules, "sam2s.recipes.train_recipe", None)
    said = sam2s(f"train nano --out {tmp_path}/run")
    assert said.code == 2
    assert "pip install 'sam2s[train]'" in said.err
