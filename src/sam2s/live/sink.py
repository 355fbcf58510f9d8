"""Where live pictures go: each sink in a thread of its own, with the newest picture only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Condition, Lock, Thread
from typing import Protocol

import numpy as np

from sam2s.errors import Sam2sError
from sam2s.export.overlay import draw_overlay
from sam2s.live.latency import LatencyCounter
from sam2s.types import Frame, FrameResult

PATIENCE = 5.0
"""Seconds that a sink has to finish its last picture."""


class LivePicture:
    """A tracked frame on its way out. ``frame``: the picture, black where ``blanked``, and its
    ``arrived``; ``result``: masks; ``names`` {object id: what a user calls it}."""

    def __init__(
        self, frame: Frame, result: FrameResult, names: Mapping[int, str], blanked: bool
    ) -> None:
        self.frame, self.result, self.names, self.blanked = frame, result, names, blanked
        self._lock = Lock()

    @property
    def arrived(self) -> float:
        """When the frame arrived, by ``time.perf_counter``."""
        assert self.frame.arrived is not None, "a feed stamps its frames"
        return self.frame.arrived

    @property
    def overlay(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB with the masks drawn on it; drawn once, for whoever asks first."""
        with self._lock:
            return self._overlay

    @cached_property
    def _overlay(self) -> np.ndarray:
        return draw_overlay(self.frame.image, self.result, self.names)


class Sink(Protocol):
    """Takes pictures, one at a time, from one thread. ``name``: for messages."""

    name: str

    @property
    def latency(self) -> LatencyCounter | None:
        """Capture to screen, of sinks that a person looks at."""

    def show(self, picture: LivePicture) -> None:
        """Show, send or write one. Raises InputError where it cannot go on."""

    def close(self) -> None:
        """Finish; after an error as well."""


@dataclass(frozen=True, slots=True)
class SinkCounts:
    """``shown`` and ``dropped`` pictures, and why it ended early, if it did."""

    shown: int
    dropped: int
    error: str | None


class SinkThread:
    """Hands a sink the newest picture whenever it is free. One that fails is closed, ``say`` is
    told, and the others go on."""

    def __init__(self, sink: Sink, say: Callable[[str], object]) -> None:
        self.sink, self._say = sink, say
        self._changed = Condition()
        self._newest: LivePicture | None = None
        self._closed = False
        self._shown = self._dropped = 0
        self._error: str | None = None
        self._thread = Thread(target=self._run, daemon=True, name=sink.name)
        self._thread.start()

    def offer(self, picture: LivePicture) -> None:
        """Never waits: a picture that was not taken yet gives way to this one."""
        with self._changed:
            self._dropped += self._newest is not None and self._error is None
            self._newest = picture
            self._changed.notify()

    def close(self) -> SinkCounts:
        """Let it show the picture that waits, and finish."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            return SinkCounts(self._shown, self._dropped, f"{self.sink.name}: does not answer")
        return SinkCounts(self._shown, self._dropped, self._error)

    def _run(self) -> None:
        try:
            while (picture := self._take()) is not None:
                self.sink.show(picture)
                self._shown += 1
        except Exception as error:  # of an encoder, a toolkit: not the business of the others
            self._broke(error)
        try:
            self.sink.close()
        except Exception as error:
            self._broke(error)

    def _broke(self, error: Exception) -> None:
        if self._error is not None:
            return
        kind = "" if isinstance(error, Sam2sError | OSError) else f"{type(error).__name__}: "
        self._error = f"{self.sink.name}: {kind}{' '.join(str(error).split())}"
        if not self._closed:
            self._say(f"{self._error}; the run goes on without it")

    def _take(self) -> LivePicture | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._closed)
            picture, self._newest = self._newest, None
            return picture
