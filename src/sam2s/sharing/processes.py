"""Work on processes of this machine, each one a worker as on a cluster (`ray_actors`)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

from sam2s.interruption import ctrl_c_counts, ctrl_c_waits, stoppable
from sam2s.sharing.ray_actors import reason_of

LONGEST_WAIT = 0.5
PATIENCE = 30.0
"""Seconds that a process has to end its work in good order when it is asked to stop."""


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    process: BaseProcess
    line: Connection


class ProcessPool:
    """Processes that each make a ``kind`` from ``arguments`` and then do one piece of work after
    another by its ``work(name)``. One that dies is replaced, and its piece counts as failed."""

    def __init__(self, count: int, kind: type, arguments: Sequence[Any]) -> None:
        self._kind, self._arguments = kind, tuple(arguments)
        # Spawned: a fork would take torch's threads along, which do not survive it.
        self._context = get_context("spawn")
        self._idle = [self._start() for _ in range(count)]
        self._all = list(self._idle)

    def each(self, names: Sequence[str]) -> Iterator[tuple[str, Mapping[str, Any] | str]]:
        """(name, what it left or why it failed), as they come in."""
        waiting = list(names)
        busy: dict[Connection, tuple[_Member, str]] = {}
        while waiting or busy:
            while waiting and self._idle:
                member, name = self._idle.pop(), waiting.pop(0)
                member.line.send(name)
                busy[member.line] = member, name
            # In short waits: a signal in the moment in which one begins is seen at its end.
            for line in wait(list(busy), LONGEST_WAIT):
                assert isinstance(line, Connection)
                member, name = busy.pop(line)
                try:
                    outcome = line.recv()
                except EOFError:
                    outcome = self._mourn(member)
                else:
                    self._idle.append(member)
                yield name, outcome

    def stop(self) -> None:
        """End all processes; those at work keep what they found so far."""
        for member in self._all:
            member.process.terminate()
        for member in self._all:
            member.process.join(PATIENCE)
            member.process.kill()
            member.process.join()
            member.line.close()

    def _mourn(self, member: _Member) -> str:
        """Replace a process that died at its work, and say how it did."""
        member.process.join()
        replacement = self._start()
        self._idle.append(replacement)
        self._all.append(replacement)
        code = member.process.exitcode
        memory = ", perhaps for lack of memory" if code == -9 else ""
        return f"its process ended (exit code {code}{memory})"

    def _start(self) -> _Member:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._kind, self._arguments), daemon=True
        )
        with ctrl_c_waits():
            process.start()
        theirs.close()
        return _Member(process, ours)


def _serve(line: Connection, kind: type, arguments: tuple[Any, ...]) -> None:
    """What a process does: one name after another, until nobody is there to ask."""
    Thread(target=_end_with_parent, daemon=True, name="parent").start()
    try:
        with stoppable(child=True):
            ctrl_c_counts()
            worker = kind(*arguments)
            while True:
                name = line.recv()
                try:
                    outcome = worker.work(name)
                except Exception as error:
                    outcome = reason_of(error)
                line.send(outcome)
    except (EOFError, KeyboardInterrupt):  # asked to stop: what was found is written by now
        return


def _end_with_parent() -> None:
    """A batch that was killed has nobody who would ask for more: stop as if it had said so."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
