"""Whole small runs: what they leave behind, exact resumption, the NaN guard, validation and
overlays."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sam2s.clips.clips import ConsecutiveSampler
from sam2s.errors import InputError, OutOfMemory
from sam2s.files import lock_folder
from sam2s.model.presets import preset
from sam2s.model.sam2s import build_model
from sam2s.train import trainer
from sam2s.train.checkpoint import CHECKPOINT
from sam2s.train.config import (
    Clips,
    FolderSet,
    RunConfig,
    Schedule,
    Stage,
    SyntheticSet,
    Teaching,
    TrainConfig,
    ValidationConfig,
    from_json,
)
from sam2s.train.examples import Examples
from sam2s.train.figures import Diverged
from sam2s.train.initial_weights import COARSEST, QUIET, prepare_start, starting_model
from sam2s.train.learner import ClipLearner
from sam2s.train.losses import LossConfig
from sam2s.train.optim import OptimConfig
from sam2s.train.run import Listener, run_training
from sam2s.train.unroll import UserConfig
from sam2s.train.validate import Validation, load_validation, validate
from sam2s.train.video_pool import ensure, open_pool
from sam2s.weights.load import load_model

LOSS = LossConfig(focal=5.0, dice=5.0, spread=1.0, stride=4)
USER = UserConfig(prompted=1, corrected=1, clicks=1)


def config_for(
    root: Path, *, steps: tuple[int, int] = (2, 2), precision: str = "fp32"
) -> TrainConfig:
    pictures = Stage(
        name="pictures",
        schedule=Schedule(steps=steps[0], lr=1e-3, lr_end=5e-4, warmup=1),
        clips=Clips(size=64, batch=2, sampler=ConsecutiveSampler(frames=1)),
        teaching=Teaching(user=USER, loss=LOSS),
    )
    clips = Stage(
        name="clips",
        schedule=Schedule(steps=steps[1], lr=5e-4, lr_end=0.0, warmup=0),
        clips=Clips(size=64, batch=1, sampler=ConsecutiveSampler(frames=3)),
        teaching=Teaching(user=USER, loss=LOSS),
    )
    run = RunConfig(precision=precision, log_every=1, overlay_every=3, checkpoint_minutes=0.0)
    return TrainConfig(
        "tiny",
        "small for tests",
        (pictures, clips),
        folders=(FolderSet(str(root)),),
        optim=OptimConfig(clip=1.0),
        run=run,
        seed=3,
    )


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / trainer.LOG).read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainConfig, Path]:
    out = tmp_path_factory.mktemp("run")
    config = config_for(squares, precision="bf16")
    assert run_training(config, out) == out / "model"
    return config, out


def test_a_run_leaves_log_config_overlay_and_model(finished: tuple[TrainConfig, Path]) -> None:
    config, out = finished
    log = records(out)
    assert log[0]["event"] == "start"
    assert {"git", "torch", "config"} <= set(log[0])
    assert [record["stage"] for record in log[1:]] == ["pictures"] * 2 + ["clips"] * 2
    assert all(np.isfinite(record["total"]) and record["norm"] > 0 for record in log[1:])
    assert from_json(TrainConfig, (out / "config.json").read_text()) == config
    with Image.open(out / "overlays" / "000003.png") as picture:
        assert picture.size[0] == 3 * 64
        assert picture.size[1] % 64 == 0
    assert not list(out.glob("**/*.tmp"))


def test_the_saved_model_holds_the_averaged_weights(finished: tuple[TrainConfig, Path]) -> None:
    _, out = finished
    state = torch.load(out / CHECKPOINT, weights_only=True)
    loaded = dict(load_model(out / "model").named_parameters())
    assert state["average"]["steps"] == 4
    assert all(
        torch.equal(loaded[name], weight) for name, weight in state["average"]["weights"].items()
    )


def test_training_goes_on_from_given_weights(
    finished: tuple[TrainConfig, Path], tmp_path: Path
) -> None:
    config, out = finished
    stage = replace(
        config.stages[0],
        schedule=replace(config.stages[0].schedule, steps=1, lr=0.0, lr_end=0.0, warmup=0),
    )
    further = replace(config, model=str(out / "model"), pretrained=True, stages=(stage,))
    before = dict(load_model(out / "model").named_parameters())
    after = dict(load_model(run_training(further, tmp_path)).named_parameters())
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_finished_folder_is_not_overwritten(finished: tuple[TrainConfig, Path]) -> None:
    config, out = finished
    with pytest.raises(InputError, match="holds a checkpoint"):
        run_training(config, out)


def test_resuming_needs_a_checkpoint_of_the_same_config(
    finished: tuple[TrainConfig, Path], tmp_path: Path
) -> None:
    config, out = finished
    with pytest.raises(InputError, match="no such checkpoint"):
        run_training(config, tmp_path, resume=True)
    with pytest.raises(InputError, match="another configuration"):
        run_training(replace(config, seed=4), out, resume=True)


def test_how_a_run_is_carried_out_may_change_when_it_is_resumed(
    squares: Path, tmp_path: Path, break_off: Callable
) -> None:
    config = config_for(squares)
    break_off(config, tmp_path, 3)
    changed = replace(config, run=replace(config.run, recompute=True, device="cpu"))
    run_training(changed, tmp_path, resume=True)
    assert [r["step"] for r in records(tmp_path) if "stage" in r] == [1, 2, 3, 4]
    assert from_json(TrainConfig, (tmp_path / "config.json").read_text()) == changed


def test_a_named_device_is_not_named_for_later_runs(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACCELERATE_TORCH_DEVICE", raising=False)
    config = config_for(squares, steps=(1, 0))
    run_training(replace(config, run=replace(config.run, device="cpu")), tmp_path, dry_run=True)
    assert "ACCELERATE_TORCH_DEVICE" not in os.environ


@pytest.mark.parametrize("told", [None, print])
def test_memory_that_runs_out_is_one_line_that_says_what_to_do(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Callable | None
) -> None:
    """In the first step, and in the estimate before it."""

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(ClipLearner, "forward", full)
    with pytest.raises(OutOfMemory, match="training on cpu, fp32: the device has no mem") as caught:
        run_training(config_for(squares), tmp_path, listener=Listener(told))
    assert caught.value.exit_code == 2
    assert "--set run.recompute=true" in str(caught.value)


def test_resuming_is_as_if_nothing_had_happened(
    squares: Path, tmp_path: Path, break_off: Callable
) -> None:
    config = config_for(squares)
    run_training(config, tmp_path / "whole")
    break_off(config, tmp_path / "broken", 3)
    run_training(config, tmp_path / "broken", resume=True)
    one, two = (
        torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "broken")
    )
    assert (one["step"], two["step"]) == (4, 4)
    assert all(torch.equal(one["model"][name], two["model"][name]) for name in one["model"])
    assert all(
        torch.equal(w, two["average"]["weights"][n]) for n, w in one["average"]["weights"].items()
    )


def test_what_was_logged_after_the_checkpoint_is_not_logged_twice(
    squares: Path, tmp_path: Path, break_off: Callable
) -> None:
    config = config_for(squares)
    break_off(config, tmp_path, 2)
    with (tmp_path / trainer.LOG).open("a") as log:
        log.write(json.dumps({"step": 3, "stage": "clips"}) + "\n")
        log.write('{"step": 4, "sta')
    run_training(config, tmp_path, resume=True)
    assert [r["step"] for r in records(tmp_path) if "stage" in r] == [1, 2, 3, 4]


def test_a_run_that_ended_before_its_first_checkpoint_leaves_its_log_apart(
    squares: Path, tmp_path: Path
) -> None:
    (tmp_path / trainer.LOG).write_text('{"step": 1}\n')
    run_training(config_for(squares), tmp_path)
    assert [r["step"] for r in records(tmp_path) if "stage" in r] == [1, 2, 3, 4]
    assert (tmp_path / "log.jsonl.before").read_text() == '{"step": 1}\n'


def test_one_run_at_a_time_in_a_folder(squares: Path, tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    for resume in (False, True):
        with (
            lock_folder(tmp_path / "run", "training"),
            pytest.raises(InputError, match="run: another training is writing there; wait for it"),
        ):
            run_training(config_for(squares), tmp_path / "run", resume=resume)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"hello\n",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-200],
        lambda data: data[:3000] + bytes(500) + data[3500:],
    ],
)
def test_a_damaged_checkpoint_is_one_line(
    finished: tuple[TrainConfig, Path], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    config, out = finished
    (tmp_path / CHECKPOINT).write_bytes(damage((out / CHECKPOINT).read_bytes()))
    with pytest.raises(InputError, match=r"checkpoint.pt: (damaged|refused|does not fit)"):
        run_training(config, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: [1, 2], "expected {'config': "),
        (lambda state: {}, "it is incomplete: lacks config, step"),
        (lambda state: state | {"config": 5}, "config must be text, got 5"),
        (lambda state: state | {"config": "["}, "cannot be read as JSON"),
        (lambda state: state | {"config": "{}"}, "TrainConfig is incomplete"),
        (lambda state: state | {"step": -1}, "step must be a whole number of at least 0"),
        (lambda state: state | {"step": 10**9}, "step must be at most 4"),
        (lambda state: state | {"step": "3"}, "step must be a whole number"),
        (lambda state: state | {"model": 5}, "model must be a table, got 5"),
        (lambda state: state | {"model": {}}, "does not fit this run"),
        (lambda state: state | {"model": {"x": 5}}, "does not fit this run"),
        (lambda state: state | {"optimizer": {"state": {}}}, "does not fit this run"),
        (lambda state: state | {"average": {"steps": 1, "weights": {}}}, "does not fit this run"),
        (lambda state: state | {"average": None}, "does not fit this run"),
    ],
)
def test_a_checkpoint_that_holds_something_else(
    finished: tuple[TrainConfig, Path],
    tmp_path: Path,
    change: Callable[[dict], object],
    message: str,
) -> None:
    config, out = finished
    state = torch.load(out / CHECKPOINT, weights_only=True)
    torch.save(change(state), tmp_path / CHECKPOINT)
    with pytest.raises(InputError, match=r"checkpoint.pt: ") as caught:
        run_training(config, tmp_path, resume=True)
    assert message in str(caught.value)


def test_nan_stops_the_run_and_names_the_clip(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = ClipLearner.forward

    def poisoned(self: ClipLearner, *arguments: object) -> object:
        losses, answers = learn(self, *arguments)  # type: ignore[arg-type]
        return replace(losses, total=losses.total * float("nan")), answers

    monkeypatch.setattr(ClipLearner, "forward", poisoned)
    with pytest.raises(Diverged, match=r"step 1: the loss is nan.*squares\d frames"):
        run_training(config_for(squares), tmp_path)


def test_a_frozen_encoder_stays_as_it_was(squares: Path, tmp_path: Path) -> None:
    config = config_for(squares, steps=(2, 0))
    config = replace(
        config,
        stages=(
            replace(
                config.stages[0],
                teaching=replace(config.stages[0].teaching, frozen=("image_encoder",)),
            ),
        ),
    )
    run_training(config, tmp_path)
    trained = torch.load(tmp_path / CHECKPOINT, weights_only=True)["model"]
    fresh = starting_model(config)
    same = {
        name for name, weight in fresh.state_dict().items() if torch.equal(weight, trained[name])
    }
    assert {name for name in trained if name.startswith("image_encoder.")} <= same
    assert not all(name in same for name in trained if name.startswith("mask_decoder."))


def test_batches_depend_on_seed_step_and_process_alone(squares: Path) -> None:
    config = config_for(squares)
    pool = open_pool([FolderSet(str(squares))], progress=False)
    straight, resumed = Examples(pool, config), Examples(pool, config, first=2)
    assert len(resumed) == 2
    assert resumed[1].clips == straight[3].clips
    assert torch.equal(resumed[1].images, straight[3].images)
    assert Examples(pool, config, rank=1)[3].clips != straight[3].clips
    assert Examples(pool, replace(config, seed=9))[3].clips != straight[3].clips


def test_a_stage_longer_than_all_videos_is_refused(squares: Path) -> None:
    config = config_for(squares)
    long = replace(
        config.stages[0],
        clips=replace(config.stages[0].clips, sampler=ConsecutiveSampler(frames=11)),
    )
    with pytest.raises(InputError, match="none of 100 videos drawn has 11 frames"):
        Examples(
            open_pool([FolderSet(str(squares))], progress=False), replace(config, stages=(long,))
        )[0]


def test_no_videos_is_refused() -> None:
    with pytest.raises(InputError, match="no videos"):
        open_pool([])


def test_quick_validation(squares: Path) -> None:
    wanted = ValidationConfig(SyntheticSet((), 0, 0, 0, 0), videos=2, frames=4, objects=2, size=64)
    samples = load_validation([squares], wanted)
    assert [len(sample.clip.objects) for sample in samples] == [2, 2]
    torch.manual_seed(0)
    model = build_model(preset("nano", image_size=64)).train()
    policy = model.config.memory
    result = validate(model, policy, samples, torch.device("cpu"))
    assert model.training
    assert result == validate(model, policy, samples, torch.device("cpu"))
    assert all(
        0 <= value <= 100
        for value in (result.j_1, result.j_3, result.j_track, result.presence, result.iou_gap)
    )
    # Squares slide one pixel a frame over 14 columns: the still mask overlaps 13/15, 12/16 and
    # 11/17.
    assert result.j_still == pytest.approx(100 * (13 / 15 + 12 / 16 + 11 / 17) / 3, abs=0.01)
    assert isinstance(result, Validation)


def test_synthetic_sets_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2")
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # no processes for six small pictures
    wanted = SyntheticSet(("colonoscopy", "cholecystectomy"), videos=1, frames=3, size=64, seed=5)
    roots = ensure(wanted, tmp_path)
    assert [root.name for root in roots] == [
        "train-colonoscopy-1x3x64-5",
        "train-cholecystectomy-1x3x64-6",
    ]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")}
    assert len(before) == 6
    assert ensure(wanted, tmp_path) == roots
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.jpg")} == before


def test_the_start_is_quiet_and_coarse() -> None:
    torch.manual_seed(0)
    plain = build_model(preset("nano", image_size=64))
    torch.manual_seed(0)
    ready = build_model(preset("nano", image_size=64))
    prepare_start(ready)
    picture = torch.randn(1, 3, 64, 64)
    for name in ("stride16", "stride8", "stride4"):
        ratio = getattr(ready.encode(picture), name) / getattr(plain.encode(picture), name)
        torch.testing.assert_close(ratio, torch.full_like(ratio, QUIET), atol=1e-3, rtol=1e-3)
    scales = ready.prompt_encoder.frequencies / plain.prompt_encoder.frequencies
    torch.testing.assert_close(scales[:, 0], torch.full((2,), COARSEST))
    torch.testing.assert_close(scales[:, -1], torch.ones(2))


def test_only_videos_of_the_split_are_taken(squares: Path) -> None:
    with pytest.raises(InputError, match=r"no video of split 'elsewhere'.*; its splits: "):
        open_pool([FolderSet(str(squares), split="elsewhere")], progress=False)
    every = open_pool([FolderSet(str(squares))], progress=False)
    split = every.videos[0].info.split
    assert len(open_pool([FolderSet(str(squares), split=split)], progress=False).videos) == len(
        every.videos
    )


def test_videos_opened_before_are_used_as_they_are(
    finished: tuple[TrainConfig, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = finished
    pool = open_pool(config.folders)
    monkeypatch.setattr("sam2s.train.run.open_pool", None)
    run_training(config, tmp_path / "again", pool=pool)
    first, again = (
        load_model(folder / "model").state_dict() for folder in (out, tmp_path / "again")
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
