"""Killed at random moments (SIGKILL), the server loses nothing it acknowledged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_a_few_kills_lose_nothing():
    line = ["annotate_kill.py", "--moments", "2", "--seed", "5", "--longest", "2"]
    done = subprocess.run(
        [sys.executable, *line], cwd=SCRIPTS, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("all there") == 2
    assert "tracking goes on: done" in done.stdout
