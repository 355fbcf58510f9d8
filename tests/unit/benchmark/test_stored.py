"""What a benchmark left behind when it was cut off: taken up again, or refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.benchmark.journal import Journal
from sam2s.benchmark.report import markdown_table, read_result
from sam2s.benchmark.scoreboard import ObjectScore
from sam2s.benchmark.stored import read_scores
from sam2s.benchmark.video_scores import VideoScores
from sam2s.errors import InputError
from sam2s.metrics import Score
from sam2s.metrics.behaviour import Behaviour, Return
from sam2s.metrics.calibration import Calibration, empty_reliability
from sam2s.metrics.score_over_time import ScoreOverTime

CURVE = empty_reliability()
ONE = ObjectScore(
    "v",
    1,
    "here",
    "tissue",
    None,
    "liver",
    0,
    Score(0.5, 0.75, 3),
    Behaviour(1, 3, returns=(Return(2, None, True),)),
    ScoreOverTime({0: Score(0.5, 0.5)}),
    Calibration(CURVE, CURVE),
)
SCORES = VideoScores("v", {"model": (ONE,)}, (replace(ONE, course=None),), 3, 3, 0.5, (2,))
STORED = json.loads(json.dumps(SCORES.to_json()))


def test_scores_survive() -> None:
    assert read_scores(json.dumps(STORED), "x").to_json() == STORED


def places(value: Any) -> list[tuple[Any, ...]]:
    """Paths to everything inside plain values."""
    steps = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [(), *((key, *rest) for key, part in steps for rest in places(part))]


def put(values: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    new = dict(values) if isinstance(values, dict) else list(values)
    new[path[0]] = put(values[path[0]], path[1:], value)
    return new


@settings(deadline=None, max_examples=300)
@given(
    path=st.sampled_from(places(STORED)),
    value=st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.just([]) | st.just({}) | st.just([[1, 2, 3]]) | st.just({"a": 1}),
)  # fmt: skip
def test_any_value_anywhere_is_scores_or_one_line(path: tuple[Any, ...], value: Any) -> None:
    message = ""
    try:
        read_scores(json.dumps(put(STORED, path, value)), "file, line 2")
    except InputError as error:
        message = str(error)
    assert message == "" or (message.startswith("file, line 2: ") and len(message) < 600)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace('"j": 0.5', '"j": "0.5"'), "line 2: methods.model[0].score.j"),
        (lambda text: text.replace('"j": 0.5', '"j": NaN'), "line 2: cannot be read as JSON"),
        (lambda text: text.replace('"seconds": 0.5', '"seconds": -1'), "line 2: seconds must be"),
        (lambda text: text.replace('"run"', '"walk"'), "holds videos of another run"),
        (lambda text: "[" * 100_000 + "\n", "holds videos of another run"),
        (lambda text: "", "holds videos of another run"),
        (lambda text: text + "5\n", "line 3: expected"),
    ],
)
def test_a_damaged_journal_names_its_line(
    tmp_path: Path, damage: Callable[[str], str], message: str
) -> None:
    path = tmp_path / "r.json"
    with Journal(path, {"a": 1}) as journal:
        journal.add(SCORES)
    partial = tmp_path / "r.json.partial"
    whole = partial.read_text()
    partial.write_text(damage(whole))
    with pytest.raises(InputError) as caught:
        Journal(path, {"a": 1})
    assert message in str(caught.value)
    partial.write_text(whole + '{"video": "cut of')
    with Journal(path, {"a": 1}) as journal:
        assert list(journal.finished) == ["v"]
    assert partial.read_text() == whole
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.json.partial"]


def test_two_runs_do_not_write_one_result(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with (
        Journal(tmp_path / "r.json", {"a": 1}),
        pytest.raises(InputError, match=r"r.json: another benchmark is writing this file; wait"),
    ):
        Journal(tmp_path / "r.json", {"a": 1})


RESULT = {
    "format": "sam2s-benchmark-1",
    "model": {"name": "nano", "memory": {"rule": "recent"}},
    "protocol": {"data": "d", "prompt": "box"},
    "mean": {"jf": 50.0, "j": 50.0, "f": 50.0},
    "subsets": {"here": {"jf": 50.0, "j": 50.0, "f": 50.0}, "there": None},
    "floors": {"still": {"mean": None, "subsets": {"here": None}}},
    "fps": 3.0,
}


@settings(deadline=None, max_examples=200)
@given(
    path=st.sampled_from(places(RESULT)),
    value=st.none() | st.booleans() | st.integers() | st.text() | st.just([]) | st.just({}),
)
def test_any_result_file_makes_a_table_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, path: tuple[Any, ...], value: Any
) -> None:
    file = tmp_path_factory.getbasetemp() / "result.json"
    file.write_text(json.dumps(put(RESULT, path, value)))
    told = ""
    try:
        assert markdown_table([read_result(file)]).startswith("| ")
    except InputError as error:
        told = str(error)
    assert told == "" or str(file) in told
