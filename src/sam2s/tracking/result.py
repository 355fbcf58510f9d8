"""From observed rows to what users see: masks at source size, presence and scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from sam2s.geometry import logits_to_source
from sam2s.model.semantic_head import SemanticHead
from sam2s.tracking.rows import Observation
from sam2s.types import Decoded, Frame, FrameResult, MaskLogits


def frame_result(
    frame: Frame,
    ids: Sequence[int],
    seen: Observation,
    semantic_head: SemanticHead | None = None,
    *,
    exclusive: bool = False,
) -> FrameResult:
    """The result of a frame whose rows are the objects ``ids``.

    Masks (bool, source size) where the upsampled logit is above zero; a given mask comes back
    exactly as given. ``exclusive``: a pixel belongs to one object at most, to one whose mask was
    given before any other, else to the one with the highest logit; ``logits`` stay as the decoder
    made them.

    Presence is the sigmoid of the object logit; the score is presence times the predicted IoU. With
    the model's ``semantic_head`` every object is named, in view or not: a class is what an object
    is, not what a frame shows.
    """
    decoded = seen.decoded
    raised = logits_to_source(decoded.mask_logits, frame.size)
    masks = (raised > 0).cpu().numpy()
    presence = decoded.object_logits.float().sigmoid()
    quality = presence * decoded.iou.float().clamp(0, 1)
    present, scores, *named = torch.stack(
        [presence, quality, *_names(decoded, semantic_head)]
    ).tolist()
    given = [prompt.given for prompt in seen.rows.prompts]
    if exclusive and len(ids) > 1:
        masks &= _winners(raised) & ~_taken(given, frame.size)
    answers = [
        mask if answer is None else answer for mask, answer in zip(masks, given, strict=True)
    ]
    classes, class_probs = {}, {}
    if semantic_head is not None:
        best, probs = named
        classes = {i: semantic_head.classes[int(k)] for i, k in zip(ids, best, strict=True)}
        class_probs = dict(zip(ids, probs, strict=True))
    return FrameResult(
        index=frame.index,
        time=frame.time,
        masks=dict(zip(ids, answers, strict=True)),
        presence=dict(zip(ids, present, strict=True)),
        scores=dict(zip(ids, scores, strict=True)),
        logits=MaskLogits(dict(zip(ids, decoded.mask_logits, strict=True))),
        classes=classes,
        class_probs=class_probs,
    )


def _names(decoded: Decoded, head: SemanticHead | None) -> tuple[Tensor, ...]:
    """Index of the most probable class name of every row, as a float beside other floats, and its
    probability; nothing without a head."""
    if head is None:
        return ()
    probs, best = head.classify(decoded).max(dim=-1)
    return best.float(), probs


def _winners(logits: Tensor) -> np.ndarray:
    """(N, H, W) logits -> (N, H, W) bool, True where the object has the highest; of equals the
    first."""
    best = logits.argmax(dim=0)
    return (best == torch.arange(len(logits), device=best.device).view(-1, 1, 1)).cpu().numpy()


def _taken(given: Iterable[np.ndarray | None], size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: pixels of the masks that users gave."""
    taken = np.zeros(size, bool)
    for mask in given:
        if mask is not None:
            taken |= mask
    return taken
