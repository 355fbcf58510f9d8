"""benchmarks/: the scripts run, in small; what they measure is nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_speed_fills_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import speed

    found = tmp_path / "speed.json"
    small = "--device cpu --presets nano --sizes 64 --objects 2 --warm 1 --frames 2 --rounds 2"
    assert speed.main([*small.split(), "--json", str(found)]) == 0
    rows = json.loads(found.read_text())["rows"]
    assert [row["who"] for row in rows] == ["ours-step", "ours-ahead", "transformers"]
    assert all(row["fps"] > 0 and len(row["rounds"]) == 2 for row in rows)
    assert "| nano, 64 px, 2 |" in capsys.readouterr().out


def test_speed_stops_in_time_and_names_what_fails(capsys: pytest.CaptureFixture[str]):
    import speed

    setting = "--device cpu --presets nano --sizes 64 --objects 1 --warm 1 --frames 1 --rounds 1"
    assert speed.main([*setting.split(), "--budget-s", "0"]) == 0
    assert "stopped after 0 s" in capsys.readouterr().out
    broken = [*setting.split(), "--who", "ours-step", "--tracker-option", "no_such=True"]
    assert speed.main(broken) == 1
    assert "no_such" in capsys.readouterr().err
