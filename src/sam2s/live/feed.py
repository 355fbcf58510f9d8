"""The source of a live run: its newest frames, in one clock, however often it goes away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from time import perf_counter

from sam2s.errors import DamagedSource, InputError
from sam2s.live.raw_frames import RawFormat, raw_frames
from sam2s.media.address import names_a_file
from sam2s.media.frames import FrameSource, open_frames
from sam2s.media.latest import LatestFrames
from sam2s.media.video import DEFAULT_STEP
from sam2s.types import Frame

RETRY = 1.0
"""Seconds between two attempts to reach a source that went away."""
SILENCE = 10.0
"""Seconds without a frame after which a camera or stream counts as gone: a cable that was pulled
out says nothing."""
PAUSES = 5
"""... or so many times its longest pause so far, where that is more."""
FIRST_PAUSE = 12.0
"""Seconds between frames, as long as there was none to measure."""
OpenFeed = Callable[[], LatestFrames]
"""Opens the source, anew each time."""


class _OtherSize(InputError):
    """What came back is not what went away."""


class LiveFeed:
    """Newest frames of a source. ``again`` seconds are spent on reaching one that went away (0: its
    end is the end); ``say`` is told when it goes and comes back.

    A frame's ``index`` counts on over interruptions, and its ``time`` is seconds since the first
    frame arrived: clocks of cameras start anew when they do. Frames must keep their size. After
    the end ``dropped`` and ``reconnected`` say what happened.
    """

    def __init__(self, open_one: OpenFeed, again: float, say: Callable[[str], object]) -> None:
        self._open, self._again, self._say = open_one, again, say
        self._source = open_one()
        self.name = self._source.name
        self.fps = self._source.fps
        self.notes = tuple(self._source.notes)
        self.reconnected = 0
        self._dropped = self._next = 0
        self._closed = Event()
        self._begun: float | None = None
        self._arrived: float | None = None  # the last frame since the source was opened
        self._pause: float | None = None  # the longest between two of those
        self._size: tuple[int, int] | None = None

    @property
    def dropped(self) -> int:
        """Frames that gave way to newer ones so far."""
        return self._dropped + self._source.dropped

    def frames(self) -> Iterator[Frame]:
        """The newest frame, again and again. Raises InputError or DamagedSource where the source
        ends with an error and does not come back."""
        while True:
            offset, error = self._next, None
            try:
                self._arm(self._source)
                for frame in self._source:
                    yield self._placed(frame, offset)
                    self._arm(self._source)
            except _OtherSize:
                raise
            except (DamagedSource, InputError) as broken:
                error = broken
            self._source.close()
            if self._closed.is_set():
                return
            ends = self._again <= 0 or self._source.count is not None
            if ends or not self._reopened(error):
                if error is not None and not self._closed.is_set():
                    raise error
                return

    def close(self) -> None:
        """Let the source go; from any thread, and whoever waits for its next frame waits no
        more."""
        self._closed.set()
        self._source.close()

    def _arm(self, source: LatestFrames) -> None:
        """How long the next frame may take; pipes and files may take as long as they like."""
        pause = FIRST_PAUSE if self._pause is None else self._pause
        source.patience = max(SILENCE, PAUSES * pause) if self._again > 0 else None

    def _placed(self, frame: Frame, offset: int) -> Frame:
        arrived = perf_counter() if frame.arrived is None else frame.arrived
        if self._begun is None:
            self._begun, self._size = arrived, frame.size
        if frame.size != self._size:
            raise _OtherSize(
                f"{self.name}: came back with pictures of {frame.size[1]} x {frame.size[0]} pixels"
                " instead of the size that is tracked; start again"
            )
        if self._arrived is not None:
            self._pause = max(self._pause or 0.0, arrived - self._arrived)
        self._arrived = arrived
        self._next = offset + frame.index + 1
        return replace(
            frame, index=offset + frame.index, time=arrived - self._begun, arrived=arrived
        )

    def _reopened(self, error: Exception | None) -> bool:
        """Try to reach the source again, until it answers or too much time went by."""
        why = f" ({' '.join(str(error).split())})" if error is not None else ""
        self._say(f"{self.name}: no more frames{why}; trying again for {self._again:g} s")
        until = time.monotonic() + self._again
        while time.monotonic() < until and not self._closed.wait(RETRY):
            source: LatestFrames | None = None
            try:
                source = self._open()
                self._arm(source)
                source.size  # noqa: B018 (a source that opens and gives nothing is not back)
            except (DamagedSource, InputError):
                if source is not None:
                    source.close()
                continue
            self._dropped, self._source = self.dropped, source
            self._arrived = self._pause = None
            self.reconnected += 1
            self._say(f"{self.name}: is back")
            return True
        return False


def opener(source: str, raw: RawFormat | None, pace: float) -> tuple[OpenFeed, bool]:
    """How to open ``source``, and whether it is worth trying again when it breaks off: cameras and
    streams are, files and pipes are not. What has a length, also behind an address, is played at
    ``pace`` times its own speed, and its end is the end."""
    if raw is not None:
        name = "stdin" if source == "-" else Path(source.removeprefix("pipe:")).name
        return lambda: _named(raw_frames(source, raw), name), False
    # None of FFmpeg's options for low delay: "nobuffer" throws away what it probed with, and a
    # stream whose key frames are rare then shows nothing.
    file = names_a_file(source) and not Path(source).is_char_device()
    pipe = source == "-" or source.startswith("pipe:")
    return lambda: _paced(open_frames(source), pace), not (file or pipe)


def _paced(source: FrameSource, pace: float) -> LatestFrames:
    if source.live:
        latest = LatestFrames(source)
        latest.count = source.count
        return latest

    def frames() -> Iterator[Frame]:
        begun: float | None = None
        step = 1 / source.fps if source.fps else DEFAULT_STEP
        with source:
            for number, frame in enumerate(source):
                due = (number * step if frame.time is None else frame.time) / pace
                begun = perf_counter() - due if begun is None else begun
                time.sleep(max(0.0, begun + due - perf_counter()))
                yield replace(frame, arrived=perf_counter())

    latest = _named(frames(), source.name)
    latest.fps = None if source.fps is None else source.fps * pace
    latest.count = source.count
    return latest


def _named(frames: Iterator[Frame], name: str) -> LatestFrames:
    latest = open_frames(frames, latest=True)
    assert isinstance(latest, LatestFrames)
    latest.name = name
    return latest
