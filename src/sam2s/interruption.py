"""Ending early without losing work: signals that ask a process to stop, a terminal that is gone.

Imports nothing heavy: the command line needs it before anything else.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl+C; a batch system, ``docker stop`` or ``timeout``; a terminal that was closed. Windows lacks
the last one."""


class _Held:
    """How many `uninterrupted` blocks this process is in, and which signal has come."""

    depth = 0
    number: int | None = None


class Stopped(KeyboardInterrupt):
    """A signal asked this process to stop: what was found so far is to be kept, as after Ctrl+C.

    ``number``: which signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    @property
    def exit_code(self) -> int:
        """128 plus the signal's number, as shells have it."""
        return 128 + self.number


@contextmanager
def stoppable(*, child: bool = False) -> Iterator[None]:
    """Within it the first signal to stop raises ``Stopped`` in the main thread; the second one ends
    the process at once. A signal that was ignored before (``nohup``) stays ignored.

    ``child``: a process that does another one's work. A terminal's or a service's signal reaches
    both, and that one then asks this one to stop as well: only a second Ctrl+C ends it at once.

    Does nothing outside the main thread, where signals cannot be received.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in STOPPING if hasattr(signal, name)]
    before = {n: signal.getsignal(n) for n in numbers}
    heard = [n for n in numbers if before[n] not in (signal.SIG_IGN, None)]

    def stop(number: int, _frame: FrameType | None) -> None:
        for each in heard:
            again = signal.SIG_IGN if child and each != signal.SIGINT else signal.SIG_DFL
            signal.signal(each, again)
        _Held.number = number
        if not _Held.depth:
            raise Stopped(number)

    _Held.number = None
    for number in heard:
        signal.signal(number, stop)
    try:
        yield
    finally:
        if not (child and _Held.number is not None):  # which ends now, in good order
            for number in heard:
                signal.signal(number, before[number])


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Ctrl+C waits for the end of the block, in this thread and in processes that it starts, until
    they say `ctrl_c_counts`: a process that is interrupted while it starts tells of it at length.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ctrl_c_counts() -> None:
    """The end of `ctrl_c_waits` in a process that was started within it."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextmanager
def uninterrupted() -> Iterator[None]:
    """What is done within is done whole: a first signal to stop waits for its end.

    For moments, such as the writing of one frame: an encoder that is cut off in the middle leaves a
    file that nobody can read. A signal that came before and was swallowed (Python drops what is
    raised in a finalizer or a callback from C) is raised at the end as well.
    """
    _Held.depth += 1
    try:
        yield
    finally:
        _Held.depth -= 1
        number = _Held.number
        if _Held.depth == 0 and number is not None and not isinstance(sys.exception(), Stopped):
            raise Stopped(number)


class LastingOutput(io.TextIOBase):
    """A text stream that goes on when nobody reads it any more: after the first refusal (a closed
    pipe or terminal, a full disk) what is written is dropped, and ``refused`` says why."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.refused: OSError | None = None

    def write(self, text: str) -> int:
        """Write and flush, so that a refusal shows here and not when the process ends."""
        if self.refused is None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError as error:
                self.refused = error
                self._give_up()
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        """As the stream itself."""
        return self.refused is None and self._stream.isatty()

    def fileno(self) -> int:
        """As the stream itself."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """As the stream itself."""
        return self._stream.encoding

    def _give_up(self) -> None:
        """Point the descriptor at nothing: Python flushes the stream once more when it exits."""
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
        except (OSError, ValueError, AttributeError):  # no descriptor, as in a test
            return


@contextmanager
def lasting_output() -> Iterator[LastingOutput]:
    """Within it neither standard output nor standard error can end the work; gives the former."""
    out, err = sys.stdout, sys.stderr
    lasting = LastingOutput(out)
    sys.stdout, sys.stderr = lasting, LastingOutput(err)
    try:
        yield lasting
    finally:
        sys.stdout, sys.stderr = out, err
