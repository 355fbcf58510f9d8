"""Small holes and specks of masks: Meta's ``fill_hole_area``, ``max_hole_area`` and
``max_sprinkle_area``."""

from __future__ import annotations

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

EIGHT = np.ones((3, 3), bool)
FILLED = 0.1
"""Logit of a filled hole of a tracked mask (Meta's)."""
MARGIN = 10.0
"""How far from the threshold a picture's filled holes and removed specks are put (Meta's)."""


def small_regions(where: Tensor, most: float) -> Tensor:
    """(N, h, w) bool -> (N, h, w) bool on the same device: the 8-connected parts of each plane that
    have at most ``most`` pixels."""
    found = np.zeros(where.shape, bool)
    for plane, mask in zip(found, where.cpu().numpy(), strict=True):
        labels, count = ndimage.label(mask, EIGHT)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        areas[0] = mask.size + 1  # the rest is no part
        plane[:] = (areas <= most)[labels]
    return torch.from_numpy(found).to(where.device)


def without_holes(logits: Tensor, most: float) -> Tensor:
    """(N, h, w) logits of tracked masks with holes of at most ``most`` pixels filled."""
    return torch.where(small_regions(logits <= 0, most), FILLED, logits) if most > 0 else logits


def without_small(logits: Tensor, threshold: float, holes: float, specks: float) -> Tensor:
    """(N, h, w) logits of a picture's masks with holes of at most ``holes`` pixels filled and parts
    of at most ``specks`` removed."""
    if holes > 0:
        inside = small_regions(logits <= threshold, holes)
        logits = torch.where(inside, threshold + MARGIN, logits)
    if specks > 0:
        outside = small_regions(logits > threshold, specks)
        logits = torch.where(outside, threshold - MARGIN, logits)
    return logits


def kept_apart(logits: Tensor) -> Tensor:
    """(N, H, W) logits in which a pixel is inside the mask with the highest one at most."""
    if len(logits) < 2:
        return logits
    rows = torch.arange(len(logits), device=logits.device).view(-1, 1, 1)
    return torch.where(logits.argmax(dim=0) == rows, logits, logits.clamp(max=-MARGIN))
