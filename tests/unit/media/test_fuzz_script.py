"""scripts/fuzz.py: what it says of a child that misbehaves, and a short run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[3] / "scripts"


def run(*arguments: str) -> str:
    """The output of a Python process; forks are made there, not in the process of the tests."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=SCRIPTS, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_child_is_judged_by_how_it_ended():
    cases = {
        "lambda: [1, 2], 20": "[1, 2]",
        "lambda: 1 / 0, 20": "traceback: ",
        "lambda: os.kill(os.getpid(), 11), 20": "crash: SIGSEGV",
        "lambda: sum(1 for _ in iter(int, 1)), 0.5": "hang: ",
        "lambda: time.sleep(60), 0.5": "hang: ",
        "lambda: len(bytearray(1_600_000_000)), 20": "memory: ",
    }
    tries = "".join(f"print(repr(fuzz._apart({work})))\n" for work in cases)
    said = run("-c", f"import os, time, fuzz\n{tries}").splitlines()
    assert [
        line.strip("'\"")[: len(end)] for line, end in zip(said, cases.values(), strict=True)
    ] == [*cases.values()]


def test_a_short_run_finds_nothing():
    said = run("fuzz.py", "--inputs", "12", "--kinds", "picture", "--seed", "4")
    assert "12 damaged inputs" in said
