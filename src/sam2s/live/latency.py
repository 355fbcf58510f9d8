"""How long things took: percentiles from counts, so that a day of frames needs no more memory than
a minute."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np

BIN = 0.0005
"""Seconds: the step of percentiles."""
BINS = 20_000
"""Ten seconds; what takes longer counts as that, but for the maximum."""


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Milliseconds, None where nothing was counted. Percentiles are rounded up to half of one."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None

    def __str__(self) -> str:
        if self.count == 0:
            return "none"
        return f"p50 {self.p50:.1f}, p95 {self.p95:.1f}, p99 {self.p99:.1f}, max {self.max:.1f} ms"


class LatencyCounter:
    """Counts durations; safe to use from several threads."""

    def __init__(self) -> None:
        self._bins = np.zeros(BINS + 1, np.int64)
        self._max = 0.0
        self._lock = Lock()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        with self._lock:
            self._bins[min(max(int(seconds / BIN), 0), BINS)] += 1
            self._max = max(self._max, seconds)

    def summary(self) -> LatencySummary:
        """What was counted so far."""
        with self._lock:
            bins, longest = self._bins.copy(), self._max
        total = int(bins.sum())
        if not total:
            return LatencySummary(0, None, None, None, None)
        steps = np.searchsorted(np.cumsum(bins), [q * total for q in (0.5, 0.95, 0.99)])
        p50, p95, p99 = (min((int(step) + 1) * BIN, longest) * 1000 for step in steps)
        return LatencySummary(total, p50, p95, p99, longest * 1000)
