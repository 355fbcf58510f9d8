"""The newest frame of a live source: whoever is slower than the camera misses frames, and never
falls behind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from functools import partial
from threading import Condition, Thread
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

from sam2s.errors import InputError
from sam2s.types import Frame

if TYPE_CHECKING:
    from sam2s.media.frames import FrameSource

LONGEST_WAIT = 0.2
"""Seconds."""
PATIENCE = 2.0
"""Seconds that ``close`` waits for the reading thread."""


class LatestFrames:
    """A live source of which only the newest frame is kept. See ``FrameSource``.

    A thread reads from the first question on (``size``, a frame) as fast as frames come. Iterating
    gives the newest frame that was not given yet, and waits where there is none; it may be left and
    taken up again. A frame's ``index`` counts what the source brought, dropped frames included, so
    gaps show where frames are missing; ``arrived`` tells when it came. ``dropped``: frames that
    gave way to a newer one. ``patience``: seconds that the next frame may take before that is an
    InputError, None for as long as it takes. What ends the source (``DamagedSource`` too) is raised
    after the last frame.

    ``close`` lets the thread go after the frame that it waits for. Where none comes any more, the
    thread and the device stay until the program ends.
    """

    count: int | None = None
    count_exact = False
    live = True

    def __init__(self, source: FrameSource) -> None:
        if not source.live:
            source.close()
            raise InputError(
                f"{source.name}: latest=True is for cameras, streams, pipes and iterators; this"
                " source never runs ahead of its reader; leave latest out"
            )
        self.name, self.path, self.fps, self.notes = (
            source.name,
            source.path,
            source.fps,
            source.notes,
        )
        self.dropped = 0
        self.patience: float | None = None
        self._source = source
        self._changed = Condition()
        self._newest: Callable[[], Frame] | None = None
        self._ended = self._closed = False
        self._error: Exception | None = None
        self._reader = Thread(target=self._read, daemon=True, name=f"frames of {source.name}")

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels of the newest frame, which is still returned later; waits for the first
        one."""
        newest = self._wait(take=False)
        if newest is None:
            raise InputError(f"{self.name}: ended before its first frame")
        return newest().size

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """The newest frame not given yet, again and again until the source ends; those with an
        index below ``start`` are passed over."""
        while (newest := self._wait(take=True)) is not None:
            frame = newest()
            if frame.index >= start:
                yield frame

    def frame_name(self, index: int) -> str:
        """The index in five digits."""
        return f"{index:05d}"

    def close(self) -> None:
        """Stop reading and wait up to `PATIENCE` seconds for the thread to finish its frame.
        Further calls do nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        if self._reader.ident is None:
            self._source.close()
        else:  # the source is the thread's to close: another one must not close what it reads
            self._reader.join(PATIENCE)

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __enter__(self) -> LatestFrames:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _wait(self, *, take: bool) -> Callable[[], Frame] | None:
        """The newest frame as soon as there is one, None at the end of the source."""
        with self._changed:
            if self._closed:
                raise InputError(f"{self.name}: the source was closed; open it again")
            if self._reader.ident is None:
                self._reader.start()
            self._wait_for_news()
            newest = self._newest
            if take:
                self._newest = None
            if newest is None and self._error is not None:
                raise self._error
            return newest

    def _wait_for_news(self) -> None:
        """In short waits: Ctrl+C that comes in the moment in which one begins is seen at its
        end."""
        begun = perf_counter()
        while not self._changed.wait_for(
            lambda: self._newest or self._ended or self._closed, LONGEST_WAIT
        ):
            if self.patience is not None and perf_counter() - begun > self.patience:
                raise InputError(f"{self.name}: no frame came for {self.patience:.0f} s")

    def _read(self) -> None:
        """The thread: one frame after the other, until the source ends or is closed."""
        try:
            with closing(self._source), closing(_unconverted(self._source)) as calls:
                for call in calls:
                    with self._changed:
                        if self._closed:
                            break
                        self.dropped += self._newest is not None
                        self._newest = call
                        self._changed.notify_all()
        except Exception as error:
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def _unconverted(source: FrameSource) -> Generator[Callable[[], Frame], None, None]:
    """The source's frames as calls that make them."""
    from sam2s.media.video import VideoFrames

    if isinstance(source, VideoFrames):
        yield from source.unconverted()
        return
    for frame in source:
        arrived = perf_counter() if frame.arrived is None else frame.arrived
        yield partial(Frame, frame.index, frame.time, frame.image, arrived)
