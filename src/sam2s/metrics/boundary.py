"""F, the contour accuracy of DAVIS 2017: precision and recall of boundary pixels within a small
distance.

A boundary pixel of one mask is matched when the other mask has a boundary pixel within r pixels
(Euclidean), where r = ceil(0.008 x the picture's diagonal). F is the harmonic mean of both masks'
matched shares. Masks without a boundary (empty, or filling the picture) follow DAVIS: both without,
F = 1; only one without, F = 0.
"""

from __future__ import annotations

import math

import numpy as np

from sam2s.metrics.region import check_pair

BOUND_TH = 0.008
"""DAVIS 2017's tolerance, as a share of the picture's diagonal."""


def boundary_f(pred: np.ndarray, gt: np.ndarray, bound_th: float = BOUND_TH) -> float:
    """F of two (H, W) bool masks, in [0, 1]. ``bound_th`` < 1 is a share of the diagonal, from 1 on
    it is in pixels."""
    check_pair(pred, gt)
    radius = tolerance(pred.shape, bound_th)
    window = _window(pred | gt)
    pred_edge, gt_edge = boundary(pred[window]), boundary(gt[window])
    n_pred, n_gt = int(np.count_nonzero(pred_edge)), int(np.count_nonzero(gt_edge))
    if n_pred == 0 or n_gt == 0:
        return float(n_pred == n_gt)
    precision = int(np.count_nonzero(pred_edge & dilate(gt_edge, radius))) / n_pred
    recall = int(np.count_nonzero(gt_edge & dilate(pred_edge, radius))) / n_gt
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def tolerance(shape: tuple[int, ...], bound_th: float = BOUND_TH) -> int:
    """The matching distance r in whole pixels for a picture of ``shape`` (H, W)."""
    return math.ceil(bound_th if bound_th >= 1 else bound_th * float(np.linalg.norm(shape)))


def boundary(mask: np.ndarray) -> np.ndarray:
    """Pixels of a (H, W) bool mask that differ from their neighbour on the right, below, or
    diagonally below right.

    The contour lies half a pixel towards the origin, as in DAVIS. Beyond its last row and column
    the mask goes on unchanged, so the border of the picture is no contour.
    """
    ahead = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return (mask != ahead[:-1, 1:]) | (mask != ahead[1:, :-1]) | (mask != ahead[1:, 1:])


def dilate(edge: np.ndarray, radius: int) -> np.ndarray:
    """Pixels within ``radius`` (Euclidean, dx^2 + dy^2 <= radius^2) of a True pixel of the bool map
    ``edge``.

    The disc is a stack of horizontal runs: the map is widened pixel by pixel, and each width is
    copied to the rows above and below at which the disc has it: 4 radius + 2 cheap passes, whatever
    the number of contour pixels.
    """
    height, width = edge.shape
    wide = np.pad(edge, ((0, 0), (radius, radius)))
    out = np.zeros((height + 2 * radius, width), bool)
    run = edge.copy()
    half = 0
    for dy in range(radius, -1, -1):
        while half < math.isqrt(radius * radius - dy * dy):
            half += 1
            run |= wide[:, radius - half : radius - half + width]
            run |= wide[:, radius + half : radius + half + width]
        out[radius - dy : radius - dy + height] |= run
        out[radius + dy : radius + dy + height] |= run
    return out[radius : radius + height]


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    """The mask's bounding box and one pixel around it, inside the picture; one pixel for an empty
    mask.

    Contours of masks inside the box lie in this window. Dilating inside the window is enough, since
    a pixel that a contour reaches from inside is asked about only where the other contour is.
    """
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return slice(0, 1), slice(0, 1)
    return slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(cols[0] - 1, 0), cols[-1] + 2)
