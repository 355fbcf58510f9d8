"""From frames to one number: scores of a sequence and their means, as DAVIS 2017 forms them.

One object in one video gives one score: the mean over its frames. A set of objects gives the
unweighted mean over objects, however long they were in view. J, F and J&F are fractions in [0, 1];
J&F is the mean of J and F.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sam2s.metrics.boundary import BOUND_TH, boundary_f
from sam2s.metrics.region import jaccard


@dataclass(frozen=True, slots=True)
class Score:
    """Mean J and F, in [0, 1], over ``frames`` scored frames (of one object, or summed over the
    objects of a mean)."""

    j: float
    f: float
    frames: int = 1

    @property
    def jf(self) -> float:
        """J&F, the mean of both."""
        return (self.j + self.f) / 2


def score_frame(pred: np.ndarray, gt: np.ndarray, bound_th: float = BOUND_TH) -> Score:
    """J and F of one pair of (H, W) bool masks."""
    return Score(jaccard(pred, gt), boundary_f(pred, gt, bound_th))


def score_sequence(
    pairs: Iterable[tuple[np.ndarray, np.ndarray]], bound_th: float = BOUND_TH
) -> Score | None:
    """Mean over the frames of one object, (predicted, true) masks; None when there is no frame to
    score."""
    return mean_score(score_frame(pred, gt, bound_th) for pred, gt in pairs)


def mean_score(scores: Iterable[Score | None]) -> Score | None:
    """Unweighted mean of scores; None entries (nothing was scored there) do not count, and no entry
    gives None."""
    given = [s for s in scores if s is not None]
    if not given:
        return None
    j, f = (float(np.mean([getattr(s, name) for s in given])) for name in ("j", "f"))
    return Score(j, f, sum(s.frames for s in given))
