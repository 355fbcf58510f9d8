"""The videos of a benchmark as tasks on a Ray cluster that is there already (the extra ``ray``).

A worker (a Ray actor) opens the model once and then scores one video after another; the driver
hands out the longest videos first and keeps what comes back in its journal, so that a run that was
cut off goes on where it was. A video that fails is reported at the end; the others go on. Data,
weights and the folder for masks must be visible to the workers under the same paths, and this
package installed there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
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
from sam2s.errors import InputError, Sam2sError
from sam2s.masklets.masklets import MaskletFolder
from sam2s.progress import progress_bar


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to run. ``address``: of the cluster (``auto``, ``host:6379``, ``ray://host:10001``);
    ``workers``: how many copies of the model, None for one on each GPU, or on each four processor
    cores where there is no GPU; ``gpus``: of each worker, None for 1 where the cluster has any."""

    address: str = "auto"
    workers: int | None = None
    gpus: float | None = None


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

    def score(self, name: str) -> dict[str, Any]:
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
    ray = _import_ray()
    folder, names = prepare(root, options)
    with ExitStack() as taken:
        taken.enter_context(_connected(ray, cluster.address))
        actors = _ActorPool(
            ray, cluster, len(names), (str(Path(root).resolve()), open_one, options)
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
    actors: _ActorPool, todo: list[str], journal: Journal, progress: bool
) -> dict[str, str]:
    """Score all of ``todo``; {video: why it failed}."""
    failed: dict[str, str] = {}
    with progress_bar(len(todo), unit="video", shown=progress) as bar:
        for name, outcome in actors.each(todo):
            if isinstance(outcome, VideoScores):
                journal.add(outcome)
            else:
                failed[name] = outcome
            bar.update()
    return failed


class _ActorPool:
    """The actors. One that dies is replaced, and its video counts as failed."""

    def __init__(self, ray: Any, cluster: Cluster, videos: int, arguments: tuple[Any, ...]) -> None:
        self._ray = ray
        have = ray.cluster_resources()
        gpus = cluster.gpus if cluster.gpus is not None else float(have.get("GPU", 0) >= 1)
        fitting = have["GPU"] // gpus if gpus else max(1, have.get("CPU", 1) // 4)
        count = max(1, min(cluster.workers or int(fitting), videos))
        self._start = ray.remote(num_gpus=gpus, num_cpus=1)(Worker).remote
        self._arguments = arguments
        self._idle = [self._start(*arguments) for _ in range(count)]
        self._all = list(self._idle)

    def about(self) -> dict[str, Any]:
        """What the result says of the model, the same in every worker. Raises the error that
        opening one met."""
        try:
            about: list[dict[str, Any]] = self._ray.get(
                [worker.about.remote() for worker in self._idle]
            )
        except self._ray.exceptions.RayError as error:
            raise _for_users(error, "a worker did not start") from error
        if any(other != about[0] for other in about):
            raise InputError(
                "the workers do not run alike (other weights or devices); name weights and device"
                " exactly"
            )
        return about[0]

    def each(self, names: list[str]) -> Iterator[tuple[str, VideoScores | str]]:
        """(video, its scores or why there are none), as they come in."""
        waiting = list(names)
        busy: dict[Any, tuple[Any, str]] = {}
        while waiting or busy:
            while waiting and self._idle:
                worker, name = self._idle.pop(), waiting.pop(0)
                busy[worker.score.remote(name)] = worker, name
            (done, *_), _ = self._ray.wait(list(busy))
            worker, name = busy.pop(done)
            outcome, alive = self._outcome(done)
            if not alive:
                worker = self._start(*self._arguments)
                self._all.append(worker)
            self._idle.append(worker)
            yield name, outcome

    def stop(self) -> None:
        """End all actors: in a session that stays open they would keep their share of the
        cluster."""
        for worker in self._all:
            self._ray.kill(worker)

    def _outcome(self, done: Any) -> tuple[VideoScores | str, bool]:
        """What a task returned, and whether its worker is still alive."""
        exceptions = self._ray.exceptions
        try:
            entry: Mapping[str, Any] = self._ray.get(done)
        except exceptions.RayTaskError as error:
            return _reason(error), True
        except exceptions.RayError as error:
            return _reason(error), False
        return VideoScores.from_json(entry), True


def _reason(error: Exception) -> str:
    """One line: the error of the task itself where there is one."""
    cause = getattr(error, "cause", None) or error
    first = next(
        (line.strip() for line in str(cause).splitlines() if line.strip()), "no reason given"
    )
    return first if isinstance(cause, Sam2sError) else f"{type(cause).__name__}: {first}"


def _for_users(error: Exception, what: str) -> Sam2sError:
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Sam2sError) else InputError(f"Ray: {what} ({_reason(error)})")


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """A session of the cluster; one that is open already is used and left open."""
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"--ray {address}: no Ray cluster can be reached there ({_reason(error)})"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise InputError(
            "--ray: Ray is not installed; install it with: pip install 'sam2s[ray]'"
        ) from None
    return ray
