"""Two processes on a CPU (gloo) take the very steps that one process takes with the same global
batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sam2s.clips.clips import ConsecutiveSampler
from sam2s.model.presets import SemanticConfig
from sam2s.train import trainer
from sam2s.train.checkpoint import CHECKPOINT
from sam2s.train.config import (
    Clips,
    FolderSet,
    RunConfig,
    Schedule,
    Stage,
    Teaching,
    TrainConfig,
    from_json,
    to_json,
)
from sam2s.train.examples import Steps
from sam2s.train.losses import LossConfig
from sam2s.train.optim import OptimConfig
from sam2s.train.run import run_training
from sam2s.train.unroll import UserConfig
from sam2s.train.video_pool import open_pool
from sam2s.weights.load import load_model
from sam2s.weights.save import save_model
from small import small_model

PROGRAM = """
import sys
from pathlib import Path
import accelerate, torch
from accelerate.state import PartialState
from torch.distributed.fsdp import fully_shard
from sam2s.train import trainer
from sam2s.train.config import TrainConfig, from_json
from sam2s.train.optim import build_optimizer
from sam2s.train.run import run_training

class Stopped(Exception):
    pass

def shard(self, learner, _):
    # What accelerate does for FSDP2, which it does not offer on a CPU: shard the weights, then
    # build the optimiser.
    mesh = torch.distributed.init_device_mesh("cpu", (2,))
    for block in learner.model.image_encoder.trunk.blocks:
        fully_shard(block, mesh=mesh)
    return fully_shard(learner, mesh=mesh), build_optimizer(learner.model, sharded.optim)

def stop(self, done, due):
    after(self, done, due)
    if done == 2:
        raise Stopped

folder = Path(sys.argv[1])
plain, sharded = (from_json(TrainConfig, (folder / name).read_text()) for name in sys.argv[2:])
# The second run takes the processes as the first one leaves them.
leave = PartialState.destroy_process_group
PartialState.destroy_process_group = lambda self, group=None: None
run_training(plain, folder / "pair")
PartialState.destroy_process_group = leave

accelerate.Accelerator.prepare = shard
after, trainer.Trainer._after = trainer.Trainer._after, stop
try:
    run_training(sharded, folder / "sharded")
except Stopped:
    trainer.Trainer._after = after
