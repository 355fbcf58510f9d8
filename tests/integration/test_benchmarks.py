"""benchmarks/: the scripts run, in small; what they measure is nobody's test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_speed_fills_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import speed

    found = tmp_path / "speed.json"
    small = "--device cpu --setting nano:64:2 --warm 1 --frames 2 --rounds 2"
    assert speed.main([*small.split(), "--json", str(found)]) == 0
    rows = json.loads(found.read_text())["rows"]
    assert [row["who"] for row in rows] == ["ours-step", "ours-ahead", "transformers"]
    assert all(
        row["fps"] > 0 and len(row["rounds"]) == len(row["processor_ms"]) == 2 for row in rows
    )
    assert "| nano, 64 px, 2 |" in capsys.readouterr().out


def test_speed_stops_in_time_and_names_what_fails(capsys: pytest.CaptureFixture[str]):
    import speed

    setting = "--device cpu --presets nano --sizes 64 --objects 1 --warm 1 --frames 1 --rounds 1"
    assert speed.main([*setting.split(), "--budget-s", "0"]) == 0
    assert "stopped after 0 s" in capsys.readouterr().out
    broken = [*setting.split(), "--who", "ours-step", "--tracker-option", "no_such=True"]
    assert speed.main(broken) == 1
    assert "no_such" in capsys.readouterr().err


def test_stages_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    import stages

    monkeypatch.setattr(stages, "WARM", 1)
    found = tmp_path / "stages.json"
    small = "--device cpu --preset nano --size 64 --objects 2 --steps 2"
    small += " --tracker-option precision=bf16"  # a card's: the verbs' arguments are of two kinds
    assert stages.main([*small.split(), "--json", str(found)]) == 0
    (setting,) = json.loads(found.read_text())["settings"]
    assert set(setting["stages"]) == set(stages.STAGES)
    assert all(ms > 0 for ms in setting["stages"].values())
    assert setting["gflop"]["encode"] > setting["gflop"]["recall"] > 0
    assert setting["calls"]["operators"] > 100
    assert "| encode |" in capsys.readouterr().out


def test_one_code_that_fails_later_loses_only_its_own_row():
    import speed

    played: list[int] = []

    def breaks_when_warm(number: int) -> Iterator[list[int]]:
        played.append(number)
        if len(played) == 2:
            raise RuntimeError("no memory left")
        yield [1]

    codes = {
        "ours-step": lambda setting, model: breaks_when_warm,
        "ours-ahead": lambda setting, model: lambda number: iter([[1]] * number),
    }
    options = speed.parse(["--device", "cpu", "--warm", "1", "--frames", "3", "--rounds", "2"])
    setting = speed.Setting("nano", 64, 1, torch.device("cpu"))
    clock = speed.Clock(float("inf"))
    broken, whole = speed.contest(setting, codes, options, clock)
    assert "no memory left" in broken.error
    assert len(whole.rounds) == 2
    table = speed.table([broken, whole]).markdown()
    assert "| nano, 64 px, 1 | failed |" in table


def test_arithmetic_is_counted_in_single_operations():
    from counters import flop

    product = flop(lambda: torch.ones(4, 5) @ torch.ones(5, 6), torch.device("cpu"))
    assert product == 2 * 4 * 5 * 6


@pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this torch has no oneDNN"
)
def test_arithmetic_by_onednn_is_counted():
    from counters import flop

    from sam2s.nn.onednn import product

    x, weight = torch.ones(2, 40, 5), torch.ones(6, 5)
    assert flop(lambda: product(x, weight), torch.device("cpu")) == 2 * 2 * 40 * 5 * 6


def test_memory_that_grows_is_told(monkeypatch: pytest.MonkeyPatch, capsys):
    import stages

    grown = iter([100 << 20, 101 << 20, 100 << 20, 103 << 20])
    monkeypatch.setattr(stages, "used_bytes", lambda device: {"resident": next(grown)})
    monkeypatch.setattr(stages, "_play", lambda *_: None)
    small = ["--device", "cpu", "--preset", "nano", "--size", "64", "--frames", "200"]
    assert stages.main(small) == 0
    assert "+1.00 % (flat)" in capsys.readouterr().out
    assert stages.main(small) == 1
    assert "+3.00 % (it grows)" in capsys.readouterr().out


def test_file_compares_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    import file

    small = "--vga --frames 3 --objects 2 --rounds 1 --device cpu --image-size 64"
    assert file.main(small.split()) == 0
    (line,) = [row for row in capsys.readouterr().out.splitlines() if row.startswith("| 2 |")]
    assert float(line.split("|")[2]) > 0
    speeds = iter([10.0, 5.0, 12.0, 4.0, 9.0, 9.0])
    monkeypatch.setattr(file, "run", lambda *_: next(speeds))
    twice = ["--vga", "--frames", "2", "--rounds", "3", "--against", str(tmp_path)]
    assert file.main(twice) == 0
    assert "| 1 | 10.00 | 5.00 | 2.00 |" in capsys.readouterr().out


def test_file_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capsys):
    import file

    monkeypatch.setattr(file, "NEEDED", ("av", "no_such_package"))
    assert file.main([]) == 0
    assert (
        capsys.readouterr().out
        == "left out: sam2s track needs no_such_package, not installed here\n"
    )
