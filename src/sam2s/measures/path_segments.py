"""Positions as smooth paths: the stretches in which a point of an object is followed without a
break, evenly sampled, with speed and acceleration.

Derivatives are those of a sliding cubic (A. Savitzky, M. J. E. Golay, "Smoothing and
differentiation of data by simplified least squares procedures", Analytical Chemistry 36(8), 1964),
since differences of positions that jump by a pixel from frame to frame are mostly noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.signal import savgol_filter

from sam2s.errors import InputError
from sam2s.measures.camera_motion import CameraMotion
from sam2s.measures.course import FrameTimes
from sam2s.measures.presence import runs_of

CUBIC = 3


@dataclass(frozen=True, slots=True)
class MeasureSettings:
    """``smooth``: seconds of the sliding cubic; ``speed``: shares of the picture's diagonal a
    second, above which an instrument works and below which it idles; ``debounce``: seconds that a
    change must last to count."""

    smooth: float = 0.4
    speed: float = 0.05
    debounce: float = 0.2

    def __post_init__(self) -> None:
        for name in ("smooth", "speed", "debounce"):
            if not 0 <= getattr(self, name) < 1e6:
                raise InputError(f"--{name} {getattr(self, name)}: must be 0 or more")

    def window(self, rate: float) -> int:
        """Frames of the sliding cubic: odd, and at least five."""
        return max(5, 2 * round(self.smooth * rate / 2) + 1)


@dataclass(frozen=True, slots=True, eq=False)
class PathSegment:
    """A point followed without a break, N even samples: ``times`` (N,) s, ``places`` (N, 2) px,
    ``speed`` (N,) px/s, ``acceleration`` (N,) px/s^2, both lengths of vectors."""

    times: np.ndarray
    places: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray

    @property
    def path(self) -> float:
        """Length of the path, px."""
        return float(np.hypot(*np.diff(self.places, axis=0).T).sum())

    @property
    def straight(self) -> float:
        """From the first place to the last one, px."""
        return float(np.hypot(*(self.places[-1] - self.places[0])))

    @property
    def seconds(self) -> float:
        """From the first sample to the last one."""
        return float(self.times[-1] - self.times[0])

    def part(self, samples: slice) -> PathSegment:
        """Some samples of it."""
        return PathSegment(
            self.times[samples],
            self.places[samples],
            self.speed[samples],
            self.acceleration[samples],
        )


@dataclass(frozen=True, slots=True, eq=False)
class PathSegments:
    """All stretches of one point. ``too_short``: how many were left out, since the sliding cubic
    does not fit into them; ``longest`` of those, s."""

    found: tuple[PathSegment, ...]
    too_short: int = 0
    longest: float = 0.0

    def at(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(T,) speed and (T, 2) place at ``times``, NaN between the stretches."""
        speed, places = np.full(len(times), np.nan), np.full((len(times), 2), np.nan)
        for one in self.found:
            inside = (times >= one.times[0] - 1e-9) & (times <= one.times[-1] + 1e-9)
            speed[inside] = np.interp(times[inside], one.times, one.speed)
            for axis in (0, 1):
                places[inside, axis] = np.interp(times[inside], one.times, one.places[:, axis])
        return speed, places


def stretches_of(
    clock: FrameTimes,
    points: np.ndarray,
    settings: MeasureSettings,
    camera: CameraMotion | None = None,
) -> PathSegments:
    """Follow ``points`` (T, 2) px, NaN where there is none.

    Gaps shorter than ``settings.debounce`` are bridged by straight lines. With ``camera`` a path is
    the sum of what each step is beyond the camera's, starting from the place in the picture; where
    the camera's motion is not known (a cut, a picture without texture) a new stretch begins.
    """
    filled = _bridged(clock, points, settings.debounce)
    window = settings.window(clock.rate)
    found, short = [], []
    for run in runs_of(~np.isnan(filled).any(axis=1)):
        for piece in _unbroken(clock, run, camera):
            times, places = clock.times[piece], filled[piece]
            if camera is not None:
                places = _over_background(clock.index[piece], places, camera)
            if len(times) < window:
                short.append(len(times) * clock.period)
            else:
                found.append(_smooth(times, places, clock.rate, window))
    return PathSegments(tuple(found), len(short), max(short, default=0.0))


def _bridged(clock: FrameTimes, points: np.ndarray, least: float) -> np.ndarray:
    filled = points.copy()
    for gap in runs_of(np.isnan(points).any(axis=1)):
        inner = gap.start > 0 and gap.stop < len(points)
        if not inner or clock.times[gap.stop] - clock.times[gap.start] >= least - 1e-9:
            continue
        ends = [gap.start - 1, gap.stop]
        for axis in (0, 1):
            filled[gap, axis] = np.interp(clock.times[gap], clock.times[ends], points[ends, axis])
    return filled


def _unbroken(clock: FrameTimes, run: slice, camera: CameraMotion | None) -> list[slice]:
    """A run of places in pieces in which frame follows frame, by known steps of the camera."""
    numbers = clock.index[run].tolist()
    breaks = ~clock.follows[run.start : run.stop - 1]
    if camera is not None:
        unknown = [camera.between(a, b) is None for a, b in pairwise(numbers)]
        breaks = breaks | np.array(unknown, bool)
    edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(numbers)]
    return [slice(run.start + a, run.start + b) for a, b in pairwise(edges)]


def _over_background(index: np.ndarray, places: np.ndarray, camera: CameraMotion) -> np.ndarray:
    moves = [camera.between(a, b) for a, b in pairwise(index.tolist())]
    steps = np.array(moves, float).reshape(-1, 2, 3)
    carried = np.einsum("tij,tj->ti", steps[:, :, :2], places[:-1]) + steps[:, :, 2]
    return places[0] + np.concatenate([np.zeros((1, 2)), np.cumsum(places[1:] - carried, axis=0)])


def _smooth(times: np.ndarray, places: np.ndarray, rate: float, window: int) -> PathSegment:
    count = max(window, round((times[-1] - times[0]) * rate) + 1)
    even = np.linspace(times[0], times[-1], count)
    sampled = np.stack([np.interp(even, times, places[:, axis]) for axis in (0, 1)], axis=1)
    step = float(even[1] - even[0])
    smooth, velocity, acceleration = (
        savgol_filter(sampled, window, CUBIC, deriv=order, delta=step, axis=0)
        for order in (0, 1, 2)
    )
    return PathSegment(even, smooth, np.hypot(*velocity.T), np.hypot(*acceleration.T))
