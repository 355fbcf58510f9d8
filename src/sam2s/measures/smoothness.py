"""How smooth a movement is: spectral arc length and dimensionless jerk of a speed profile.

After S. Balasubramanian, A. Melendez-Calderon, A. Roby-Brami, E. Burdet, "On the analysis of
movement smoothness", Journal of NeuroEngineering and Rehabilitation 12:112, 2015, and, for the
dimensionless jerk, N. Hogan, D. Sternad, "Sensitivity of smoothness measures to movement duration,
amplitude, and arrests", Journal of Motor Behavior 41(6), 2009. All are negative; nearer to 0 is
smoother. Check value: v = exp(-5 t^2), t = -1 to 0.99 s in steps of 0.01 s gives SPARC -1.41403,
dimensionless jerk -335.747, its logarithm -5.81636.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CUTOFF = 10.0
"""Hz: no frequency above counts in SPARC."""
AMPLITUDE = 0.05
"""Nor do those above the last one that has this share of the largest amplitude."""
PADDING = 4
"""The spectrum is sampled 2^4 times as finely as the profile's length asks for."""


@dataclass(frozen=True, slots=True)
class Smoothness:
    """Of one movement, or the middle of several; no units."""

    sparc: float
    dimensionless_jerk: float
    log_dimensionless_jerk: float


def smoothness_of(speed: np.ndarray, rate: float) -> Smoothness | None:
    """All three of a speed profile (N,), ``rate`` samples a second; None for fewer than four
    samples or no motion at all."""
    if len(speed) < 4 or not np.abs(speed).max() > 0:
        return None
    jerk = dimensionless_jerk(speed, rate)
    if jerk == 0:  # constant or linear: as smooth as can be, and no logarithm
        return None
    return Smoothness(spectral_arc_length(speed, rate), jerk, -math.log(-jerk))


def spectral_arc_length(speed: np.ndarray, rate: float) -> float:
    """SPARC: minus the length of the curve that the amplitude spectrum of ``speed`` (N,) draws,
    with frequency and amplitude scaled to 1, up to `CUTOFF` and the last amplitude above
    `AMPLITUDE`."""
    count = 2 ** (math.ceil(math.log2(len(speed))) + PADDING)
    amplitude = np.abs(np.fft.rfft(speed, count))
    frequency = np.fft.rfftfreq(count, 1 / rate)
    amplitude = amplitude[frequency <= CUTOFF] / amplitude.max()
    frequency = frequency[frequency <= CUTOFF]
    loud = np.flatnonzero(amplitude >= AMPLITUDE)
    chosen = slice(int(loud[0]), int(loud[-1]) + 1)
    frequency, amplitude = frequency[chosen], amplitude[chosen]
    if len(frequency) < 2:
        return 0.0
    steps = np.diff(frequency) / (frequency[-1] - frequency[0])
    return -float(np.hypot(steps, np.diff(amplitude)).sum())


def dimensionless_jerk(speed: np.ndarray, rate: float) -> float:
    """Minus the integral of the squared jerk, times duration^3 / peak speed^2: the second
    differences of ``speed`` (N,), so that constant factors of time and length cancel."""
    jerk = np.diff(speed, 2) * rate**2
    duration = len(speed) / rate
    return -float((jerk**2).sum() / rate * duration**3 / np.abs(speed).max() ** 2)
