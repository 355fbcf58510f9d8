"""Recipes on a user's data: their defaults, the held-out videos, and the whole way from a request
to a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from sam2s.benchmark.run_benchmark import EvaluatedModel, open_model
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.model.presets import SemanticConfig
from sam2s.recipes import RECIPES, recipe
from sam2s.recipes import train_recipe as train_recipe_module
from sam2s.recipes.finetune import CLIP, LONG, STILLS, choose_held_out, finetune, survey
from sam2s.recipes.overrides import override
from sam2s.recipes.train_recipe import TrainingRequest, judge, score_text, train_recipe
from sam2s.train.config import TrainConfig, from_json, to_json
from sam2s.train.semantic import with_semantics
from sam2s.weights.load import load_model
from sam2s.weights.save import save_model
from small import SMALL, small_model

SIDE = 64


@pytest.fixture(autouse=True)
def fresh_accelerate() -> None:
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(small_model(), tmp_path_factory.mktemp("start") / "model")


def folder_of(
    root: Path, lengths: dict[str, int], *, every: int = 1, name: str | None = "grasper"
) -> Path:
    """Videos of so many frames with one sliding square, labelled on every ``every``-th frame."""
    info = VideoInfo(objects={1: ObjectInfo(name, "instrument")})
    with MaskletWriter(root) as writer:
        for video, frames in lengths.items():
            writer.add_video(video, info)
            for t in range(frames):
                image, mask = np.full((SIDE, SIDE, 3), 40, np.uint8), np.zeros((SIDE, SIDE), bool)
                mask[20:40, t % 30 : t % 30 + 20] = True
                image[mask] = (220, 80, 60)
                writer.write(video, f"{t:04d}", image, {1: mask} if t % every == 0 else {})
    return root


def test_the_papers_recipe() -> None:
    (config,) = recipe("sam2s_base_plus")
    (stage,) = config.stages
    assert from_json(TrainConfig, to_json(config)) == config
    assert (config.model, config.pretrained, config.long_term) == (
        "facebook/sam2.1-hiera-base-plus",
        True,
        True,
    )
    assert (
        stage.clips.size,
        stage.schedule.epochs,
        stage.schedule.lr,
        stage.clips.diverse,
        stage.clips.stills,
    ) == (
        512,
        30.0,
        1e-5,
        0.5,
        0.2,
    )
    assert (
        stage.clips.sampler.frames,
        stage.clips.diverse_sampler.long_term,
        stage.clips.diverse_sampler.recent,
    ) == (8, 2, 5)
    assert (stage.teaching.loss.focal, stage.teaching.loss.tsl) == (20.0, 0.1)
    assert stage.teaching.loss.soften is not None
    assert (stage.teaching.loss.soften.size, stage.teaching.loss.soften.sigma) == (5, 1.0)
    assert config.semantic is not None
    assert config.semantic.bank == "text"
    assert [(folder.root, folder.split) for folder in config.folders] == [("data/sa-sv", "train")]
    (elsewhere,) = recipe("sam2s_base_plus", ("a", "b"), "mine.safetensors")
    assert ([folder.root for folder in elsewhere.folders], elsewhere.model) == (
        ["a", "b"],
        "mine.safetensors",
    )


def test_recipes_that_name_their_data_take_none() -> None:
    with pytest.raises(InputError, match="recipe nano: names its data itself"):
        recipe("nano", ("mine",))
    with pytest.raises(InputError, match="recipe nano: starts from scratch"):
        recipe("nano", model="mine")
    with pytest.raises(InputError, match="name your annotated folder with --data"):
        recipe("finetune")


def test_recipes_that_go_on_take_other_weights() -> None:
    assert recipe("nano:longer")[0].model == "nano"
    (part,) = recipe("nano:longer", model="runs/further/model")
    assert part.model == "runs/further/model"


def test_many_long_videos(tmp_path: Path, start: Path) -> None:
    root = folder_of(tmp_path, {f"v{k}": LONG for k in range(6)})
    config = finetune([str(root)], str(start))
    (stage,) = config.stages
    assert from_json(TrainConfig, to_json(config)) == config
    assert (config.pretrained, config.long_term, config.semantic) == (True, True, None)
    assert (
        stage.clips.sampler.frames,
        stage.clips.diverse,
        stage.clips.stills,
        stage.clips.size,
    ) == (CLIP, 0.5, 0.0, 64)
    assert len(config.folders[0].held_out) == 1
    # Ten clips an epoch: more epochs would learn them by heart.
    assert stage.schedule.epochs == 40.0


def test_few_short_videos(tmp_path: Path, start: Path) -> None:
    config = finetune([str(folder_of(tmp_path, {"a": 5, "b": 5, "c": 7}))], str(start))
    (stage,) = config.stages
    assert (
        stage.clips.sampler.frames,
        stage.clips.diverse,
        stage.clips.stills,
        config.long_term,
    ) == (
        5,
        0.0,
        0.0,
        False,
    )
    assert config.folders[0].held_out == ()


def test_stills_and_sparse_videos(tmp_path: Path, start: Path) -> None:
    only = finetune(
        [str(folder_of(tmp_path / "stills", dict.fromkeys("abcde", 1)))], str(start)
    ).stages[0]
    assert (only.clips.sampler.frames, only.clips.stills) == (CLIP, 1.0)
    sparse = folder_of(tmp_path / "sparse", {"a": 20}, every=10)
    both = finetune([str(tmp_path / "stills"), str(sparse)], str(start))
    assert (both.stages[0].clips.sampler.frames, both.stages[0].clips.stills) == (2, STILLS)
    assert [folder.root for folder in both.folders] == [str(tmp_path / "stills"), str(sparse)]


def test_a_fifth_of_the_videos_is_held_out_by_seed(tmp_path: Path) -> None:
    root = str(folder_of(tmp_path, {f"v{k}": 3 for k in range(10)} | {"still": 1}))
    surveys = survey(root)
    chosen = choose_held_out(surveys, 0)
    assert len(chosen) == 2
    assert chosen == choose_held_out(surveys, 0)
    assert any(choose_held_out(surveys, seed) != chosen for seed in range(1, 6))
    assert all(
        folder == root and name != "still"
        for seed in range(9)
        for folder, name in choose_held_out(surveys, seed)
    )


def test_nothing_labelled_is_refused(tmp_path: Path, start: Path) -> None:
    root = folder_of(tmp_path, {"a": 3}, every=10)
    for mask in (root / "Annotations").rglob("*.png"):
        mask.unlink()
    with pytest.raises(InputError, match="no labelled frame"):
        finetune([str(root)], str(start))


def test_new_class_names_are_added_to_a_learnable_bank(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "data", {"a": 3}, name="stapler")
    known = SemanticConfig(("hook", "snare"), bank="learnable", width=8)
    learnable = save_model(with_semantics(small_model(), known), tmp_path / "learnable")
    config = finetune([str(root)], str(learnable))
    assert config.semantic == replace(known, classes=("hook", "snare", "stapler"))
    assert (
        finetune(
            [str(folder_of(tmp_path / "hook", {"a": 3}, name="hook"))], str(learnable)
        ).semantic
        is None
    )


def test_from_an_order_to_a_better_judged_model(
    tmp_path: Path, start: Path, capsys: pytest.CaptureFixture
) -> None:
    root = folder_of(tmp_path / "data", {f"v{k}": 4 for k in range(4)})
    quick = (
        "stages.0.schedule.epochs=none",
        "stages.0.schedule.steps=1",
        "stages.0.clips.accumulate=1",
        "run.precision=fp32",
    )
    request = TrainingRequest(
        "finetune", tmp_path / "run", data=(str(root),), model=str(start), settings=quick
    )
    told: list[str] = []
    train_recipe(replace(request, dry_run=True), told.append)
    assert [line.split()[0] for line in told] == [
        "data:",
        "masks:",
        "objects",
        "stage",
        "estimate:",
    ]
    assert not (tmp_path / "run").exists()
    told.clear()
    folder = train_recipe(request, told.append)
    assert [line for line in told if "running" in line] == ["running on cpu, fp32"]
    words = [line.split(":")[0] for line in told]
    assert words[-3:] == ["held out, to judge the result", "before", "after"]
    assert "on held-out videos, 3-click" in told[-1]
    assert load_model(folder, device="cpu").config.name == SMALL.name
    assert score_text(None) == "nothing to score"


def test_held_out_videos_are_judged_on_the_device_of_the_run(
    tmp_path: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder_of(tmp_path / "data", {f"v{k}": 4 for k in range(4)})
    config = finetune([str(root)], str(start))
    asked: list[str] = []

    def opened(model: str, *, device: str, image_size: int) -> EvaluatedModel:
        asked.append(device)
        return open_model(model, device="cpu", image_size=image_size)

    monkeypatch.setattr(train_recipe_module, "open_model", opened)
    judge(replace(config, run=replace(config.run, device="cuda:1")), str(start))
    assert asked == ["cuda:1"]
    assert config.run.precision == "auto"


def test_a_mistaken_setting_stops_before_anything_is_made(tmp_path: Path, start: Path) -> None:
    root = folder_of(tmp_path / "data", {"a": 3})
    request = TrainingRequest(
        "finetune", tmp_path / "run", (str(root),), str(start), ("stages.0.clips.size=100",)
    )
    with pytest.raises(InputError, match=r"stages\.0\.clips\.size: got 100"):
        train_recipe(request)
    assert not (tmp_path / "run").exists()


def test_a_recipe_of_several_parts_hands_the_model_on_and_resumes(
    tmp_path: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder_of(tmp_path / "data", {"a": 3, "b": 3})
    quick = ("stages.0.schedule.epochs=none", "stages.0.schedule.steps=1", "run.precision=fp32")
    first = override(finetune([str(root)], str(start)), quick)
    second = replace(first, name="second", keep_start=0.5, keep_from="finetune", seed=1)
    monkeypatch.setitem(RECIPES, "course", lambda: (first, second))
    request = TrainingRequest(
        "course",
        tmp_path / "run",
        settings=("second.seed=4", "*.run.log_every=1"),
        device="cpu",
    )
    told: list[str] = []
    folder = train_recipe(request, told.append)
    assert folder == tmp_path / "run" / "2_second" / "model"
    configs = [
        from_json(TrainConfig, (tmp_path / "run" / name / "config.json").read_text())
        for name in ("1_finetune", "2_second")
    ]
    assert [config.model for config in configs] == [
        str(start),
        str(tmp_path / "run" / "1_finetune" / "model"),
    ]
    assert configs[1].keep_from == configs[1].model
    assert [config.seed for config in configs] == [0, 4]
    assert [config.run.device for config in configs] == ["cpu", "cpu"]
    models = [load_model(tmp_path / "run" / f"{n}" / "model", device="cpu").state_dict() for n in
              ("1_finetune", "2_second")]  # fmt: skip
    assert any(not torch.equal(models[0][name], models[1][name]) for name in models[0])
    with pytest.raises(InputError, match="holds a run; resume it"):
        train_recipe(request)
    alone = replace(request, recipe="course:second", out=tmp_path / "alone", settings=())
    with pytest.raises(InputError, match="keeps weights of the part finetune; give them with"):
        train_recipe(alone)
    told.clear()
    assert train_recipe(replace(request, resume=True), told.append) == folder
    assert told == []  # nothing was left to do
    with pytest.raises(InputError, match="begin with \\*, finetune, second"):
        train_recipe(replace(request, settings=("seed=4",)))
