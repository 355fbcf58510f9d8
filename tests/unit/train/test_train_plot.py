"""scripts/train_plot.py: steps of a log, counted on where every stage counts its own."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "train_plot.py"


@pytest.mark.parametrize("numbers", [(20, 40, 60, 80), (20, 40, 20, 40)])
def test_steps_go_on_where_a_stage_counts_its_own(tmp_path: Path, numbers: tuple[int, ...]) -> None:
    log = tmp_path / "log.jsonl"
    lines = [{"event": "start"}, *({"step": step, "total": 1.0} for step in numbers)]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    steps, looks = runpy.run_path(str(SCRIPT))["read"](log)
    assert [record["step"] for record in steps] == [20, 40, 60, 80]
    assert looks == []
