"""Everything that a GPU runs, on a pretend one: nothing that CUDA refuses, the CPU's masks, and no
more moments of waiting for the device than the budget allows.

Each part runs in a process of its own, since the pretend device cannot be taken back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCENES = Path(__file__).with_name("scenes.py")
TRACKED = {"recent": 1, "diverse": 1, "pruned": 1, "distractor": 3, "samurai": 3, "tree": 4}
"""Host synchronisations of a tracked frame with two objects, by rule. Each costs a GPU the time
that Python needs to prepare the next launches; lower them when the code allows it. Of a plain rule:
the masks and the scores come down, together, when all work has been given out."""
PROMPTED = {"recent": 3, "diverse": 3, "pruned": 3, "distractor": 12, "samurai": 12, "tree": 8}
"""Those of a preview and the correction that follows it, together."""

CONSTANTS = 2
"""Uploads of constants in the first training step (mean and standard deviation of pictures)."""


def run(part: str, *fault: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCENES), part, *fault]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=280
    )


def answer(part: str) -> dict[str, Any]:
    done = run(part)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("rule", sorted(TRACKED))
def test_a_track_gives_the_cpus_masks_within_the_budget_of_syncs(rule: str):
    found = answer(rule)
    assert found["differing"] == 0
    assert found["syncs"]["tracked"] <= TRACKED[rule], found["where"]["tracked"]
    assert found["syncs"]["prompted"] <= PROMPTED[rule], found["where"]["prompted"]


def test_both_compatible_predictors_run():
    assert answer("compat")["differing"] == 0


def test_a_step_of_every_kind_of_stage_runs_without_waiting_for_the_device():
    found = answer("train")
    ours, cpu = found["losses"].pop("fp32 click")
    assert ours == pytest.approx(cpu, rel=1e-4)
    assert len(found["losses"]) == 9
    first = found["syncs"].pop("fp32 click")
    assert sum(first.values()) <= CONSTANTS, first
    assert not any(found["syncs"].values()), found["syncs"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("integer resize", '"_upsample_bilinear2d_aa" has no CUDA kernel for torch.uint8'),
        ("integer product", "has no CUDA kernel for torch.int64 (model/mask_decoder.py"),
        ("tensor on the CPU", "MixedDevices: add: tensors"),
        ("numpy without cpu", "can't convert a gpu tensor to numpy; .cpu() first"),
    ],
)
def test_the_guard_refuses_what_a_gpu_refuses(fault: str, words: str):
    done = run("few frames", fault)
    assert done.returncode == 1
    assert words in done.stderr


@pytest.mark.parametrize("fault", ["item in the decoder", "upload a frame"])
def test_the_guard_counts_a_sync_too_many(fault: str):
    done = run("few frames", fault)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["syncs"]["tracked"] > TRACKED["recent"]
