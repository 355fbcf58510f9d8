"""The videos of a benchmark as work on a Ray cluster (`sam2s.sharing.ray_actors`).

A worker opens the model once and then scores one video after another; this process hands out the
longest videos first and keeps what comes back in its journal, so that a run that was cut off goes
on where it was. A video that fails is reported at the end; the others go on. Data, weights and the
folder for masks must be visible to the workers under the same paths.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from sam2s.benchmark.journal import Journal
from sam2s.benchmark.protocol import TrackerLike
from sam2s.benchmark.run_benchmark import (
    BenchmarkResult,
    EvaluatedModel,
    Options,
    assemble,
    identity,
    prepare,
    score_videos,
)
from sam2s.benchmark.video_scores import VideoScores
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletFolder
from sam2s.progress import progress_bar
from sam2s.sharing.ray_actors import ActorPool, Cluster, connected, import_ray


class Worker:
    """What runs in an actor: one model, videos by name.

    It opens at the first call, not when it is made: of an error in an actor's constructor Ray hands
    on the text alone.
    """

    def __init__(self, root: str, open_one: Callable[[], EvaluatedModel], options: Options) -> None:
        self._root, self._open = root, open_one
        self._options = replace(options, json=None, progress=False)

    @cached_property
    def _evaluated(self) -> EvaluatedModel:
        return self._open()

    @cached_property
    def _folder(self) -> MaskletFolder:
        return prepare(self._root, self._options)[0]

    def about(self) -> dict[str, Any]:
        """What the result says of the model."""
        return dict(self._evaluated.about)

    def work(self, name: str) -> dict[str, Any]:
        """The scores of one video, as JSON."""
        kept = _Collected({})
        score_videos(self._folder, self._evaluated, self._options, (name,), kept)
        return kept.finished[name].to_json()


@dataclass(slots=True)
class _Collected:
    finished: dict[str, VideoScores]

    def add(self, scores: VideoScores) -> None:
        self.finished[scores.video] = scores


def run_on_ray(
    root: Path | str, open_one: Callable[[], EvaluatedModel], options: Options, cluster: Cluster
) -> BenchmarkResult:
    """``run_benchmark``, on a cluster. ``open_one`` opens the model; it is called once in
    every worker.

    Raises InputError where Ray is not installed or the cluster cannot be reached, as
    ``run_benchmark``, and, after all other videos are finished and kept beside ``options.json``,
    for videos that failed, with the reason of each.
    """
    ray = import_ray()
    folder, names = prepare(root, options)
    with ExitStack() as taken:
        taken.enter_context(connected(ray, cluster.address))
        actors = ActorPool(
            ray, cluster, len(names), Worker, (str(Path(root).resolve()), open_one, options)
        )
        try:
            # This process tracks nothing: the model here is only what the result says of it.
            evaluated = EvaluatedModel(cast(TrackerLike, None), actors.about())
            journal = Journal(options.json, identity(folder, evaluated, options, names))
            taken.enter_context(journal)
            todo = sorted(
                (n for n in names if n not in journal.finished),
                key=lambda n: (-len(folder.videos[n]), n),
            )
            failed = _distribute(actors, todo, journal, options.progress)
        finally:
            actors.stop()
        if failed:
            reasons = "; ".join(f"{name}: {why}" for name, why in sorted(failed.items()))
            raise InputError(
                f"{len(failed)} of {len(names)} videos failed ({reasons}); "
                + (
                    "the others are kept, give the same command to try these again"
                    if options.json
                    else "give --json FILE"
                )
            )
        result = assemble(folder, evaluated, options, names, journal.finished)
        journal.close(result.to_json())
        return result


def _distribute(
    actors: ActorPool, todo: list[str], journal: Journal, progress: bool
) -> dict[str, str]:
    """Score all of ``todo``; {video: why it failed}."""
    failed: dict[str, str] = {}
    with progress_bar(len(todo), unit="video", shown=progress) as bar:
        for name, outcome in actors.each(todo):
            if isinstance(outcome, str):
                failed[name] = outcome
            else:
                journal.add(VideoScores.from_json(outcome))
            bar.update()
    return failed
