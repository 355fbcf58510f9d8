"""Scripted memories for the rules that judge masks: boxes drawn into masks, with scores of one's
choice."""

from __future__ import annotations

import numpy as np
import torch

from sam2s.types import Memory, Origin, Sighting

SIZE = 64


def boxed(left: int, top: int, width: int, height: int) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def sighting(
    *masks: np.ndarray, ious: tuple[float, ...] = (), chosen: int = 0, logit: float = 5.0
) -> Sighting:
    return Sighting(np.stack(masks), ious or (0.9,) * len(masks), logit, chosen)


def remember(
    time: int,
    seen: Sighting | None = None,
    *,
    origin: Origin = Origin.TRACKED,
    **changes,
) -> Memory:
    iou = seen.ious[seen.chosen] if seen else 0.9
    logit = seen.object_logit if seen else 5.0
    kept = {"iou": iou, "object_logit": logit, "descriptor": torch.ones(2, 1, 1)} | changes
    return Memory(time, origin, torch.ones(1, 2, 2), torch.zeros(1), sighting=seen, **kept)