run_training(sharded, folder / "sharded", resume=True)
"""


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(small_model(), tmp_path_factory.mktemp("start") / "model")


def config_for(root: Path, start: Path) -> TrainConfig:
    """Clips and single pictures, corrected or prompted by masks, with TSL: what takes part differs
    from step to step.

    Weights follow the gradient itself: Adam's first steps have its sign alone and would hide a
    wrong scale.
    """
    user = UserConfig(mask=0.5, prompted=1, corrected=1, clicks=1)
    loss = LossConfig(stride=4, tsl=0.5)
    clips = Stage(
        name="clips",
        schedule=Schedule(steps=3, lr=1e-3, lr_end=1e-3, warmup=0),
        clips=Clips(size=64, batch=1, sampler=ConsecutiveSampler(frames=2)),
        teaching=Teaching(user=user, loss=loss),
    )
    pictures = replace(
        clips,
        name="pictures",
        schedule=replace(clips.schedule, steps=1),
        clips=replace(clips.clips, sampler=ConsecutiveSampler(frames=1)),
    )
    return TrainConfig(
        "pair", str(start), (clips, pictures), pretrained=True, folders=(FolderSet(str(root)),),
        semantic=SemanticConfig(("grasper", "snare"), bank="orthogonal", width=8),
        optim=OptimConfig(clip=1e9, ema=0.0), run=RunConfig(precision="fp32", log_every=1), seed=2,
    )  # fmt: skip


def sharded(config: TrainConfig) -> TrainConfig:
    """The same for weights that are spread over the processes, by Muon, which has to gather them,
    with averaged weights and a checkpoint after every step."""
    run = replace(config.run, checkpoint_minutes=0.0)
    return replace(config, optim=OptimConfig(kind="muon", clip=1.0, ema=0.5), run=run)


def in_one_process(config: TrainConfig) -> TrainConfig:
    """The same global batch: two passes a step instead of two processes."""
    stages = tuple(
        replace(stage, clips=replace(stage.clips, accumulate=2)) for stage in config.stages
    )
    return replace(config, stages=stages)


@pytest.fixture(scope="module")
def two_processes(
    squares: Path, start: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainConfig, Path]:
    """The configuration, and a folder in which two processes, started once, ran it twice: as
    ``pair``, and as ``sharded``, stopped after two steps and resumed."""
    if not torch.distributed.is_available():
        pytest.skip("torch was built without distributed")
    folder, config = tmp_path_factory.mktemp("two"), config_for(squares, start)
    (folder / "run.py").write_text(PROGRAM)
    for name, each in (("pair.json", config), ("sharded.json", sharded(config))):
        (folder / name).write_text(to_json(each))
        assert from_json(TrainConfig, (folder / name).read_text()) == each
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    program = [str(folder / "run.py"), str(folder), "pair.json", "sharded.json"]
    done = subprocess.run(
        [*torchrun, "--nproc-per-node", "2", *program],
        capture_output=True,
        text=True,
        timeout=100,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return config, folder


def records(out: Path) -> list[dict]:
    """Of every step."""
    lines = [json.loads(line) for line in (out / trainer.LOG).read_text().splitlines()]
    return [line for line in lines if "event" not in line]


def test_two_processes_are_one_with_the_same_global_batch(
    two_processes: tuple[TrainConfig, Path], tmp_path: Path
) -> None:
    config, folder = two_processes
    pair = folder / "pair"
    pool = open_pool(config.folders, progress=False)
    rows = [
        [Steps(pool, config, rank=r, processes=2)[k][0].rows for r in range(2)] for k in range(4)
    ]
    assert any(a != b for a, b in rows), "the processes should hold different numbers of rows"
    run_training(in_one_process(config), tmp_path / "alone")
    logs = records(pair), records(tmp_path / "alone")
    assert [record["rows"] for record in logs[0]] == [sum(both) for both in rows]
    for two, one in zip(*logs, strict=True):
        for name in (
            "norm",
            "total",
            "focal",
            "dice",
            "iou",
            "presence",
            "tsl",
            "rows",
            "answers",
            "jaccard",
        ):
            assert two[name] == pytest.approx(one[name], rel=2e-3, abs=2e-5), (two["step"], name)
    assert any(record["tsl"] > 0 for record in logs[0])
    weights = [
        torch.load(out / CHECKPOINT, weights_only=True)["model"]
        for out in (pair, tmp_path / "alone")
    ]
    before = small_model().state_dict()
    moved = {
        n: (w - before[n]).abs().max()
        for n, w in weights[0].items()
        if n in before and w.is_floating_point()
    }
    assert max(moved.values()) > 1e-3


def test_accelerates_own_launcher_is_honoured(
    squares: Path, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``accelerate launch`` says, it says by environment variables: nothing of ours may
    override them."""
    from sam2s.train.run import prepare

    for name, value in (("ACCELERATE_USE_CPU", "true"), ("ACCELERATE_DYNAMO_BACKEND", "EAGER")):
        monkeypatch.setenv(name, value)
    accelerator = prepare(config_for(squares, start), tmp_path, tmp_path).accelerator
    assert accelerator.device.type == "cpu"
    assert accelerator.state.dynamo_plugin.backend == "EAGER"


def test_weights_spread_over_processes_train_resume_and_are_saved_whole(
    two_processes: tuple[TrainConfig, Path], tmp_path: Path
) -> None:
    config, folder = two_processes
    run_training(in_one_process(sharded(config)), tmp_path / "alone")
    outs = (folder / "sharded", tmp_path / "alone")
    norms = [[record["norm"] for record in records(out)] for out in outs]
    assert len(norms[0]) == len(norms[1]) == 4
    assert norms[0][:2] == pytest.approx(norms[1][:2], rel=2e-2)
    spread, one = (torch.load(out / CHECKPOINT, weights_only=True) for out in outs)
    assert {name: t.shape for name, t in spread["model"].items()} == {
        n: t.shape for n, t in one["model"].items()
    }
    saved, expected = (load_model(out / "model", device="cpu") for out in outs)
    shifts = [
        (a - b).detach().abs().max()
        for a, b in zip(saved.parameters(), expected.parameters(), strict=True)
    ]
    # AdamW moves a weight by the learning rate a step, whichever way rounding tips the smallest
    # gradients, and so does Muon a direction.
    assert max(shifts) < 8.1e-3
    assert float(torch.stack(shifts).median()) < 1e-3
