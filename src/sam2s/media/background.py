"""Doing the next thing while this one is written, and waiting that can be interrupted: helpers
over threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from types import TracebackType
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Background:
    """Runs jobs in their order on one thread, at most ``backlog`` of them waiting, so that memory
    stays bounded.

    Context manager. The first error of a job is raised by a later ``run`` or on leaving, which
    waits for all jobs.
    """

    def __init__(self, backlog: int = 4) -> None:
        self._backlog = backlog
        self._pool = ThreadPoolExecutor(1)
        self._waiting: deque[Future[Any]] = deque()

    def __enter__(self) -> Background:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            for job in self._waiting:
                job.result()

    def run(self, job: Callable[..., object], *arguments: Any) -> None:
        """Do ``job(*arguments)`` soon."""
        while len(self._waiting) >= self._backlog:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(job, *arguments))


def prefetched(
    items: Iterable[Item], work: Callable[[Item], Result], ahead: int = 2, threads: int = 2
) -> Generator[tuple[Item, Result], None, None]:
    """(item, work(item)) in order, up to ``ahead`` items worked on before they are asked for, on
    ``threads`` threads, which ``work`` must bear. An error of ``work`` is raised at its item, one
    of ``items`` after all that came before it."""
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    upcoming, ended = iter(items), False
    with ThreadPoolExecutor(threads) as pool:
        try:
            while not ended or waiting:
                broken: Exception | None = None
                try:
                    item = next(upcoming)
                except StopIteration:
                    ended = True
                except Exception as error:
                    ended, broken = True, error
                else:
                    waiting.append((item, pool.submit(work, item)))
                while waiting and (ended or len(waiting) > ahead):
                    done, job = waiting.popleft()
                    yield done, job.result()
                if broken is not None:
                    raise broken
        finally:
            for _, job in waiting:
                job.cancel()


def in_windows(items: Iterable[Item], count: int) -> Generator[tuple[Item, ...], None, None]:
    """``count`` items at a time, the last ones fewer. An error of ``items`` is raised after all
    that came before it."""
    window: list[Item] = []
    try:
        for item in items:
            window.append(item)
            if len(window) == count:
                yield tuple(window)
                window = []
    except Exception:
        if window:
            yield tuple(window)
        raise
    if window:
        yield tuple(window)


def interruptibly(
    work: Callable[..., Result], *arguments: Any, patience: float | None = None
) -> Result:
    """``work(*arguments)`` on a thread of its own, so that Ctrl+C ends the wait for it at once.

    Python handles signals between its own instructions only, never inside a library that waits for
    a camera. After an interrupt, or the TimeoutError that follows ``patience`` seconds, the work is
    still going on: what it uses must not be closed. The thread does not keep the program alive.
    """
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work(*arguments))
        except BaseException as error:
            done.set_exception(error)

    Thread(target=run, daemon=True).start()
    return done.result(patience)
