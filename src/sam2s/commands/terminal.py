"""What reaches the terminal: names and errors come from strangers' files, and a terminal obeys
control characters."""

from __future__ import annotations

import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sam2s.errors import Doubt

if TYPE_CHECKING:
    from sam2s.benchmark.text_table import Table


def say(*lines: object, error: bool = False) -> None:
    """Print each of ``lines`` as one line, to standard output or the ``error`` stream: the one way
    to the terminal. What cannot be printed is shown as Python writes it (``\\x1b``)."""
    stream = sys.stderr if error else sys.stdout
    for line in lines:
        print(printable(str(line), stream.encoding), file=stream, flush=True)


def say_text(text: str) -> None:
    """``say`` for a table or other text of several lines."""
    say(*text.splitlines())


def say_table(table: Table) -> None:
    """A table as wide as the terminal; Markdown where it goes to a file or another program."""
    if sys.stdout.isatty():
        say_text(table.fitted(shutil.get_terminal_size().columns))
    else:
        say_text(table.markdown())
    say("")


def printable(text: str, encoding: str | None = None) -> str:
    """``text`` in one line without control characters, marks that turn the direction of writing,
    lone surrogates, and letters that ``encoding`` does not have."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    encoding = encoding or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def doubts_said() -> Iterator[None]:
    """``Doubt`` warnings are lines on the error stream, each once; other warnings are as before."""

    def show(message: Warning | str, category: type[Warning], *where: Any, **line: Any) -> None:
        if issubclass(category, Doubt):
            say(f"sam2s: note: {' '.join(str(message).split())}", error=True)
        else:
            before(message, category, *where, **line)

    with warnings.catch_warnings():
        before = warnings.showwarning
        warnings.simplefilter("default", Doubt)
        warnings.showwarning = show
        yield
