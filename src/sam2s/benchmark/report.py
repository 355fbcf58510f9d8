"""Result files side by side, as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sam2s.benchmark.diagnostics import ALL, COLUMNS, diagnostics_cells
from sam2s.benchmark.run_benchmark import FORMAT, BenchmarkResult
from sam2s.benchmark.text_table import Table
from sam2s.errors import InputError
from sam2s.typed_json import build, read_json

Grouping = Literal["video", "object", "class"]
GROUPS: Mapping[Grouping, str] = {"video": "videos", "object": "objects", "class": "classes"}
"""Where a result's JSON has them."""
FLOOR_NAMES = {
    "still": "floor: the first mask, unmoved",
    "flow": "floor: the first mask, moved by optical flow",
}


@dataclass(frozen=True, slots=True)
class _Mean:
    jf: float
    j: float
    f: float


@dataclass(frozen=True, slots=True)
class _Floor:
    mean: _Mean | None
    subsets: Mapping[str, _Mean | None]


@dataclass(frozen=True, slots=True)
class _Model:
    name: str | None = None
    memory: Mapping[str, Any] | str | None = None


@dataclass(frozen=True, slots=True)
class _Protocol:
    data: str
    prompt: str


@dataclass(frozen=True, slots=True)
class _Result:
    """What tables need of a result file."""

    model: _Model
    protocol: _Protocol
    mean: _Mean | None
    subsets: Mapping[str, _Mean | None]
    floors: Mapping[str, _Floor]
    fps: float | None


def read_result(path: Path | str) -> dict[str, Any]:
    """A result file of ``run_benchmark``. Raises InputError when it is not one."""
    path = Path(path)
    result = read_json(path, dict[str, Any])
    if result.get("format") != FORMAT:
        raise InputError(
            f"{path}: not a benchmark result ({FORMAT}); make one with sam2s benchmark --json"
        )
    build(result, _Result, str(path))
    return result


def markdown_table(results: Sequence[BenchmarkResult | Mapping[str, Any]]) -> str:
    """``results_table`` as Markdown."""
    return results_table(results).markdown()


def results_table(results: Sequence[BenchmarkResult | Mapping[str, Any]]) -> Table:
    """J&F in percent: a row per result, and per floor (once per data set), a column per subset,
    then mean and frames/s.

    Results are ``BenchmarkResult`` or what ``read_result`` gives. A subset that a result lacks is a
    dash.
    """
    entries = [r.to_json() if isinstance(r, BenchmarkResult) else r for r in results]
    rows = [(label_of(entry), entry, entry["fps"]) for entry in entries]
    floors = {
        (name, entry["protocol"]["data"]): (FLOOR_NAMES.get(name, name), floor, None)
        for entry in entries
        for name, floor in entry["floors"].items()
    }
    rows.extend(floors.values())
    subsets = list(dict.fromkeys(name for _, entry, _ in rows for name in entry["subsets"]))
    lines = []
    for label, entry, fps in rows:
        mean = entry["mean"] or {}
        cells = [_jf(entry["subsets"].get(name)) for name in subsets]
        numbers = [number(mean.get(key)) for key in ("jf", "j", "f")]
        lines.append((label, *cells, *numbers, number(fps, 1)))
    return Table(("", *subsets, "mean J&F", "J", "F", "frames/s"), tuple(lines))


def scores_table(entries: Sequence[Mapping[str, Any]], by: Grouping) -> Table:
    """Scores in percent of every video, object or class, the worst first; of several results their
    J&F side by side, ordered by the first. ``entries``: JSON of ``run_benchmark`` or
    ``evaluate_folders``."""
    groups = [entry[GROUPS[by]] for entry in entries]
    first = groups[0]
    scored = [name for name, score in first.items() if score and score["jf"] is not None]
    rows = []
    for name in sorted(scored, key=lambda name: first[name]["jf"]):
        kind = [first[name]["class"] or first[name]["kind"]] if by == "object" else []
        if len(entries) > 1:
            numbers = [_jf(group.get(name)) for group in groups]
        else:
            numbers = [number(first[name][key]) for key in ("jf", "j", "f")]
            numbers.append(str(first[name]["frames"]))
        rows.append((name, *kind, *numbers))
    columns = (
        tuple(map(label_of, entries)) if len(entries) > 1 else ("J&F", "J", "F", "masks scored")
    )
    return Table((by, *(("class",) if by == "object" else ()), *columns), tuple(rows))


def runs_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """Swaps, recovery, presence and calibration over all objects, a row per result."""
    cells = [diagnostics_cells(entry["details"][ALL]) for entry in entries]
    rows = tuple((label_of(e), *row) for e, row in zip(entries, cells, strict=True))
    return Table(("", *COLUMNS), rows)


def label_of(entry: Mapping[str, Any]) -> str:
    """A result's name in a table: model, memory rule, prompt."""
    memory = entry["model"].get("memory")
    rule = memory.get("rule") if isinstance(memory, Mapping) else memory
    return ", ".join(
        str(part)
        for part in (entry["model"].get("name"), rule, entry["protocol"]["prompt"])
        if part
    )


def _jf(score: Mapping[str, Any] | None) -> str:
    return number(None if score is None else score["jf"])


def number(value: float | None, digits: int = 2) -> str:
    """A table's cell; a dash where there is no number."""
    return "-" if value is None else f"{value:.{digits}f}"


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"
