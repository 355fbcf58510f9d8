"""Progress on the terminal: frames per second and time left, silent where nobody watches."""

from __future__ import annotations

import sys

from tqdm import tqdm

PATIENCE = 1.0
"""Seconds before a bar appears: what is over sooner needs none."""


def progress_bar(total: int | None, what: str, unit: str = "frame") -> tqdm:
    """A bar on the error stream, or, where that is no terminal, one that shows nothing; a context
    manager."""
    quiet = not sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        disable=quiet,
        delay=PATIENCE,
        dynamic_ncols=True,
        file=sys.stderr,
    )
