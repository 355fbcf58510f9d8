"""Measures as tables and as JSON: a row an object, a row a pair, a row an object and frame."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from io import StringIO
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

import numpy as np

from sam2s.files import replace_text, write_json
from sam2s.formats.tables import harmless
from sam2s.measures.pairs import PairMeasures
from sam2s.measures.video_measures import Measured, ObjectMeasures, VideoMeasures

FRAME_COLUMNS = (
    *("video", "object_id", "name", "frame", "time_s", "area_px", "centroid_x", "centroid_y"),
    *("tip_x", "tip_y", "shaft_width_px", "speed_px_s"),
)
FORMAT = "sam2s-measures"
VERSION = 1
CAVEAT = (
    "Lengths are pixels of the picture, or shares of its diagonal; areas are shares of the picture."
    " They are no millimetres: what is nearer to the camera looks larger and faster."
)
MOVING = (
    "The camera's own motion is in all speeds and paths: with a camera that moves, compare them"
    " with care, or subtract it with --camera VIDEO."
)
STEADIED = (
    "The camera's motion was subtracted from speeds and paths, as far as the background tells it;"
    " places in the picture, distances and the heat map are as seen."
)


def caveats(measures: Sequence[VideoMeasures]) -> tuple[str, ...]:
    """What a reader has to know before comparing the numbers."""
    kinds = {one.steadied for one in measures}
    return CAVEAT, *((MOVING,) if False in kinds else ()), *((STEADIED,) if True in kinds else ())


def write_measures(measured: Sequence[Measured], folder: Path) -> tuple[Path, ...]:
    """``measures.json``, ``objects.csv``, ``pairs.csv`` and ``frames.csv`` in ``folder``, which is
    there; gives their paths."""
    measures = [one.measures for one in measured]
    content = {
        "format": FORMAT,
        "version": VERSION,
        "caveats": caveats(measures),
        "videos": [asdict(one) for one in measures],
    }
    paths = tuple(
        folder / name for name in ("measures.json", "objects.csv", "pairs.csv", "frames.csv")
    )
    write_json(paths[0], content)
    _write_csv(paths[1], _table(ObjectMeasures, measures, "objects"))
    _write_csv(paths[2], _table(PairMeasures, measures, "pairs"))
    _write_csv(paths[3], _frames(measured))
    return paths


def _table(kind: type, measures: Sequence[VideoMeasures], field: str) -> Iterator[list[Any]]:
    """The head, and a row for each thing in ``field`` of the videos, all of one ``kind``."""
    yield ["video", *_columns(kind)]
    for one in measures:
        yield from ([one.video, *_values(thing, kind)] for thing in getattr(one, field))


def _columns(kind: type) -> Iterator[str]:
    """Fields of a dataclass, those of dataclasses in it under joined names: the same columns
    whatever is missing."""
    for name, inner in _fields(kind):
        yield from (name,) if inner is None else (f"{name}_{below}" for below in _columns(inner))


def _values(thing: Any, kind: type) -> Iterator[Any]:
    """What stands in these columns; of several spans their number."""
    for name, inner in _fields(kind):
        value = None if thing is None else getattr(thing, name)
        if inner is not None:
            yield from _values(value, inner)
        else:
            yield len(value) if isinstance(value, tuple) else value


def _fields(kind: type) -> Iterator[tuple[str, type | None]]:
    """Names of the fields, and the dataclass that each one holds or may hold."""
    for name, hint in get_type_hints(kind).items():
        held = [part for part in (hint, *get_args(hint)) if is_dataclass(part)]
        single = get_origin(hint) is not tuple and held
        yield name, cast(type, held[0]) if single else None


def _frames(measured: Sequence[Measured]) -> Iterator[Sequence[Any]]:
    yield FRAME_COLUMNS
    for one in measured:
        for followed in one.followed:
            course = followed.course
            speed, _ = (followed.tip or followed.centroid).at(course.clock.times)
            columns = zip(
                course.clock.index,
                course.clock.times,
                course.area,
                *course.centroid.T,
                *course.tip.T,
                course.shaft_width,
                speed,
                strict=True,
            )
            for row in columns:
                yield [one.measures.video, course.object_id, course.name, *row]


def _write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    text = StringIO(newline="")
    csv.writer(text).writerows([_cell(cell) for cell in row] for row in rows)
    replace_text(path, text.getvalue())


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return ""
    if isinstance(value, float | np.floating):
        return f"{value:.8g}"
    return harmless(value)
