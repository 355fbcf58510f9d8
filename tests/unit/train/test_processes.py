"""Two processes on a CPU (gloo) descend the mean of the gradients that one process finds for each of their batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sam2s.data.clips import ConsecutiveSampler
from sam2s.memory.policy import make_policy
from sam2s.train import loop
from sam2s.train.config import FolderSet, RunConfig, Stage, TrainConfig, from_json, to_json
from sam2s.train.examples import Examples, generator, open_pool
from sam2s.train.learner import ClipLearner
from sam2s.train.losses import LossConfig
from sam2s.train.unroll import UserConfig, draw_script

PROGRAM = """
import sys
from pathlib import Path
from sam2s.train.config import TrainConfig, from_json
from sam2s.train.loop import run_training
run_training(from_json(TrainConfig, Path(sys.argv[1]).read_text()), sys.argv[2])
"""


def config_for(root: Path) -> TrainConfig:
    user = UserConfig(mask=0.0, prompted=1, corrected=1, clicks=1)
    stage = Stage("clips", 1, 64, 1, 1e-3, 0.0, 0, ConsecutiveSampler(frames=2), user=user, loss=LossConfig(stride=4))
    return TrainConfig(
        "pair", "nano", (stage,), folders=(FolderSet(str(root)),), run=RunConfig(precision="fp32", log_every=1), seed=5
    )


def mean_gradient_norm(config: TrainConfig) -> float:
    """What one process finds: the norm of the mean of both processes' gradients at the first step."""
    stage, _ = config.stage_at(0)
    pool = open_pool(config.folders, progress=False)
    model = loop.starting_model(config)
    learner = ClipLearner(model, make_policy(config.memory)).train()
    script = draw_script(stage.user, stage.sampler.frames, generator(config.seed, 0, purpose=loop.SCRIPT))
    for rank in range(2):
        batch = Examples(pool, config, rank=rank)[0]
        losses, _ = learner(batch, stage, script, generator(config.seed, 0, rank, loop.CLICKS))
        (losses.total / 2).backward()
    squares = [p.grad.square().sum() for p in model.parameters() if p.grad is not None]
    return float(torch.stack(squares).sum().sqrt())


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch was built without distributed")
def test_two_processes_descend_the_mean_gradient(squares: Path, tmp_path: Path) -> None:
    config = config_for(squares)
    (tmp_path / "run.py").write_text(PROGRAM)
    (tmp_path / "config.json").write_text(to_json(config))
    assert from_json(TrainConfig, (tmp_path / "config.json").read_text()) == config
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, str(tmp_path / "run.py"), str(tmp_path / "config.json"), str(tmp_path / "out")]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    log = [json.loads(line) for line in (tmp_path / "out" / loop.LOG).read_text().splitlines()]
    assert [record.get("step") for record in log] == [0, 1]
    assert log[1]["norm"] == pytest.approx(mean_gradient_norm(config), rel=1e-4)
