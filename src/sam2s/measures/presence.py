"""When an object was in view, and how often it came and went."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sam2s.measures.course import FrameTimes


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, seconds: from the first frame of it to the first frame behind it."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class Presence:
    """``seconds`` that the object was tracked for, ``in_view`` of them, and their ``share``;
    ``entries``, ``exits``: how often it came into view and left it while it was tracked (being
    there on the first frame is no entry); ``absences`` between two stretches in view."""

    seconds: float
    in_view: float
    share: float
    entries: int
    exits: int
    absences: tuple[Span, ...]


def presence_of(clock: FrameTimes, in_view: np.ndarray, debounce: float) -> Presence:
    """Count ``in_view`` (T,) bool. Time counts frame by frame; a change that lasts less than
    ``debounce`` seconds is no entry, exit or absence."""
    lasts = frame_seconds(clock)
    steady = debounced(clock, in_view, debounce)
    seen = spans(clock, steady)
    gaps = tuple(Span(a.end, b.begin) for a, b in pairwise(seen))
    total, shown = float(lasts.sum()), float(lasts[in_view].sum())
    return Presence(
        total,
        shown,
        shown / total,
        int((~steady[:-1] & steady[1:]).sum()),
        int((steady[:-1] & ~steady[1:]).sum()),
        gaps,
    )


def frame_seconds(clock: FrameTimes) -> np.ndarray:
    """(T,) how long each frame lasts: to the next one, and one period where that was not
    tracked."""
    gaps = np.diff(clock.times, append=clock.times[-1] + clock.period)
    return np.where(np.append(clock.follows, True), gaps, clock.period)


def debounced(clock: FrameTimes, flags: np.ndarray, least: float) -> np.ndarray:
    """``flags`` (T,) bool without interruptions shorter than ``least`` seconds: first gaps are
    closed, then runs that are still too short removed."""
    steady = flags.copy()
    for value in (True, False):
        for run in runs_of(steady != value):
            inner = run.start > 0 and run.stop < len(flags)
            if _lasting(clock, run) < least - 1e-9 and (inner or not value):
                steady[run] = value
    return steady


def runs_of(flags: np.ndarray) -> list[slice]:
    """The stretches of True in (T,) bool."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def spans(clock: FrameTimes, flags: np.ndarray) -> tuple[Span, ...]:
    """The stretches of True in seconds."""
    ends = clock.times + frame_seconds(clock)
    return tuple(
        Span(float(clock.times[run.start]), float(ends[run.stop - 1])) for run in runs_of(flags)
    )


def _lasting(clock: FrameTimes, run: slice) -> float:
    return float(frame_seconds(clock)[run].sum())
