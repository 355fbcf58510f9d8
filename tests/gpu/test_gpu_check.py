"""The check that whoever has a card runs: that it runs, needs little, and tells a difference."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKED = (
    "av",
    "tyro",
    "pycocotools",
    "accelerate",
    "cv2",
    "huggingface_hub",
    "tqdm",
    "matplotlib",
)
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT / "scripts")!r})
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED}:
            raise ModuleNotFoundError(f"{{name}} must not be needed here")
sys.meta_path.insert(0, Blocked())
import gpu_check
"""


def run(program: str, start: str = PROGRAM) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", start + program]
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, check=False, timeout=280
    )


def test_on_a_cpu_it_says_what_it_would_do_and_agrees_with_itself():
    done = run("sys.exit(gpu_check.main(['--device', 'cpu', '--part', 'verbs']))")
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "no card here: in small, CPU against CPU" in done.stdout
    assert "18 of 18 agree" in done.stdout
    assert "verb recall nothing                    fp32" in done.stdout


@pytest.mark.parametrize("part", ["training", "tracks"])
def test_what_it_imports_is_little(part: str):
    """One row of the parts that take longer, without anything but torch and its like; clips for
    training are changed by OpenCV."""
    call = {
        "training": "gpu_check.training(gpu_check.pick_device('cpu'), 'fp32')",
        "tracks": "gpu_check.tracks(gpu_check.load_model('nano', image_size=96),"
        " gpu_check.pick_device('cpu'), 'fp32')",
    }[part]
    program = PROGRAM.replace("'cv2', ", "") if part == "training" else PROGRAM
    done = run(f"row = next(iter({call})); print(row); sys.exit(not row.good)", program)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.rstrip().endswith("ok")


def test_a_difference_is_told_by_name_and_exit_code():
    done = run("""
import torch
there = gpu_check.deepcopy
def off(model):
    copy = there(model)
    with torch.no_grad():
        for parameter in copy.memory_encoder.parameters():
            parameter.mul_(1.01)
    return copy
gpu_check.deepcopy = off
sys.exit(gpu_check.main(['--device', 'cpu', '--part', 'verbs']))
""")
    assert done.returncode == 1
    differing = [line for line in done.stdout.splitlines() if line.endswith("DIFFERS")]
    assert differing
    assert all(line.startswith("verb memorize") for line in differing)


def test_not_a_number_is_a_difference():
    done = run("print(gpu_check.Row('verb', 'encode', 'fp32', float('nan')))")
    assert done.stdout.rstrip().endswith("DIFFERS")
