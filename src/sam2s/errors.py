"""Errors a user can act on. The command line prints their one line and exits with their code,
without a traceback."""

from __future__ import annotations


class Sam2sError(Exception):
    """Base of all errors meant for users: one line with what was wrong, what was expected, and what
    to do."""

    exit_code = 2


class Doubt(UserWarning):
    """Something given by the user can be used, but is probably not what was meant. Scripts get it
    as a Python warning, the command line prints its one line."""


class InputError(Sam2sError, ValueError):
    """Something given by the user cannot be used; nothing was written under a final name."""


class WeightsError(Sam2sError):
    """Weights cannot be found, are unsafe to load, or do not fit the model; lists the offending
    tensors."""


class OutOfMemory(Sam2sError):
    """A device has no memory left; what was finished before is kept."""


class DamagedSource(Sam2sError):
    """A video broke while being read; everything before ``index`` (frames) and ``time`` (seconds)
    was good."""

    exit_code = 3

    def __init__(self, message: str, index: int, time: float | None) -> None:
        super().__init__(message)
        self.index = index
        self.time = time
