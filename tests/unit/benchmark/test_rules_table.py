"""scripts/rules_table.py: one table of all memory rules, each scored once."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from colours import ColourTracker

from sam2s.benchmark.run_benchmark import EvaluatedModel
from sam2s.errors import InputError

SCRIPT = Path(__file__).parents[3] / "scripts" / "rules_table.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with trackers of colours instead of models; ``script.opened`` holds them."""
    spec = importlib.util.spec_from_file_location("rules_table", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.opened = []

    def open_model(model, *, memory, device, precision, image_size):
        module.opened.append(ColourTracker())
        return EvaluatedModel(module.opened[-1], {"name": model, "memory": {"rule": memory}})

    monkeypatch.setattr(module, "open_model", open_model)
    return module


def call(script: ModuleType, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr(sys, "argv", ["rules_table.py", *line.split()])
    script.main()


def test_rules_side_by_side(
    script: ModuleType,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = f"{tmp_path}/out --data {folder} --prompt box --rule recent --rule diverse"
    call(script, monkeypatch, line)
    out = tmp_path / "out"
    tables = json.loads((out / "table.json").read_text())["tables"]
    assert list(tables["data, box"]) == ["recent", "diverse"]
    assert tables["data, box"]["recent"]["swaps"] == 0
    head, _, first, second = (out / "table.md").read_text().strip().splitlines()[2:]
    assert head.startswith("| memory rule | J&F | alpha/instrument |")
    assert {first.split("|")[1].strip(), second.split("|")[1].strip()} == {"recent", "diverse"}
    assert (out / "data_box_jf.png").is_file()
    assert (out / "data_box_course.png").is_file()
    assert len(script.opened) == 2
    call(script, monkeypatch, line + " --rule tree")  # what is done is not run again
    assert [len(tracker.calls) > 0 for tracker in script.opened] == [True, True, False, False, True]
    assert "| tree |" in capsys.readouterr().out


def test_results_of_another_model_are_refused(
    script: ModuleType, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(script, monkeypatch, f"{tmp_path} --data {folder} --rule recent")
    with pytest.raises(InputError, match="another model, protocol or data"):
        call(script, monkeypatch, f"{tmp_path} --data {folder} --rule recent --model other")
    with pytest.raises(InputError, match="another model, protocol or data"):
        call(script, monkeypatch, f"{tmp_path} --data {folder} --rule recent --video still")
