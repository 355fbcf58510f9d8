"""Results on disk: finished videos at once, the whole result only when it is whole.

While a benchmark runs, ``<file>.partial`` holds one line of JSON per finished video below a line
that says which run they belong to. A run that was cut off is resumed by giving the same command
again; the result file itself appears in one move at the end.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam2s.benchmark.video import VideoScores
from sam2s.errors import InputError


class Journal:
    """The finished videos of one run. ``path``: of the result file, or None to keep nothing on
    disk.

    ``run``: all that decides the scores; a partial file of another run is refused (InputError)
    rather than mixed in.
    """

    def __init__(self, path: Path | None, run: Mapping[str, Any]) -> None:
        self._path = path
        self._key = run_key(run)
        self.finished: dict[str, VideoScores] = {}
        if path is None:
            return
        if not path.parent.is_dir():
            raise InputError(f"{path}: its folder {path.parent} does not exist; make it first")
        if self._partial.is_file():
            self._resume()
        else:
            self._partial.write_text(json.dumps({"run": self._key}) + "\n", encoding="utf-8")

    def add(self, scores: VideoScores) -> None:
        """Keep one finished video."""
        self.finished[scores.video] = scores
        if self._path is not None:
            with self._partial.open("a", encoding="utf-8") as file:
                file.write(json.dumps(scores.to_json()) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def close(self, result: Mapping[str, Any]) -> None:
        """Write the result under its final name and drop the partial file."""
        if self._path is not None:
            write_json(self._path, result)
            self._partial.unlink()

    @property
    def _partial(self) -> Path:
        assert self._path is not None
        return self._path.with_name(self._path.name + ".partial")

    def _resume(self) -> None:
        lines = self._partial.read_text(encoding="utf-8").splitlines(keepends=True)
        head, *rest = lines or [""]
        if _parse(head).get("run") != self._key:
            raise InputError(
                f"{self._partial}: holds videos of another run (other model, data or protocol); "
                "give another --json file, or delete it to start anew"
            )
        whole = [line for line in rest if line.endswith("\n")]
        for line in whole:
            scores = VideoScores.from_json(json.loads(line))
            self.finished[scores.video] = scores
        if len(whole) < len(rest):  # the last line was cut off with the run
            replace_text(self._partial, "".join([head, *whole]))


def run_key(run: Mapping[str, Any]) -> str:
    """One word for all that decides the scores."""
    return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """JSON under its final name only when complete."""
    replace_text(path, json.dumps(content, indent=1) + "\n")


def replace_text(path: Path, text: str) -> None:
    """The file's whole text, swapped in one move. Raises InputError when its folder cannot be
    written."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def _parse(line: str) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
