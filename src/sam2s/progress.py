"""Progress of long work on the error stream: a bar on a terminal, elsewhere (a log file, a batch
job) one line every ten seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

PATIENCE = 1.0
"""Seconds before a bar appears: what is over sooner needs none."""
EVERY = 10.0
"""Seconds from one line to the next where nobody watches."""


def progress_bar(
    total: int | None,
    what: str | None = None,
    unit: str = "frame",
    *,
    over: Iterable[Any] | None = None,
    shown: bool = True,
    **options: Any,
) -> tqdm:
    """A context manager that counts ``update()``s, or, with ``over``, the items of what it is
    iterated in place of. ``total``: how many there will be, if known; ``what``: a word before the
    numbers; ``shown``: False for none at all; ``options``: tqdm's further ones."""
    common = {"desc": what, "unit": unit, "disable": not shown, "file": sys.stderr, **options}
    if sys.stderr.isatty():
        from tqdm import tqdm

        return tqdm(over, total=total, delay=PATIENCE, dynamic_ncols=True, **common)
    # ncols=0 leaves the bar itself out; miniters=0 asks the clock at every update.
    return _lines()(
        over, total=total, delay=EVERY, mininterval=EVERY, miniters=0, ncols=0, **common
    )


@cache
def _lines() -> type[tqdm]:
    """tqdm's numbers, a whole line each. Made here, so that what trains and tracks can be imported
    where tqdm is not (``make gpu-check`` on a rented machine)."""
    from tqdm import tqdm

    class Lines(tqdm):
        last_print_t: float

        def display(self, msg: str | None = None, pos: int | None = None) -> bool:  # noqa: ARG002
            # Also called for a new description, however soon, and with "" to wipe the bar out.
            if msg is None and self._time() - self.last_print_t >= self.mininterval:
                self.fp.write(f"{str(self).strip()}\n")
                self.last_print_t = self._time()
            return False

        def close(self) -> None:
            self.leave = False
            super().close()

    return Lines
