"""One benchmark by several workers that share a folder and nothing else: no server, no file locks,
any machines.

``<results>.shards/`` beside the result file holds ``run`` (which run this is), ``<video>.json`` for
every finished video and ``<video>.claim`` for every one at work. A claim is a file that only one
process can make; its owner touches it while it works, so a claim that nobody touched for
``PATIENCE`` seconds is a dead worker's and may be taken over. The file system's own clock tells the
age, so the machines' clocks need not agree.

Claims only save work. Two workers that score the same video write the same scores, each in one
move, so the result does not depend on who did what, or on a claim that a slow network lost. Whoever
finishes the last video writes the result; the folder stays, so that a worker that is started again
later finds nothing left to do.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sam2s.benchmark.journal import read_run, run_key
from sam2s.benchmark.run_benchmark import (
    BenchmarkResult,
    EvaluatedModel,
    Options,
    assemble,
    identity,
    prepare,
    score_videos,
)
from sam2s.benchmark.stored import read_scores
from sam2s.benchmark.video_scores import VideoScores
from sam2s.errors import InputError
from sam2s.files import check_folder, json_text, replace_text, write_json
from sam2s.masklets.masklets import MaskletFolder

HEARTBEAT = 15.0
"""Seconds between two touches of a claim."""
PATIENCE = 300.0
"""Seconds without a touch after which a claim is a dead worker's: far above the delays of network
file systems."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``index`` (from 1) of ``count`` equal parts of the videos; ``count`` 0: whichever videos
    no worker has yet."""

    index: int = 1
    count: int = 0

    @staticmethod
    def parse(text: str) -> Shard:
        """``any`` or ``i/n``, such as ``2/8``. Raises InputError for anything else."""
        if text == "any":
            return Shard()
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise InputError(
                f"--shard {text}: expected i/n with i from 1 to n, such as 2/8, or any"
            )
        return Shard(int(found[1]), int(found[2]))

    def pick(self, frames: Mapping[str, int]) -> tuple[str, ...]:
        """The names of this part, in their order. ``frames``: {video: its length}, the same on
        every worker; parts are made equal in frames by giving the longest video left to the part
        that has least."""
        if not self.count:
            return tuple(frames)
        loads, mine = [0] * self.count, set()
        for name in sorted(frames, key=lambda name: (-frames[name], name)):
            least = loads.index(min(loads))
            loads[least] += frames[name]
            if least == self.index - 1:
                mine.add(name)
        return tuple(name for name in frames if name in mine)


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """How many videos the workers have finished together; ``result`` once that is all of them."""

    finished: int
    videos: int
    result: BenchmarkResult | None = None


def run_shard(
    root: Path | str,
    evaluated: EvaluatedModel,
    options: Options,
    shard: Shard,
    *,
    reclaim: bool = False,
) -> ShardProgress:
    """Score the videos of ``shard`` that no other worker has, and write the result when they were
    the last.

    Every worker gives the same arguments, but for ``shard``. What was finished before is not done
    again. ``reclaim``: first drop all claims, for when no worker is running any more and nobody
    wants to wait ``PATIENCE`` seconds.

    Raises InputError without ``options.json``, where its folder holds another run, and as
    ``run_benchmark``. A video that fails ends this worker, gives its claim back, and leaves what is
    finished to the others.
    """
    folder, names = prepare(root, options)
    shared = SharedScores.open(options.json, identity(folder, evaluated, options, names))
    if reclaim:
        shared.reclaim()
    _work(
        folder,
        evaluated,
        options,
        shard.pick({name: len(folder.videos[name]) for name in names}),
        shared,
    )
    finished = shared.load(names)
    if len(finished) < len(names):
        return ShardProgress(len(finished), len(names))
    result = assemble(folder, evaluated, options, names, finished)
    shared.conclude(result.to_json())
    return ShardProgress(len(finished), len(names), result)


def _work(
    folder: MaskletFolder,
    evaluated: EvaluatedModel,
    options: Options,
    names: Sequence[str],
    shared: SharedScores,
) -> None:
    for name in names:
        if shared.has(name):
            continue
        with shared.claim(name) as mine:
            # Another worker may have finished it between the check and the claim.
            if mine and not shared.has(name):
                score_videos(folder, evaluated, replace(options, json=None), (name,), shared)


class SharedScores:
    """The folder that workers share, a `Finished`: ``score_videos`` adds what is finished to it."""

    def __init__(
        self, folder: Path, result: Path, heartbeat: float = HEARTBEAT, patience: float = PATIENCE
    ) -> None:
        self.folder, self._result = folder, result
        self.finished: dict[str, VideoScores] = {}
        self._heartbeat, self._patience = heartbeat, patience
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    @staticmethod
    def open(result: Path | None, run: Mapping[str, Any]) -> SharedScores:
        """The folder beside the file ``result``, made where it is not there. ``run``: all that
        decides the scores."""
        if result is None:
            raise InputError(
                "--shard: workers meet in a folder beside the result file; say where with --json"
                " FILE"
            )
        if not result.parent.is_dir():
            raise InputError(f"{result}: its folder {result.parent} does not exist; make it first")
        folder = result.with_name(result.name + ".shards")
        check_folder(folder)
        shared = SharedScores(folder, result)
        shared._check_run(run_key(run))
        return shared

    def has(self, name: str) -> bool:
        """Whether any worker has finished the video."""
        return self._path(name, "json").exists()

    def add(self, scores: VideoScores) -> None:
        """Keep a finished video, in one move."""
        self.finished[scores.video] = scores
        self._put(self._path(scores.video, "json"), json_text(scores.to_json()) + "\n")

    def load(self, names: Sequence[str]) -> dict[str, VideoScores]:
        """Those of ``names`` that are finished. Raises InputError for a file that cannot be
        read."""
        found: dict[str, VideoScores] = {}
        for name in names:
            path = self._path(name, "json")
            try:
                found[name] = read_scores(path.read_bytes(), path.name)
            except FileNotFoundError:
                continue
            except (OSError, InputError) as error:
                raise InputError(
                    f"{path}: damaged ({error}); delete it, and its video is scored again"
                ) from error
        return found

    @contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Whether the video is this worker's for the time being; it is given back on leaving."""
        path = self._path(name, "claim")
        self._remove_stale(path)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(self._owner)
        except FileExistsError:
            yield False
            return
        stop = threading.Event()
        beat = threading.Thread(target=self._keep_alive, args=(path, stop), daemon=True)
        beat.start()
        try:
            yield True
        finally:
            stop.set()
            beat.join()
            if _read(path) == self._owner:
                path.unlink(missing_ok=True)

    def reclaim(self) -> None:
        """Drop every claim."""
        for path in self.folder.glob("*.claim"):
            path.unlink(missing_ok=True)

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Write the result file. Several workers may do so at once: each moves a whole file into
        place."""
        own = self.folder / f"result.{self._owner}"
        write_json(own, result)
        try:
            os.replace(own, self._result)
        except OSError as error:
            raise InputError(
                f"{self._result}: cannot be written ({error.strerror or error})"
            ) from error

    def _check_run(self, key: str) -> None:
        path = self.folder / "run"
        if not path.exists():
            self._put(path, json_text({"run": key}) + "\n")
        if read_run(path) != key:
            raise InputError(
                f"{self.folder}: holds videos of another run (other model, data, device or"
                " protocol); give another --json file, or delete that folder to start anew"
            )

    def _put(self, path: Path, text: str) -> None:
        """Whole or not at all, by a name that no other worker uses meanwhile."""
        own = path.with_name(f"{path.name}.{self._owner}")
        replace_text(own, text)
        os.replace(own, path)

    def _remove_stale(self, path: Path) -> None:
        """Take a dead worker's claim away. The move succeeds for one of several that try; should it
        take a claim made in that very moment, its owner goes on undisturbed and the video is
        merely scored twice."""
        age = self._age(path)
        if age is None or age < self._patience:
            return
        stale = path.with_name(f"{path.name}.{self._owner}.dead")
        try:
            os.rename(path, stale)
            stale.unlink()
        except FileNotFoundError:
            return

    def _age(self, path: Path) -> float | None:
        """Seconds since the claim was touched, by the clock of the file system; None where there is
        none."""
        clock = self.folder / f"clock.{self._owner}"
        try:
            touched = path.stat().st_mtime
            clock.touch()
            return clock.stat().st_mtime - touched
        except FileNotFoundError:
            return None
        finally:
            clock.unlink(missing_ok=True)

    def _keep_alive(self, path: Path, stop: threading.Event) -> None:
        while not stop.wait(self._heartbeat):
            try:
                os.utime(path)
            except OSError:
                # Taken over, or the network is down: at worst the video is scored twice.
                continue

    def _path(self, name: str, kind: str) -> Path:
        return self.folder / f"{quote(name, safe='')}.{kind}"


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
