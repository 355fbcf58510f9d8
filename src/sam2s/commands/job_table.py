"""A table of jobs: rows of a CSV file as what ``sam2s track`` is asked."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shlex
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sam2s.commands.options import Track
from sam2s.errors import InputError
from sam2s.media.address import names_a_file
from sam2s.sharing.claims import run_key

COLUMNS = ("source", "prompts", "out", "options")
NEEDED = ("source", "out")


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One row. ``name``: of its claim and record, by its folder ``out``; ``shown``: that folder as
    it stands in the table; ``track``: what is asked, with absolute paths."""

    name: str
    shown: str
    track: Track

    @property
    def key(self) -> str:
        """Changes when anything does that decides the result: the options, the prompts, the
        source's size or date."""
        prompts = self.track.prompts
        content = prompts.read_bytes() if prompts is not None and prompts.is_file() else b""
        source = Path(self.track.source)
        state = source.stat() if names_a_file(str(source)) and source.exists() else None
        return run_key(
            {
                "track": {name: str(value) for name, value in asdict(self.track).items()},
                "prompts": hashlib.sha256(content).hexdigest(),
                "source": None if state is None else [state.st_size, state.st_mtime_ns],
            }
        )


def read_jobs(table: Path) -> tuple[BatchJob, ...]:
    """The jobs of a table, in its order.

    Raises InputError, with the line, for a file that is no such table: unknown or missing columns,
    empty cells, options that ``track`` does not have, two jobs with one folder.
    """
    try:
        text = table.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{table}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{table}: is no text in UTF-8; save it as CSV (UTF-8)") from error
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True)
    try:
        _check_columns(table, reader.fieldnames or [])
        jobs = [_job(f"{table}, line {reader.line_num}", row, table.parent) for row in reader]
    except csv.Error as error:
        raise InputError(f"{table}, line {reader.line_num}: {error}") from error
    if not jobs:
        raise InputError(f"{table}: holds no jobs; expected a line for each below its head")
    seen: dict[str, BatchJob] = {}
    for job in jobs:
        if seen.setdefault(job.name, job) is not job:
            raise InputError(f"{table}: two jobs have the folder {job.shown}; give each its own")
    return tuple(jobs)


def _check_columns(table: Path, found: Sequence[str]) -> None:
    known = ", ".join(COLUMNS)
    for name in found:
        if name not in COLUMNS:
            raise InputError(f"{table}: has a column {name!r}; expected {known}")
    for name in NEEDED:
        if name not in found:
            raise InputError(f"{table}: has no column {name!r}; expected {known}")


def _job(where: str, row: dict[str | None, str | list[str] | None], base: Path) -> BatchJob:
    if None in row:
        raise InputError(f"{where}: has more cells than there are columns; quote commas")
    cells = {name: str(row.get(name) or "").strip() for name in COLUMNS}
    for name in NEEDED:
        if not cells[name]:
            raise InputError(f"{where}: {name} is empty")
    if cells["source"] == "-":
        raise InputError(f"{where}: jobs cannot read the standard input; name a file")
    source, out = cells["source"], _below(base, Path(cells["out"]))
    given = [str(_below(base, Path(source))) if names_a_file(source) else source]
    given += ["--out", str(out)]
    given += ["--prompts", str(_below(base, Path(cells["prompts"])))] if cells["prompts"] else []
    track = _parsed(where, given, cells["options"])
    if track.out != out:
        raise InputError(f"{where}: the folder stands in the column out, not in the options")
    files: dict[str, Any] = {
        name: _below(base, getattr(track, name))
        for name in ("update", "overlay", "weights_map")
        if getattr(track, name) is not None
    }
    track = replace(track, **files)
    return BatchJob(_name(out), cells["out"], track)


def _below(base: Path, path: Path) -> Path:
    return (base / path).resolve()


def _parsed(where: str, given: list[str], options: str) -> Track:
    """As the command line itself understands them."""
    import tyro

    try:
        words = shlex.split(options)
    except ValueError as error:
        raise InputError(f"{where}: options {options!r}: {error}") from error
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return tyro.cli(Track, args=[*given, *words], config=(tyro.conf.FlagCreatePairsOff,))
    except SystemExit as stopped:
        raise InputError(
            f"{where}: sam2s track does not take the options {options!r}; see sam2s track --help"
        ) from stopped


def _name(out: Path) -> str:
    """Short enough for a file's name, and no other job's."""
    readable = re.sub(r"[^\w.-]+", "-", out.name)[:60]
    return f"{readable}-{hashlib.sha256(str(out).encode()).hexdigest()[:12]}"
