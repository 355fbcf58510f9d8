"""Results on disk: finished videos at once, the whole result only when it is whole.

While a benchmark runs, ``<file>.partial`` holds one line of JSON per finished video below a line
that says which run they belong to. A run that was cut off is resumed by giving the same command
again; the result file itself appears in one move at the end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam2s.benchmark.stored import read_scores
from sam2s.benchmark.video_scores import VideoScores
from sam2s.errors import InputError
from sam2s.files import FileLock, json_text, lock_file, not_written, replace_text, write_json
from sam2s.sharing.claims import run_key


class Journal:
    """The finished videos of one run. ``path``: of the result file, or None to keep nothing on
    disk. Context manager: the file is this run's until it is left.

    ``run``: all that decides the scores; a partial file of another run is refused (InputError)
    rather than mixed in, and so is a result file that another run is about to write.
    """

    def __init__(self, path: Path | None, run: Mapping[str, Any]) -> None:
        self._path = path
        self._key = run_key(run)
        self._lock: FileLock | None = None
        self.finished: dict[str, VideoScores] = {}
        if path is None:
            return
        if not path.parent.is_dir():
            raise InputError(f"{path}: its folder {path.parent} does not exist; make it first")
        self._lock = lock_file(path, "benchmark")
        try:
            if self._partial.is_file():
                self._resume()
            else:
                replace_text(self._partial, self._head)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        if self._lock is not None:
            self._lock.release()

    def add(self, scores: VideoScores) -> None:
        """Keep one finished video."""
        self.finished[scores.video] = scores
        if self._path is None:
            return
        try:
            with self._partial.open("a", encoding="utf-8") as file:
                file.write(json_text(scores.to_json()) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise not_written(self._partial, error) from error

    def close(self, result: Mapping[str, Any]) -> None:
        """Write the result under its final name and drop the partial file."""
        if self._path is not None:
            write_json(self._path, result)
            self._partial.unlink()

    @property
    def _partial(self) -> Path:
        assert self._path is not None
        return self._path.with_name(self._path.name + ".partial")

    @property
    def _head(self) -> str:
        return json_text({"run": self._key}) + "\n"

    def _resume(self) -> None:
        try:
            text = self._partial.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise InputError(f"{self._partial}: cannot be read ({error.strerror})") from error
        head, *rest = text.splitlines(keepends=True) or [""]
        if head != self._head:
            raise InputError(
                f"{self._partial}: holds videos of another run (other model, data or protocol); "
                "give another --json file, or delete it to start anew"
            )
        whole = [line for line in rest if line.endswith("\n")]
        for number, line in enumerate(whole, start=2):
            scores = read_scores(line, f"{self._partial}, line {number}")
            self.finished[scores.video] = scores
        if len(whole) < len(rest):  # the last line was cut off with the run
            replace_text(self._partial, "".join([head, *whole]))
