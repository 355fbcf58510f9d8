"""The benchmark of a training step, in small; and that it needs no more than a GPU machine has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKED = ("av", "tyro", "pycocotools", "transformers", "sqlmodel", "fastapi")
PROGRAM = f"""
import sys
sys.path[:0] = [{str(ROOT / "scripts")!r}, {str(ROOT / "src")!r}]
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED}:
            raise ModuleNotFoundError(f"{{name}} must not be needed here")
sys.meta_path.insert(0, Blocked())
import train_speed
train_speed.main()
"""


def test_it_runs_on_a_cpu_and_tells_where_the_time_goes(tmp_path: Path) -> None:
    small = [
        "--device",
        "cpu",
        "--clips",
        "1",
        "--frames",
        "2",
        "--size",
        "64",
        "--steps",
        "1",
        "--loop",
        "2",
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), *small],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "speed.json").read_text())
    stages = found["seconds"]
    assert stages["backward"] > 0
    assert stages["encode"] > 0
    assert sum(stages.values()) - stages["step"] == pytest.approx(stages["step"])
    assert found["steps_per_s"] > 0
    assert found["loop_steps_per_s"] > 0
