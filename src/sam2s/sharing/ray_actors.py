"""Work on a Ray cluster that is there already (the extra ``ray``).

A worker is a Ray actor that opens what it needs once and then does one piece of work after another;
this process hands the pieces out and gets what comes back. A piece that fails, or takes its worker
along, is told of, the others go on. Data must be visible to the workers under the same paths, and
this package installed there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sam2s.errors import InputError, Sam2sError
from sam2s.extras import require


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where to run. ``address``: of the cluster (``auto``, ``host:6379``, ``ray://host:10001``);
    ``workers``: how many copies of the model, None for one on each GPU, or on each four processor
    cores where there is no GPU; ``gpus``: of each worker, None for 1 where the cluster has any."""

    address: str = "auto"
    workers: int | None = None
    gpus: float | None = None


class ActorPool:
    """Actors of one kind. One that dies is replaced, and its piece of work counts as failed.

    ``kind``: a class whose ``about()`` says what the worker runs, alike in all of them, and whose
    ``work(name)`` does a piece and gives what it left, as JSON; ``pieces``: how many there are, so
    that no more actors are started; ``arguments``: of the class.
    """

    def __init__(
        self, ray: Any, cluster: Cluster, pieces: int, kind: type, arguments: Sequence[Any]
    ) -> None:
        self._ray = ray
        have = ray.cluster_resources()
        gpus = cluster.gpus if cluster.gpus is not None else float(have.get("GPU", 0) >= 1)
        fitting = have["GPU"] // gpus if gpus else max(1, have.get("CPU", 1) // 4)
        count = max(1, min(cluster.workers or int(fitting), pieces))
        self._start = ray.remote(num_gpus=gpus, num_cpus=1)(kind).remote
        self._arguments = arguments
        self._idle = [self._start(*arguments) for _ in range(count)]
        self._all = list(self._idle)

    def about(self) -> dict[str, Any]:
        """What a worker says of itself, the same in all. Raises the error that opening one
        met."""
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

    def each(self, names: list[str]) -> Iterator[tuple[str, Mapping[str, Any] | str]]:
        """(name, what it left or why it failed), as they come in."""
        waiting = list(names)
        busy: dict[Any, tuple[Any, str]] = {}
        while waiting or busy:
            while waiting and self._idle:
                worker, name = self._idle.pop(), waiting.pop(0)
                busy[worker.work.remote(name)] = worker, name
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

    def _outcome(self, done: Any) -> tuple[Mapping[str, Any] | str, bool]:
        """What a task returned, and whether its worker is still alive."""
        exceptions = self._ray.exceptions
        try:
            entry: Mapping[str, Any] = self._ray.get(done)
        except exceptions.RayTaskError as error:
            return reason_of(error), True
        except exceptions.RayError as error:
            return reason_of(error), False
        return entry, True


def reason_of(error: Exception) -> str:
    """One line: the error of the task itself where there is one."""
    cause = getattr(error, "cause", None) or error
    first = next(
        (line.strip() for line in str(cause).splitlines() if line.strip()), "no reason given"
    )
    return first if isinstance(cause, Sam2sError) else f"{type(cause).__name__}: {first}"


def _for_users(error: Exception, what: str) -> Sam2sError:
    cause = getattr(error, "cause", None)
    return (
        cause if isinstance(cause, Sam2sError) else InputError(f"Ray: {what} ({reason_of(error)})")
    )


@contextmanager
def connected(ray: Any, address: str) -> Iterator[None]:
    """A session of the cluster; one that is open already is used and left open."""
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"--ray {address}: no Ray cluster can be reached there ({reason_of(error)})"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def import_ray() -> Any:
    """The module ``ray``; InputError that names the extra where there is none."""
    require("--ray", "ray", "ray")
    import ray

    return ray
