"""One object over time: what a result says of it, frame by frame, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.result import Result, ResultFrame
from sam2s.masklets.vocabulary import is_known, kind_of
from sam2s.measures.landmarks import Landmarks, find_landmarks

DROPPED, SHORT = 2.5, 0.2
"""Frames that are missing for no longer than so many usual steps, or so many seconds, were dropped;
longer ones were not tracked."""
ON_BORDER = 0.5
"""An object without a class counts as an instrument when it touches the border on this share of the
frames that show it."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameTimes:
    """When frames were: ``index`` (T,) int, their numbers in the source; ``times`` (T,) float, s;
    ``period``, s from a frame to the next one, usually."""

    index: np.ndarray
    times: np.ndarray
    period: float

    @property
    def rate(self) -> float:
        """Frames a second."""
        return 1.0 / self.period

    @property
    def follows(self) -> np.ndarray:
        """(T - 1,) bool: whether a frame follows the one before, so that what lies between them may
        be filled in: the next of the source, or after few that a live run dropped."""
        few = np.diff(self.times) <= max(DROPPED * self.period, SHORT) + 1e-9
        return few | (np.diff(self.index) == 1)


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One object on the frames on which it was tracked, T of them.

    ``clock``: these frames; ``area`` (T,) px, 0 where it is not in view; ``centroid``, ``tip``
    (T, 2) px and ``shaft_width`` (T,) px, NaN where there is none; ``instrument``: by its class,
    and without one by whether it comes in from the border.
    """

    object_id: int
    name: str
    instrument: bool
    clock: FrameTimes
    area: np.ndarray
    centroid: np.ndarray
    tip: np.ndarray
    shaft_width: np.ndarray

    @property
    def in_view(self) -> np.ndarray:
        """(T,) bool."""
        return self.area > 0


def clock_of(result: Result, fps: float | None = None) -> FrameTimes:
    """The clock of a result: its own times, or ``fps`` where it has none.

    Raises InputError where neither says when a frame was: without seconds there are no speeds.
    """
    frames = [(frame.index, frame.time) for frame in result.frames()]
    if not frames:
        raise InputError(f"{result.video}: holds no frames, so there is nothing to measure")
    index = np.array([number for number, _ in frames], int)
    known = [time for _, time in frames if time is not None]
    rate = fps if fps is not None else result.fps
    if fps is None and len(known) == len(frames) and (np.diff(known) > 0).all():
        times = np.array(known, float)
        if len(times) > 1:
            return FrameTimes(index, times, float(np.median(np.diff(times))))
    if rate is None or not rate > 0:
        raise InputError(
            f"{result.video}: its frames have no times, so there are no speeds; say how many there"
            " are a second with --fps"
        )
    steps = np.diff(index) if len(index) > 1 else np.ones(1)
    return FrameTimes(index, index / rate, float(np.median(steps)) / rate)


def courses_of(result: Result, clock: FrameTimes) -> tuple[Course, ...]:
    """All objects of a result, by ascending id; every mask is decoded once."""
    found: dict[int, list[tuple[int, Landmarks | None]]] = {}
    before: dict[int, Landmarks] = {}
    for place, frame in enumerate(result.frames()):
        for object_id, landmarks in _landmarks(frame, before).items():
            found.setdefault(object_id, []).append((place, landmarks))
            if landmarks is not None:
                before[object_id] = landmarks
    return tuple(
        _course(object_id, result.names.get(object_id), clock, rows)
        for object_id, rows in sorted(found.items())
    )


def _landmarks(frame: ResultFrame, before: Mapping[int, Landmarks]) -> dict[int, Landmarks | None]:
    return {i: find_landmarks(found.mask, before.get(i)) for i, found in frame.masks.items()}


def _course(
    object_id: int, name: str | None, clock: FrameTimes, rows: list[tuple[int, Landmarks | None]]
) -> Course:
    places = np.array([place for place, _ in rows])
    seen = [landmarks for _, landmarks in rows]
    nowhere = np.full(2, np.nan)
    shown = [one for one in seen if one is not None]
    touching = sum(one.on_border for one in shown) >= ON_BORDER * max(len(shown), 1)
    instrument = kind_of(name) == "instrument" if name and is_known(name) else touching
    # A tip is the end of something that comes in; tissue has none, and so no shaft.
    pointed = [one if instrument else None for one in seen]
    return Course(
        object_id,
        name or f"object {object_id}",
        instrument,
        FrameTimes(clock.index[places], clock.times[places], clock.period),
        np.array([0 if one is None else one.area for one in seen]),
        np.array([nowhere if one is None else one.centroid for one in seen]),
        np.array([nowhere if one is None else one.tip for one in pointed]),
        np.array([np.nan if one is None else one.shaft_width for one in pointed]),
    )
