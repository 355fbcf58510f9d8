"""How one point of an object moved: path, speed, acceleration, economy, working area, idling, and
single actions with their smoothness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from sam2s.measures.course import FrameTimes
from sam2s.measures.path_segments import MeasureSettings, PathSegment, PathSegments
from sam2s.measures.presence import Span, debounced, runs_of
from sam2s.measures.smoothness import Smoothness, smoothness_of

Point = Literal["tip", "centroid"]


@dataclass(frozen=True, slots=True)
class Amount:
    """A length, speed, acceleration or area: ``px`` in pixels (per second, ...), ``share`` of the
    picture's diagonal, or of its area."""

    px: float
    share: float


@dataclass(frozen=True, slots=True)
class PointMotion:
    """How a point moved while it was followed.

    ``seconds``: how long that was; ``path``: length of its way; ``speed_mean``, ``speed_p95``,
    ``acceleration_mean``: of the lengths of the vectors; ``working_area``: of the convex hull of
    all its places; ``economy_of_area``: sqrt(working area) / path (I. Oropesa et al., "EVA:
    laparoscopic instrument tracking based on endoscopic video analysis for psychomotor skills
    assessment", Surgical Endoscopy 27, 2013); ``idle_share`` of the time below the speed
    threshold; ``actions``: the runs above it; ``economy``: of the actions, straight ways / ways
    (1 = straight to the goal); ``smoothness``: the median of the actions', each number by itself.
    None where there is no action, or no path.
    """

    seconds: float
    path: Amount
    speed_mean: Amount
    speed_p95: Amount
    acceleration_mean: Amount
    working_area: Amount
    economy_of_area: float | None
    idle_share: float
    actions: tuple[Span, ...]
    economy: float | None
    smoothness: Smoothness | None


def motion_of(
    stretches: PathSegments, size: tuple[int, int], settings: MeasureSettings
) -> PointMotion | None:
    """The motion over all stretches; ``size`` (H, W) of the picture in px. None where the point was
    never followed for long enough."""
    found = stretches.found
    if not found:
        return None
    diagonal = float(np.hypot(*size))
    speed = np.concatenate([one.speed for one in found])
    pieces = [
        part for one in found for part in actions_of(one, settings.speed * diagonal, settings)
    ]
    path = sum(one.path for one in found)
    area = _hull(np.concatenate([one.places for one in found]))
    moved = sum(one.path for one in pieces)
    working = sum(len(one.speed) for one in pieces)

    def amount(px: float) -> Amount:
        return Amount(float(px), float(px) / diagonal)

    return PointMotion(
        sum(one.seconds for one in found),
        amount(path),
        amount(speed.mean()),
        amount(np.percentile(speed, 95)),
        amount(np.concatenate([one.acceleration for one in found]).mean()),
        Amount(area, area / (size[0] * size[1])),
        area**0.5 / path if path > 0 else None,
        1.0 - working / len(speed),
        tuple(Span(float(one.times[0]), float(one.times[-1])) for one in pieces),
        sum(one.straight for one in pieces) / moved if moved > 0 else None,
        _middle([smoothness_of(one.speed, 1 / (one.times[1] - one.times[0])) for one in pieces]),
    )


def actions_of(
    stretch: PathSegment, threshold: float, settings: MeasureSettings
) -> list[PathSegment]:
    """The runs above ``threshold`` px/s. Pauses and runs shorter than ``settings.debounce`` do not
    count."""
    period = float(stretch.times[1] - stretch.times[0])
    clock = FrameTimes(np.arange(len(stretch.times)), stretch.times, period)
    fast = debounced(clock, stretch.speed > threshold, settings.debounce)
    return [stretch.part(run) for run in runs_of(fast) if run.stop - run.start > 1]


def _middle(found: Sequence[Smoothness | None]) -> Smoothness | None:
    known = [one for one in found if one is not None]
    if not known:
        return None
    return Smoothness(
        *(
            float(np.median([getattr(one, name) for one in known]))
            for name in ("sparc", "dimensionless_jerk", "log_dimensionless_jerk")
        )
    )


def _hull(places: np.ndarray) -> float:
    try:
        return float(ConvexHull(places).volume)  # in two dimensions the volume is the area
    except QhullError:  # all on one line, or at one place
        return 0.0
