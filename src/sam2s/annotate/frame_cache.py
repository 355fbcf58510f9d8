"""Encoded frames that were asked for of late, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

LIMIT = 96 * 2**20
"""Bytes of all frames together: some hundred of a full HD video."""
Key = tuple[str, int, int | None]
"""Video, frame, longest side."""


class FrameCache:
    """The least recently used frames go first. Safe to use from several threads."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._lock = Lock()
        self.bytes = 0

    def get(self, key: Key, make: Callable[[], bytes]) -> bytes:
        """The frame of ``key``, made where it is not there."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self.bytes += len(made) - len(self._kept.pop(key, b""))
            self._kept[key] = made
            while self.bytes > self._limit:
                self.bytes -= len(self._kept.popitem(last=False)[1])
        return made
