"""Result files as a table."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from colours import ColourTracker

from sam2s.benchmark.report import markdown_table, read_result
from sam2s.benchmark.run_benchmark import EvaluatedModel, Options, run_benchmark
from sam2s.errors import InputError

QUIET = Options(progress=False)


def evaluated(name: str) -> EvaluatedModel:
    return EvaluatedModel(ColourTracker(), {"name": name, "memory": {"rule": "diverse"}})


def test_table_of_several_results(folder: Path, tmp_path: Path) -> None:
    run_benchmark(folder, evaluated("one"), replace(QUIET, floors=True, json=tmp_path / "one.json"))
    run_benchmark(
        folder,
        evaluated("two"),
        replace(QUIET, floors=True, videos=("still",), json=tmp_path / "two.json"),
    )
    first, second = (read_result(tmp_path / f"{name}.json") for name in ("one", "two"))
    head, rule, *rows = markdown_table([first, second]).splitlines()
    assert head == "|  | alpha/instrument | alpha/tissue | beta | mean J&F | J | F | frames/s |"
    assert rule.count("--:") == 7
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [c[0] for c in cells[:2]] == ["one, diverse, 3-click", "two, diverse, 3-click"]
    assert cells[1][1] == "-"
    assert cells[0][4] == f"{first['mean']['jf']:.2f}"
    assert [c[0] for c in cells[2:]] == [
        "floor: the first mask, unmoved",
        "floor: the first mask, moved by optical flow",
    ]
    assert cells[2][-1] == "-"


def test_a_result_object_needs_no_file(folder: Path) -> None:
    result = run_benchmark(folder, evaluated("one"), QUIET)
    assert markdown_table([result]).count("\n") == 3


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps({"format": "something"}))
    (tmp_path / "broken.json").write_text("{")
    for name, message in (
        ("other", "not a benchmark"),
        ("broken", "cannot be read"),
        ("none", "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            read_result(tmp_path / f"{name}.json")
