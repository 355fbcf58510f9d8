"""Calibration: does a predicted probability of 0.7 mean that seven of ten such pixels belong to the
object?

Counts are kept per bin of predicted probability, so curves of frames, objects and videos add up,
and the expected calibration error (ECE, Naeini et al. 2015) of any set is the count-weighted gap
between confidence and frequency. Over a whole picture nearly every pixel is trivially certain;
``boundary_band`` restricts the count to where annotators disagree (paper section 3.4), and
``boundary_reliability`` counts there at the decoder's own resolution, before its logits are
upsampled and cut to a mask.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.special import expit

from sam2s.errors import InputError

BINS = 15
BAND = 2.5
"""Width of the band around a true boundary, in pixels of the decoder's masks: two of them (8 pixels
of the model's input) on either side, about what DAVIS tolerates of a contour."""


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """A reliability curve as sums per bin of predicted probability, all arrays (bins,) float64.

    ``count``: pixels; ``confidence``: sum of their predicted probabilities; ``positive``: how many
    belong to the object.
    """

    count: np.ndarray
    confidence: np.ndarray
    positive: np.ndarray

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.count + other.count,
            self.confidence + other.confidence,
            self.positive + other.positive,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reliability) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("count", "confidence", "positive")
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def pixels(self) -> int:
        """How many pixels were counted."""
        return int(self.count.sum())

    @property
    def ece(self) -> float:
        """Expected calibration error in [0, 1]; NaN when nothing was counted."""
        total = float(self.count.sum())
        return (
            float(np.abs(self.confidence - self.positive).sum()) / total if total else float("nan")
        )

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """(mean predicted probability, observed frequency) of the bins that hold pixels."""
        used = self.count > 0
        return self.confidence[used] / self.count[used], self.positive[used] / self.count[used]

    def to_json(self) -> dict[str, list[float]]:
        """The three sums; ``from_json`` reads them."""
        return {name: getattr(self, name).tolist() for name in ("count", "confidence", "positive")}

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> Reliability:
        """What `to_json` gave."""
        return Reliability(
            *(np.array(entry[name], np.float64) for name in ("count", "confidence", "positive"))
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """Boundary pixels of scored frames: ``every`` one with the object in view, and those on which
    it was ``found`` (IoU with the true mask at least 0.5). A lost object is confidently wrong all
    along its boundary; where it was found the curve shows how sure the model is of where exactly
    the boundary lies."""

    every: Reliability
    found: Reliability

    def __add__(self, other: Calibration) -> Calibration:
        return Calibration(self.every + other.every, self.found + other.found)

    def to_json(self) -> dict[str, Any]:
        """Both curves; ``from_json`` reads them."""
        return {"every": self.every.to_json(), "found": self.found.to_json()}

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> Calibration:
        """What `to_json` gave."""
        return Calibration(
            Reliability.from_json(entry["every"]), Reliability.from_json(entry["found"])
        )


def empty_reliability(bins: int = BINS) -> Reliability:
    """The curve of no pixels: the neutral element of addition."""
    return Reliability(np.zeros(bins), np.zeros(bins), np.zeros(bins))


def total_calibration(parts: Iterable[Calibration | None]) -> Calibration | None:
    """The sum; None entries do not count, and no entry gives None."""
    given = [part for part in parts if part is not None]
    return sum(given, Calibration(empty_reliability(), empty_reliability())) if given else None


def reliability(
    prob: np.ndarray,
    target: np.ndarray,
    *,
    where: np.ndarray | None = None,
    bins: int = BINS,
    of_logits: bool = False,
) -> Reliability:
    """The curve of one mask. ``prob`` (H, W) float in [0, 1], or logits with ``of_logits``;
    ``target`` (H, W) bool; ``where`` (H, W) bool or all.

    Bins divide [0, 1] evenly; a probability on an edge counts in the upper bin, 1.0 in the last.
    ``InputError`` when shapes differ.
    """
    if prob.shape != target.shape:
        raise InputError(
            f"calibration: probabilities are {prob.shape} and the mask {target.shape}; give equal"
            " sizes"
        )
    p = (prob if where is None else prob[where]).astype(np.float64).ravel()
    p = expit(p) if of_logits else p
    y = (target if where is None else target[where]).astype(np.float64).ravel()
    index = np.clip((p * bins).astype(np.int64), 0, bins - 1)
    count, confidence, positive = (
        np.bincount(index, weights, minlength=bins) for weights in (None, p, y)
    )
    return Reliability(count.astype(np.float64), confidence, positive)


def boundary_reliability(logits: np.ndarray, mask: np.ndarray, width: float = BAND) -> Reliability:
    """The curve of one mask around its true boundary: ``logits`` (h, w) float, ``mask`` (h, w) bool
    the true one.

    Nothing is counted where the object is absent or fills the picture. ``InputError`` when shapes
    differ.
    """
    window = _around(mask, math.ceil(width))
    band = boundary_band(mask[window], width)
    return reliability(logits[window], mask[window], where=band, of_logits=True)


def boundary_band(mask: np.ndarray, width: float) -> np.ndarray:
    """(H, W) bool: pixels whose centre lies less than ``width`` pixels from a pixel of the other
    side of ``mask``.

    Empty for an empty or full mask.
    """
    if not mask.any() or mask.all():
        return np.zeros(mask.shape, bool)
    outside = ndimage.distance_transform_edt(~mask)
    inside = ndimage.distance_transform_edt(mask)
    return np.maximum(outside, inside) < width


def _around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """The mask's bounding box and ``margin`` pixels around it, inside the picture; nothing for an
    empty mask."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return slice(0, 0), slice(0, 0)
    return slice(max(rows[0] - margin, 0), rows[-1] + 1 + margin), slice(
        max(cols[0] - margin, 0), cols[-1] + 1 + margin
    )
