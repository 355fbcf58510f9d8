"""Motion and events as closed functions of the frame number, so that any frame can be made without
the ones before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.synthetic.noise import Rng

Window = tuple[int, int]
"""Frames ``start`` to ``stop - 1``."""


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """A wandering value: a sum of sines. ``rates`` in radians a frame."""

    amplitudes: np.ndarray
    rates: np.ndarray
    phases: np.ndarray

    def __call__(self, t: float) -> float:
        """The value at frame ``t``, which may lie between frames."""
        return float((self.amplitudes * np.sin(self.rates * t + self.phases)).sum())


def wave(rng: Rng, amplitude: float, shortest: float, longest: float, terms: int = 3) -> Wave:
    """A wave within about +-``amplitude``, of periods between ``shortest`` and ``longest`` frames,
    most of it slow."""
    periods = np.exp(rng.uniform(np.log(shortest), np.log(longest), terms))
    weights = periods / periods.sum()
    return Wave(amplitude * weights, 2 * np.pi / periods, rng.uniform(0, 2 * np.pi, terms))


def ease(u: float) -> float:
    """0 to 1 with a soft start and end."""
    u = min(max(u, 0.0), 1.0)
    return u * u * (3 - 2 * u)


def plan_absences(
    rng: Rng,
    frames: int,
    span: Window,
    mean: float,
    *,
    open_ends: float = 0.0,
    shortest_stay: int = 12,
) -> tuple[Window, ...]:
    """Non-overlapping absences of ``span[0]`` to ``span[1]`` frames each, about ``mean`` of them,
    in order.

    Lengths are spread evenly on a log scale, so that short and long ones are both common; at least
    ``shortest_stay`` frames lie between two of them and before the first, and every absence ends
    that long before the last frame, so that the object comes back; except, with chance
    ``open_ends`` each, one that begins with the video (a late entry) or lasts until its end. Fewer
    fit a short video; none fits one shorter than ``span[0] + 2 * shortest_stay``.
    """
    longest = min(span[1], frames - 2 * shortest_stay)
    windows: list[Window] = []
    for _ in range(int(rng.poisson(mean))):
        if longest < span[0]:
            break
        length = int(np.exp(rng.uniform(np.log(span[0]), np.log(longest + 0.999))))
        length = min(max(length, span[0]), longest)
        start = int(rng.integers(shortest_stay, frames - shortest_stay - length + 1))
        if rng.random() < open_ends:
            start = 0 if rng.random() < 0.5 else frames - length
        window = (start, start + length)
        if all(
            window[1] + shortest_stay <= a or b + shortest_stay <= window[0] for a, b in windows
        ):
            windows.append(window)
    return tuple(sorted(windows))


def stay(t: int, absences: tuple[Window, ...], ramp: int) -> float:
    """How far an object has come in: 0 during an absence, rising over ``ramp`` frames after it,
    falling before it."""
    inside = 1.0
    for start, stop in absences:
        if start <= t < stop:
            return 0.0
        gap = start - t if t < start else t - stop + 1
        inside = min(inside, gap / ramp)
    return ease(inside)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that comes and goes: full strength from ``start + ramp`` to ``stop - ramp``."""

    start: int
    stop: int
    ramp: int
    strength: float

    def __call__(self, t: int) -> float:
        """The strength at frame ``t``, 0 outside the event."""
        if not self.start <= t < self.stop:
            return 0.0
        return self.strength * ease(min(t - self.start + 1, self.stop - t) / self.ramp)


def plan_events(
    rng: Rng,
    frames: int,
    rate: float,
    length: tuple[int, int],
    strength: tuple[float, float],
    ramp: int = 8,
) -> tuple[Event, ...]:
    """About ``rate`` events per 100 frames, of ``length`` frames and ``strength`` each."""
    events = []
    for _ in range(int(rng.poisson(rate * frames / 100))):
        start = int(rng.integers(0, frames))
        events.append(
            Event(start, start + int(rng.integers(*length)), ramp, float(rng.uniform(*strength)))
        )
    return tuple(events)


def level(events: tuple[Event, ...], t: int) -> float:
    """The strongest event at frame ``t``."""
    return max((event(t) for event in events), default=0.0)
