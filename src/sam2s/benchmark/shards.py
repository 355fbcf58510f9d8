"""One benchmark by several workers that share a folder and nothing else (`sam2s.sharing.claims`).

``<results>.shards/`` beside the result file holds ``run`` (which run this is), ``<video>.json`` for
every finished video and ``<video>.claim`` for every one at work. Two workers that score the same
video write the same scores, so the result does not depend on who did what, or on a claim that a
slow network lost. Whoever finishes the last video writes the result; the folder stays, so that a
worker that is started again late finds nothing left to do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
from sam2s.files import check_folder, write_json
from sam2s.masklets.masklets import MaskletFolder
from sam2s.sharing.claims import SharedFolder, run_key


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
        shared.shared.reclaim()
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
        if shared.shared.has(name):
            continue
        with shared.shared.claim(name) as mine:
            # Another worker may have finished it between the check and the claim.
            if mine and not shared.shared.has(name):
                score_videos(folder, evaluated, replace(options, json=None), (name,), shared)


class SharedScores:
    """The folder that workers share, a `Finished`: ``score_videos`` adds what is finished to it."""

    def __init__(self, shared: SharedFolder, result: Path) -> None:
        self.shared, self._result = shared, result
        self.finished: dict[str, VideoScores] = {}

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
        shared = SharedFolder(folder)
        if not shared.same_run(run_key(run)):
            raise InputError(
                f"{shared.folder}: holds videos of another run (other model, data, device or"
                " protocol); give another --json file, or delete that folder to start anew"
            )
        return SharedScores(shared, result)

    def add(self, scores: VideoScores) -> None:
        """Keep a finished video, in one move."""
        self.finished[scores.video] = scores
        self.shared.put(scores.video, scores.to_json())

    def load(self, names: Sequence[str]) -> dict[str, VideoScores]:
        """Those of ``names`` that are finished. Raises InputError for a file that cannot be
        read."""
        found: dict[str, VideoScores] = {}
        for name in names:
            path = self.shared.path(name)
            try:
                found[name] = read_scores(path.read_bytes(), path.name)
            except FileNotFoundError:
                continue
            except (OSError, InputError) as error:
                raise InputError(
                    f"{path}: damaged ({error}); delete it, and its video is scored again"
                ) from error
        return found

    def conclude(self, result: Mapping[str, Any]) -> None:
        """Write the result file. Several workers may do so at once: each moves a whole file into
        place."""
        own = self.shared.folder / f"result.{self.shared.owner}"
        write_json(own, result)
        try:
            os.replace(own, self._result)
        except OSError as error:
            raise InputError(
                f"{self._result}: cannot be written ({error.strerror or error})"
            ) from error
