"""scripts/ablation.py: its table reads results where the benchmark puts them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

from sam2s.benchmark.diagnostics import ALL, diagnostics_json
from sam2s.benchmark.scoreboard import ObjectScore, Scoreboard
from sam2s.metrics import Score

SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_table_has_mean_and_spread_and_leaves_open_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    table = runpy.run_path(str(SCRIPTS / "ablation.py"))["table"]
    first = {"1": _result(49.0, 3, 10.0), "3": _result(51.0, 5, 12.0)}
    runs = {"1": _result(50.0, 1), "3": _result(54.0, 3), "4": _result(100.0, 2)}
    lines = table(
        {"sam2": {"seeds": first}, "all": {"seeds": runs}, "tsl": {"seeds": {}}}
    ).splitlines()
    assert lines[2:] == [
        "| sam2 | 2 | 50.00 ± 1.41 | - | 4.00 ± 1.41 | 11.00 ± 1.41 |",
        "| all | 3 | 68.00 ± 27.78 | 2.00 ± 1.41 | 2.00 ± 1.00 | - |",
        "| tsl | 0 | - | - | - | - |",
    ]


def _result(jf: float, swaps: int, ece: float | None = None) -> dict[str, Any]:
    return {"mean": {"jf": jf}, "details": {ALL: {"swaps": swaps, "ece": ece}}}


def test_results_hold_what_the_table_reads() -> None:
    score = ObjectScore("v", 1, "s", "instrument", None, None, 0, Score(0.5, 0.5))
    assert {"swaps", "ece"} <= set(diagnostics_json(Scoreboard((score,)))[ALL])
