"""Actions as text: the file that ``--prompts`` reads and that a session writes.

JSON, a list with one action a line (or the lines alone)::

    [
     {"action": "click", "object": 1, "frame": 0, "x": 640, "y": 400},
     {"action": "click", "object": 1, "frame": 0, "x": 600, "y": 380, "label": 0},
     {"action": "box", "object": 2, "time": "1:05.5", "x": 10, "y": 20, "x2": 200, "y2": 180},
     {"action": "mask", "object": 3, "frame": 40, "file": "grasper.png"},
     {"action": "absent", "object": 1, "frame": 100, "to": 180}
    ]

or CSV with the same names as the head of its columns. ``frame`` counts from 0; ``time`` may stand
in its place ("SECONDS", "MM:SS" or "HH:MM:SS", fractions allowed), and ``to_time`` in that of
``to``, the last frame of a stretch. ``label``: 1 on the object (the default), 0 beside it. A
``mask`` has a ``file`` beside the prompts file or an ``rle`` (COCO).
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.errors import InputError
from sam2s.files import replace_text
from sam2s.masklets.masks import decode_rle, encode_rle, read_binary_mask
from sam2s.tracking.session.actions import (
    Accept,
    Action,
    Clear,
    Discard,
    Give,
    Lock,
    MarkAbsent,
    MarkInBody,
    MarkOutOfBody,
    MarkPresent,
    Name,
    Propagate,
    Remove,
    Unlock,
)
from sam2s.tracking.session.ranges import Stretch
from sam2s.types import Box, Mask, Points

MAX_BYTES = 256 * 2**20
"""Longest file that is read."""
MAX_FRAME = 10**9
_GAP = re.compile(r"[\s,\[]*")
_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)")

FrameAt = Callable[[float], int]
"""Seconds by the source's clock -> the index of the frame shown then."""

_OnStretch = MarkAbsent | MarkPresent | Lock | Unlock
ON_STRETCHES: Mapping[str, type[_OnStretch]] = {
    "absent": MarkAbsent,
    "present": MarkPresent,
    "lock": Lock,
    "unlock": Unlock,
}
ON_VIDEO: Mapping[str, type[MarkOutOfBody | MarkInBody]] = {
    "out_of_body": MarkOutOfBody,
    "in_body": MarkInBody,
}
ON_VERSIONS: Mapping[str, type[Accept | Discard]] = {"accept": Accept, "discard": Discard}
KINDS = (
    *("click", "box", "mask", "clear", "name", "remove", "track"),
    *ON_STRETCHES,
    *ON_VIDEO,
    *ON_VERSIONS,
)


def read_actions(path: Path | str, frame_at: FrameAt | None = None) -> list[Action]:
    """The actions of a JSON or CSV file, in order.

    ``frame_at``: turns times into frames, where the source has a clock. Raises ``InputError`` that
    names the file and the line.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: is larger than {MAX_BYTES >> 20} MiB; is it a prompts file?")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
    rows = _csv_rows(path, text) if path.suffix.lower() == ".csv" else _json_rows(path, text)
    return [
        action_of(_Fields(f"{path}, line {line}", row, path.parent, frame_at)) for line, row in rows
    ]


def actions_of_rows(rows: Sequence[Any], where: str) -> list[Action]:
    """Actions from rows that ``rows_of`` made, as they stand in another file; ``where`` names that
    in errors."""
    wrong = next((n for n, row in enumerate(rows) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise InputError(f"{where}, action {wrong + 1}: expected an object with its fields")
    return [
        action_of(_Fields(f"{where}, action {number}", row, Path(), None))
        for number, row in enumerate(rows, start=1)
    ]


def write_actions(path: Path | str, actions: Iterable[Action]) -> None:
    """Write a JSON file that ``read_actions`` reads back as the same actions."""
    lines = ",\n ".join(json.dumps(row) for action in actions for row in rows_of(action))
    replace_text(Path(path), f"[\n {lines}\n]\n")


def parse_time(text: str) -> float | None:
    """``SECONDS``, ``MM:SS`` or ``HH:MM:SS`` in seconds; None for other text."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    decoder = json.JSONDecoder()
    at = _between(text, 0)
    while at < len(text) and text[at] != "]":
        line = text.count("\n", 0, at) + 1
        try:
            row, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {line}: is not JSON ({error})") from error
        if not isinstance(row, dict):
            raise InputError(
                f'{path}, line {line}: expected an action such as {{"action": "click", "object": 1,'
                ' "frame": 0, "x": 640, "y": 400}'
            )
        yield line, row
        at = _between(text, at)
    rest = text[at:].lstrip("] \t\r\n")
    if rest:
        line = text.count("\n", 0, len(text) - len(rest)) + 1
        raise InputError(f"{path}, line {line}: expected the end of the file after the actions")


