"""Calibration: does a predicted probability of 0.7 mean that seven of ten such pixels belong to the object?

Counts are kept per bin of predicted probability, so curves of frames, objects and videos add up, and the expected
calibration error (ECE, Naeini et al. 2015) of any set is the count-weighted gap between confidence and frequency.
Over a whole picture nearly every pixel is trivially certain; ``boundary_band`` restricts the count to where
annotators disagree (paper section 3.4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sam2s.errors import InputError

BINS = 15


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """A reliability curve as sums per bin of predicted probability, all arrays (bins,) float64.

    ``count``: pixels; ``confidence``: sum of their predicted probabilities; ``positive``: how many belong to the
    object.
    """

    count: np.ndarray
    confidence: np.ndarray
    positive: np.ndarray

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(self.count + other.count, self.confidence + other.confidence, self.positive + other.positive)

    @property
    def ece(self) -> float:
        """Expected calibration error in [0, 1]; NaN when nothing was counted."""
        total = float(self.count.sum())
        return float(np.abs(self.confidence - self.positive).sum()) / total if total else float("nan")

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """(mean predicted probability, observed frequency) of the bins that hold pixels."""
        used = self.count > 0
        return self.confidence[used] / self.count[used], self.positive[used] / self.count[used]


def empty_reliability(bins: int = BINS) -> Reliability:
    """The curve of no pixels: the neutral element of addition."""
    return Reliability(np.zeros(bins), np.zeros(bins), np.zeros(bins))


def reliability(
    prob: np.ndarray, target: np.ndarray, *, where: np.ndarray | None = None, bins: int = BINS
) -> Reliability:
    """The curve of one mask. ``prob`` (H, W) float in [0, 1]; ``target`` (H, W) bool; ``where`` (H, W) bool or all.

    Bins divide [0, 1] evenly; a probability on an edge counts in the upper bin, 1.0 in the last. ``InputError`` when
    shapes differ.
    """
    if prob.shape != target.shape:
        raise InputError(f"calibration: probabilities are {prob.shape} and the mask {target.shape}; give equal sizes")
    p = (prob if where is None else prob[where]).astype(np.float64).ravel()
    y = (target if where is None else target[where]).astype(np.float64).ravel()
    index = np.clip((p * bins).astype(np.int64), 0, bins - 1)
    count, confidence, positive = (np.bincount(index, weights, minlength=bins) for weights in (None, p, y))
    return Reliability(count.astype(np.float64), confidence, positive)


def boundary_band(mask: np.ndarray, width: float) -> np.ndarray:
    """(H, W) bool: pixels whose centre lies less than ``width`` pixels from a pixel of the other side of ``mask``.

    Empty for an empty or full mask.
    """
    if not mask.any() or mask.all():
        return np.zeros(mask.shape, bool)
    outside = ndimage.distance_transform_edt(~mask)
    inside = ndimage.distance_transform_edt(mask)
    return np.maximum(outside, inside) < width
