"""Stages with dense supervision: what reaches the image encoder, and resuming them to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sam2s.clips.batch import ClipBatch, collate, load_clip
from sam2s.clips.clips import Clip, ConsecutiveSampler
from sam2s.masklets.masklets import open_masklets
from sam2s.memory.recent import Recent
from sam2s.model.presets import preset
from sam2s.model.sam2s import build_model
from sam2s.train.config import Clips, FolderSet, RunConfig, Schedule, Stage, Teaching, TrainConfig
from sam2s.train.dense import build_dense_head
from sam2s.train.learner import ClipLearner
from sam2s.train.losses import LossConfig
from sam2s.train.run import run_training
from sam2s.train.unroll import Script, UserConfig
from sam2s.weights.load import load_model

SCRIPT = Script({0: "click"}, {0: 1})


@pytest.fixture(scope="module")
def batch(squares: Path) -> ClipBatch:
    video = open_masklets(squares).videos["squares0"]
    return collate(
        [
            load_clip(
                video, Clip("squares0", (2, 3), (0, 1), (1, 2)), 64, None, np.random.default_rng(0)
            )
        ]
    )


def _gradients(batch: ClipBatch, stage: Stage) -> tuple[float, float]:
    """Norms of the gradients of the image encoder and of all else."""
    torch.manual_seed(0)
    model = build_model(preset("nano", image_size=64))
    learner = ClipLearner(model, Recent(), build_dense_head(model))
    learner(batch, stage, SCRIPT, np.random.default_rng(0))[0].total.backward()
    squares = {True: 0.0, False: 0.0}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            squares[name.startswith("image_encoder.")] += float(parameter.grad.square().sum())
    return squares[True] ** 0.5, squares[False] ** 0.5


def test_attenuation_scales_what_the_encoder_hears_and_nothing_else(batch: ClipBatch) -> None:
    stage = Stage(
        name="s",
        schedule=Schedule(steps=1, lr=1e-3, lr_end=0.0),
        clips=Clips(size=64, batch=1),
        teaching=Teaching(loss=LossConfig(stride=4)),
    )
    loud, rest = _gradients(batch, stage)
    quiet, same = _gradients(
        batch, replace(stage, teaching=replace(stage.teaching, encoder_gradient=0.25))
    )
    assert quiet == pytest.approx(0.25 * loud, rel=1e-4)
    assert same == pytest.approx(rest, rel=1e-5)


def test_an_encoder_only_stage_teaches_the_encoder_alone(batch: ClipBatch) -> None:
    stage = Stage(
        name="s",
        schedule=Schedule(steps=1, lr=1e-3, lr_end=0.0),
        clips=Clips(size=64, batch=1),
        teaching=Teaching(loss=LossConfig(stride=4, dense=1.0), encoder_only=True),
    )
    encoder, rest = _gradients(batch, stage)
    assert encoder > 0
    assert rest == 0


def test_dense_loss_joins_the_total(batch: ClipBatch) -> None:
    torch.manual_seed(0)
    model = build_model(preset("nano", image_size=64))
    learner = ClipLearner(model, Recent(), build_dense_head(model))
    stage = Stage(
        name="s",
        schedule=Schedule(steps=1, lr=1e-3, lr_end=0.0),
        clips=Clips(size=64, batch=1),
        teaching=Teaching(loss=LossConfig(stride=4)),
    )
    with torch.no_grad():
        plain = learner(batch, stage, SCRIPT, np.random.default_rng(0))[0]
        dense = learner(
            batch,
            replace(stage, teaching=replace(stage.teaching, loss=LossConfig(stride=4, dense=0.5))),
            SCRIPT,
            np.random.default_rng(0),
        )[0]
    assert plain.dense.item() == 0
    assert dense.total.item() == pytest.approx(
        plain.total.item() + 0.5 * dense.dense.item(), rel=1e-5
    )


def test_a_resumed_run_equals_an_unbroken_one_and_ships_no_head(
    squares: Path, tmp_path: Path, break_off: Callable
) -> None:
    loss = LossConfig(stride=4, dense=1.0)
    encoder = Stage(
        name="e",
        schedule=Schedule(steps=2, lr=1e-3, lr_end=5e-4, warmup=0),
        clips=Clips(size=64, batch=1, sampler=ConsecutiveSampler(frames=2)),
        teaching=Teaching(loss=loss, encoder_only=True),
    )
    clips = Stage(
        name="c",
        schedule=Schedule(steps=2, lr=5e-4, lr_end=0.0, warmup=0),
        clips=Clips(size=64, batch=1, sampler=ConsecutiveSampler(frames=2)),
        teaching=Teaching(user=UserConfig(clicks=1), loss=loss),
    )
    run = RunConfig(precision="fp32", log_every=1, overlay_every=1, checkpoint_minutes=0.0)
    config = TrainConfig(
        "dense",
        "small for tests",
        (encoder, clips),
        folders=(FolderSet(str(squares)),),
        run=run,
        seed=3,
    )
    run_training(config, tmp_path / "whole")
    break_off(config, tmp_path / "parts", 2)
    run_training(config, tmp_path / "parts", resume=True)
    whole, parts = (
        dict(load_model(tmp_path / name / "model").named_parameters())
        for name in ("whole", "parts")
    )
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
