"""From the bytes of a file to plain values, and from these to typed ones."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any, TypeVar

from sam2s.errors import InputError, Sam2sError
from sam2s.typed_json.build import Unknown, build
from sam2s.typed_json.constraints import shown_key

MAX_BYTES = 256 * 2**20
"""Default limit on the size of a file."""
MAX_DIGITS = 400
"""Longest number, in characters."""

T = TypeVar("T")


def read_json(
    path: Path,
    kind: type[T],
    *,
    form: str | None = None,
    unknown: Unknown = "ignore",
    error: type[Sam2sError] = InputError,
    max_bytes: int = MAX_BYTES,
) -> T:
    """The content of a JSON file (UTF-8, 16 or 32) as a value of the annotation ``kind``.

    ``form``: what the file should hold, for the error. Raises ``error``, one line with the path of
    the field, when the file cannot be read, is too large, or is not of that kind.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would be waited for
            raise error(f"{path}: cannot be read as JSON (it is a pipe or a device, not a file)")
        with path.open("rb") as file:
            # Python sets aside as much as it is asked for, so it is not asked for the limit.
            data = file.read(min(max_bytes, os.fstat(file.fileno()).st_size) + 1)
    except (OSError, ValueError) as fault:
        raise error(f"{path}: cannot be read as JSON ({reason(fault)})") from fault
    if len(data) > max_bytes:
        raise error(f"{path}: is larger than {max_bytes // 2**20} MB, too large to be read as JSON")
    return parse_json(data, kind, str(path), form=form, unknown=unknown, error=error)


def parse_json(
    text: str | bytes,
    kind: type[T],
    where: str,
    *,
    root: str = "",
    form: str | None = None,
    unknown: Unknown = "ignore",
    error: type[Sam2sError] = InputError,
) -> T:
    """As `read_json`, of a text. ``where``: what an error begins with; ``root``: what it calls the
    whole."""
    try:
        if isinstance(text, bytes):
            text = text.decode(json.detect_encoding(text))
        value = _DECODER.decode(text.removeprefix("\ufeff"))
    except RecursionError as fault:
        raise error(f"{where}: cannot be read as JSON (nested too deeply)") from fault
    except ValueError as fault:
        raise error(f"{where}: cannot be read as JSON ({reason(fault)})") from fault
    return build(value, kind, where, root=root, form=form, unknown=unknown, error=error)


def reason(error: BaseException) -> str:
    """Why something failed, in a few words without a path."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, UnicodeDecodeError):
        return f"not {error.encoding} text at byte {error.start}"
    return str(error)[:200]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {shown_key(twice)} appears twice in one object")
    return table


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _fraction(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large for a number")
    return value


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_whole,
    parse_float=_fraction,
    parse_constant=_no_number,
)