def _between(text: str, at: int) -> int:
    """Where the next action starts: past blanks, commas and the opening bracket."""
    found = _GAP.match(text, at)
    return found.end() if found else at


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        if "action" not in (reader.fieldnames or ()):
            raise InputError(
                f"{path}, line 1: expected the names of the columns, 'action' among them, such as"
                " action,object,frame,x,y,label"
            )
        for row in reader:
            if None in row:
                raise InputError(f"{path}, line {reader.line_num}: has more cells than columns")
            filled = {k: v.strip() for k, v in row.items() if v is not None and v.strip()}
            if filled:
                yield reader.line_num, filled
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: is not CSV ({error})") from error


@dataclass(frozen=True, slots=True)
class _Fields:
    """One row, its fields read with their types; ``where`` names the row in errors."""

    where: str
    row: Mapping[str, Any]
    folder: Path
    frame_at: FrameAt | None

    def error(self, text: str) -> InputError:
        return InputError(f"{self.where}: {text}")

    def number(self, name: str, default: float | None = None) -> float:
        value = self.row.get(name, default)
        try:
            number = float("nan") if isinstance(value, bool) or value is None else float(value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not np.isfinite(number):
            shown = "nothing" if value is None else repr(value)[:60]
            raise self.error(f"{name}: expected a number, got {shown}")
        return number

    def integer(self, name: str, least: int, most: int = MAX_FRAME) -> int:
        number = self.number(name)
        if number != int(number) or not least <= number <= most:
            raise self.error(
                f"{name}: expected a whole number from {least} to {most}, got {number:g}"
            )
        return int(number)

    def text(self, name: str) -> str:
        value = self.row.get(name)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{name}: expected some text")
        return value.strip()

    def object_id(self) -> int:
        return self.integer("object", 1)

    def frame(self, name: str = "frame", time: str = "time") -> int:
        if name in self.row or time not in self.row:
            return self.integer(name, 0)
        value = self.row[time]
        seconds = value if isinstance(value, int | float) else parse_time(str(value))
        if seconds is None:
            raise self.error(f"{time}: expected SECONDS, MM:SS or HH:MM:SS, got {value!r}")
        if self.frame_at is None:
            raise self.error(f"{time}: the source has no clock; give '{name}' instead")
        return self.frame_at(float(seconds))

    def stretch(self) -> Stretch:
        first = self.frame()
        last = self.frame("to", "to_time") if {"to", "to_time"} & self.row.keys() else first
        if last < first:
            raise self.error(f"to: expected a frame from {first} on, got {last}")
        return Stretch(first, last)

    def mask(self) -> Mask:
        if "rle" in self.row:
            rle = self.row["rle"]
            if not isinstance(rle, dict):
                raise self.error("rle: expected {'size': [height, width], 'counts': '...'}")
            return Mask(decode_rle(rle))
        path = (self.folder / self.text("file")).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise self.error("file: expected a picture in the folder of the prompts file")
        return Mask(read_binary_mask(path))


def action_of(fields: _Fields) -> Action:
    """One row as an action; ``InputError`` that names the row and the field."""
    kind = str(fields.row.get("action"))
    try:
        if kind in ON_STRETCHES:
            return ON_STRETCHES[kind](fields.object_id(), fields.stretch())
        if kind in ON_VIDEO:
            return ON_VIDEO[kind](fields.stretch())
        if kind in ON_VERSIONS:
            return ON_VERSIONS[kind](fields.integer("version", 1))
        if kind in _READERS:
            return _READERS[kind](fields)
    except InputError as error:
        text = str(error)
        raise (error if text.startswith(fields.where) else fields.error(text)) from error
    raise fields.error(f"action: expected one of {', '.join(KINDS)}, got {kind!r}")


def _click(fields: _Fields) -> Action:
    object_id, frame = fields.object_id(), fields.frame()
    xy = [[fields.number("x"), fields.number("y")]]
    label = fields.row.get("label", 1)
    if label in ("+", "-"):
        label = int(label == "+")
    points = Points(np.array(xy), np.array([_label(fields, label)]))
    return Give(object_id, frame, points)


def _label(fields: _Fields, value: Any) -> int:
    if isinstance(value, bool) or str(value) not in ("0", "1"):
        raise fields.error(f"label: expected 1 (on the object) or 0 (beside it), got {value!r}")
    return int(value)


def _box(fields: _Fields) -> Action:
    object_id, frame = fields.object_id(), fields.frame()
    corners = [fields.number(name) for name in ("x", "y", "x2", "y2")]
    return Give(object_id, frame, Box(np.array(corners)))


def _track(fields: _Fields) -> Action:
    ids = fields.row.get("objects")
    if not isinstance(ids, list) or not all(type(i) is int and i >= 1 for i in ids):
        raise fields.error("objects: expected a list of object numbers")
    return Propagate(tuple(ids), fields.stretch())


_READERS: Mapping[str, Callable[[_Fields], Action]] = {
    "click": _click,
    "box": _box,
    "mask": lambda fields: Give(fields.object_id(), fields.frame(), fields.mask()),
    "clear": lambda fields: Clear(fields.object_id(), fields.frame()),
    "name": lambda fields: Name(fields.object_id(), fields.text("name")),
    "remove": lambda fields: Remove(fields.object_id()),
    "track": _track,
}


def rows_of(action: Action) -> list[dict[str, Any]]:  # noqa: C901 (a case for each action)
    """An action as the rows that stand for it: several clicks given at once are a row each."""
    match action:
        case Give(object_id, frame, Points() as points):
            clicks = zip(points.xy.tolist(), points.labels.tolist(), strict=True)
            head = {"action": "click", "object": object_id, "frame": frame}
            return [{**head, "x": x, "y": y, "label": label} for (x, y), label in clicks]
        case Give(object_id, frame, Box() as box):
            corners = dict(zip(("x", "y", "x2", "y2"), box.xyxy.tolist(), strict=True))
            return [{"action": "box", "object": object_id, "frame": frame, **corners}]
        case Give(object_id, frame, Mask() as mask):
            row = {"action": "mask", "object": object_id, "frame": frame}
            return [{**row, "rle": encode_rle(mask.mask)}]
        case Clear(object_id, frame):
            return [{"action": "clear", "object": object_id, "frame": frame}]
        case Name(object_id, name):
            return [{"action": "name", "object": object_id, "name": name}]
        case Remove(object_id):
            return [{"action": "remove", "object": object_id}]
        case Propagate(ids, frames):
            return [{"action": "track", "objects": list(ids), **_ends(frames)}]
        case Accept(version) | Discard(version):
            return [{"action": _KIND[type(action)], "version": version}]
        case MarkOutOfBody(frames) | MarkInBody(frames):
            return [{"action": _KIND[type(action)], **_ends(frames)}]
        case MarkAbsent(id_, frames) | MarkPresent(id_, frames):
            return [{"action": _KIND[type(action)], "object": id_, **_ends(frames)}]
        case Lock(id_, frames) | Unlock(id_, frames):
            return [{"action": _KIND[type(action)], "object": id_, **_ends(frames)}]
    raise TypeError(f"no such action: {type(action).__name__}")


_KIND: Mapping[type[Action], str] = {
    made: kind for kind, made in (*ON_STRETCHES.items(), *ON_VIDEO.items(), *ON_VERSIONS.items())
}


def _ends(frames: Stretch) -> dict[str, int]:
    return {"frame": frames.first, "to": frames.last}
