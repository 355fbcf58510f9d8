"""How two instruments worked together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.measures.course import Course
from sam2s.measures.path_segments import PathSegments
from sam2s.measures.point_motion import Amount, Point
from sam2s.measures.presence import frame_seconds

LEAST = 1.0
"""Seconds that two speeds must overlap for their correlation to say anything."""


@dataclass(frozen=True, slots=True)
class PairMeasures:
    """Objects ``first`` and ``second``.

    ``together``: seconds that both are in view, and their ``share`` of the time that either is;
    ``distance_mean``, ``distance_least``: between their tips, or centroids where one has no tip
    (``point``); ``speed_correlation``: Pearson's, of their speeds while both are followed (bimanual
    work: 1 moving at the same moments, -1 in turn). None where they are never seen together, or
    for less than a second.
    """

    first: int
    second: int
    point: Point
    together: float
    share: float
    distance_mean: Amount | None
    distance_least: Amount | None
    speed_correlation: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """An object and its followed points: stretches of the ``tip``, None where it has none, and of
    the ``centroid``."""

    course: Course
    tip: PathSegments | None
    centroid: PathSegments


def pair_of(first: Followed, second: Followed, size: tuple[int, int]) -> PairMeasures:
    """Measure two objects on the frames on which both were tracked; ``size`` (H, W) px."""
    one, other = first.course, second.course
    _, here, there = np.intersect1d(one.clock.index, other.clock.index, return_indices=True)
    seen, also = one.in_view[here], other.in_view[there]
    lasts = frame_seconds(one.clock)[here]
    both, either = float(lasts[seen & also].sum()), float(lasts[seen | also].sum())
    tips = first.tip is not None and second.tip is not None
    places = (one.tip, other.tip) if tips else (one.centroid, other.centroid)
    apart = np.hypot(*(places[0][here] - places[1][there]).T)
    apart = apart[~np.isnan(apart)]
    diagonal = float(np.hypot(*size))
    distances = [Amount(float(d), float(d) / diagonal) for d in _mean_and_least(apart)]
    return PairMeasures(
        one.object_id,
        other.object_id,
        "tip" if tips else "centroid",
        both,
        both / either if either > 0 else 0.0,
        distances[0] if distances else None,
        distances[1] if distances else None,
        _correlation(first, second, one.clock.times[here], one.clock.period),
    )


def _mean_and_least(apart: np.ndarray) -> list[float]:
    return [apart.mean(), apart.min()] if len(apart) else []


def _correlation(
    first: Followed, second: Followed, times: np.ndarray, period: float
) -> float | None:
    speeds = [(one.tip or one.centroid).at(times)[0] for one in (first, second)]
    known = ~np.isnan(speeds[0]) & ~np.isnan(speeds[1])
    a, b = speeds[0][known], speeds[1][known]
    if len(a) * period < LEAST or a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])
