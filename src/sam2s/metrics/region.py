"""J, the region similarity of DAVIS 2017: intersection over union of two masks."""

from __future__ import annotations

import numpy as np

from sam2s.errors import InputError


def jaccard(pred: np.ndarray, gt: np.ndarray) -> float:
    """Intersection over union of two (H, W) bool masks, in [0, 1]; two empty masks agree: 1."""
    check_pair(pred, gt)
    union = int(np.count_nonzero(pred | gt))
    return int(np.count_nonzero(pred & gt)) / union if union else 1.0


def check_pair(pred: np.ndarray, gt: np.ndarray) -> None:
    """InputError unless both are bool (H, W) arrays of the same size."""
    if pred.dtype != bool or gt.dtype != bool or pred.ndim != 2:
        raise InputError(
            f"metrics: expected bool (H, W) masks, got {pred.dtype}{pred.shape},"
            f" {gt.dtype}{gt.shape}"
        )
    if pred.shape != gt.shape:
        raise InputError(
            f"metrics: the masks differ in size, {pred.shape} and {gt.shape}; score at the source's"
            " size"
        )
