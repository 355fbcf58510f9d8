"""scripts/ablation.py: its table reads results where the benchmark puts them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from sam2s.benchmark.details import ALL, details_json
from sam2s.benchmark.scoreboard import ObjectScore, Scoreboard
from sam2s.metrics import Score

SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_table_has_mean_and_spread_and_leaves_open_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    table = runpy.run_path(str(SCRIPTS / "ablation.py"))["table"]
    runs = {
        str(k): {"mean": {"jf": jf}, "details": {ALL: {"swaps": k, "ece": None}}} for k, jf in ((1, 50.0), (3, 54.0))
    }
    lines = table({"all": {"seeds": runs}, "tsl": {"seeds": {}}}).splitlines()
    assert lines[2:] == ["| all | 2 | 52.00 ± 2.00 | 2.00 ± 1.00 | - |", "| tsl | 0 | - | - | - |"]


def test_results_hold_what_the_table_reads() -> None:
    score = ObjectScore("v", 1, "s", "instrument", None, None, 0, Score(0.5, 0.5))
    assert {"swaps", "ece"} <= set(details_json(Scoreboard((score,)))[ALL])
