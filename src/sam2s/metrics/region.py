"""J, the region similarity of DAVIS 2017: intersection over union (the Jaccard index) of masks.

`jaccard` takes one pair, checked; `jaccards` takes stacks, of NumPy or of torch, and stays on their
device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from sam2s.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Masks = TypeVar("Masks", np.ndarray, "Tensor")
"""Bool masks (..., H, W) as an array or a tensor."""


def jaccard(pred: np.ndarray, gt: np.ndarray) -> float:
    """Intersection over union of two (H, W) bool masks, in [0, 1]; two empty masks agree: 1."""
    check_pair(pred, gt)
    union = int(np.count_nonzero(pred | gt))
    return int(np.count_nonzero(pred & gt)) / union if union else 1.0


def jaccards(predicted: Masks, truth: Masks, *, both_empty: float) -> Masks:
    """Intersection over union of two stacks of (..., H, W) bool masks: (...) in [0, 1], float64 for
    NumPy arrays and float32 for tensors; ``both_empty`` where neither has a pixel (1 in DAVIS)."""
    common = (predicted & truth).sum((-2, -1))
    either = (predicted | truth).sum((-2, -1))
    empty = either == 0
    # An empty union counts as one pixel, so that nothing is divided by zero.
    return common / (either + empty) + empty * both_empty


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
