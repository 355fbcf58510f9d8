"""Beyond J and F: swaps, recovery, presence, calibration and J&F over time, as JSON and as a
table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sam2s.benchmark.scoreboard import Scoreboard, percent
from sam2s.benchmark.text_table import Table
from sam2s.metrics.behaviour import Behaviour
from sam2s.metrics.calibration import Reliability
from sam2s.metrics.score_over_time import AgeBinScore

ALL = "all"
"""Name of the row that holds every object."""
COLUMNS = (
    "swaps",
    "on another object, % of frames",
    "returns",
    "recovered, %",
    "median frames to recover",
    "median s",
    "false presence, %",
    "missed, %",
    "ECE, %",
    "ECE where found, %",
)


def diagnostics_json(board: Scoreboard) -> dict[str, Any]:
    """{"all" and each subset: what is known beyond its means}; the definitions are those of
    ``sam2s.metrics``."""
    groups = {ALL: board} | {name: board.of(objects) for name, objects in board.by_subset().items()}
    return {name: _one(group) for name, group in groups.items()}


def _one(board: Scoreboard) -> dict[str, Any]:
    calibration = board.calibration
    return {
        **behaviour_json(board.behaviour),
        "ece": None if calibration is None else _ece(calibration.every),
        "ece_found": None if calibration is None else _ece(calibration.found),
        "reliability": None
        if calibration is None
        else {"every": _curve(calibration.every), "found": _curve(calibration.found)},
        "course": course_json(board),
    }


def course_json(board: Scoreboard) -> list[dict[str, Any]]:
    """J and F since the prompt: a bin of ages each."""
    return [_point(point) for point in board.course]


def behaviour_json(found: Behaviour) -> dict[str, Any]:
    """Counts, and the rates in percent that follow from them; None where there was nothing to
    count."""
    return {
        "objects": found.objects,
        "frames": found.frames,
        "swaps": found.swaps,
        "on_other": _percent(found.on_other / found.frames if found.frames else None),
        "returns": len(found.returns),
        "recovered": _percent(found.share_recovered),
        "frames_to_recover": found.frames_to_recover,
        "seconds_to_recover": found.seconds_to_recover,
        "false_presence": _percent(found.false_presence),
        "missed": _percent(found.miss_rate),
    }


def diagnostics_table(details: Mapping[str, Any]) -> Table:
    """``diagnostics_json`` as a table, a row per subset and one for all objects."""
    rows = [name for name in details if name != ALL]
    shown = [*(rows if len(rows) > 1 else ()), ALL]
    cells = tuple((name, *diagnostics_cells(details[name])) for name in shown)
    return Table(("", *COLUMNS), cells)


def diagnostics_cells(entry: Mapping[str, Any]) -> list[str]:
    """The cells of one row, in the order of ``COLUMNS``."""
    keys = (
        "swaps",
        "on_other",
        "returns",
        "recovered",
        "frames_to_recover",
        "seconds_to_recover",
        "false_presence",
    )
    return [_number(entry[key]) for key in (*keys, "missed", "ece", "ece_found")]


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.1f}"


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 6)


def _ece(curve: Reliability) -> float | None:
    return _percent(curve.ece) if curve.pixels else None


def _curve(curve: Reliability) -> dict[str, list[float]]:
    """Mean predicted probability, observed frequency and pixels of the bins that hold any."""
    predicted, observed = curve.curve()
    return {
        "predicted": predicted.round(6).tolist(),
        "observed": observed.round(6).tolist(),
        "pixels": curve.count[curve.count > 0].astype(int).tolist(),
    }


def _point(point: AgeBinScore) -> dict[str, Any]:
    return {
        "first": point.first,
        "last": point.last,
        "objects": point.objects,
        **(percent(point.score) or {}),
    }
