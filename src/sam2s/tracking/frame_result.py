"""From observed rows to what users see: masks at source size, presence and scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from sam2s.geometry import logits_to_source
from sam2s.model.semantic_head import SemanticHead
from sam2s.tracking.rows import Observation
from sam2s.types import Frame, FrameResult, MaskLogits


def shown(
    seen: Observation,
    size: tuple[int, int],
    semantic_head: SemanticHead | None = None,
    *,
    exclusive: bool = False,
) -> list[Tensor]:
    """What N rows show at source ``size`` (height, width), still on the model's device: masks (N,
    H, W) bool, presence and scores (N,) float32 and, with the model's ``semantic_head``, the index
    of the most probable class (N,) and its probability (N,).

    A mask is where the upsampled logit is above zero. Presence is the sigmoid of the object logit;
    the score is presence times the predicted IoU. Every object is named, in view or not: a class is
    what an object is, not what a frame shows. ``exclusive``: a pixel belongs to the row with the
    highest logit, the first of equals.
    """
    decoded = seen.decoded
    raised = logits_to_source(decoded.mask_logits, size)
    masks = raised > 0
    if exclusive and len(masks) > 1:
        rows = torch.arange(len(masks), device=masks.device).view(-1, 1, 1)
        masks = masks & (raised.argmax(dim=0) == rows)
    presence = decoded.object_logits.float().sigmoid()
    found = [masks, presence, presence * decoded.iou.float().clamp(0, 1)]
    if semantic_head is not None:
        probs, best = semantic_head.classify(decoded).max(dim=-1)
        found += [best, probs]
    return found


def frame_result(
    frame: Frame,
    ids: Sequence[int],
    seen: Observation,
    arrays: Sequence[np.ndarray],
    *,
    class_names: Sequence[str] = (),
    exclusive: bool = False,
) -> FrameResult:
    """The result of a frame whose rows are the objects ``ids``; ``arrays``: what is `shown`, on the
    host.

    A given mask comes back exactly as given; where masks are ``exclusive`` it also takes its pixels
    from all others. ``logits`` stay as the decoder made them.
    """
    masks, presence, scores, *named = arrays
    given = [prompt.given for prompt in seen.rows.prompts]
    if exclusive and len(ids) > 1:
        masks = masks & ~_taken(given, frame.size)
    answers = [masks[k] if mask is None else mask for k, mask in enumerate(given)]
    classes, class_probs = {}, {}
    if named:
        best, certain = named
        classes = {i: class_names[int(k)] for i, k in zip(ids, best, strict=True)}
        class_probs = dict(zip(ids, certain.tolist(), strict=True))
    return FrameResult(
        index=frame.index,
        time=frame.time,
        masks=dict(zip(ids, answers, strict=True)),
        presence=dict(zip(ids, presence.tolist(), strict=True)),
        scores=dict(zip(ids, scores.tolist(), strict=True)),
        logits=MaskLogits(dict(zip(ids, seen.decoded.mask_logits, strict=True))),
        classes=classes,
        class_probs=class_probs,
    )


def _taken(given: Iterable[np.ndarray | None], size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: pixels of the masks that users gave."""
    taken = np.zeros(size, bool)
    for mask in given:
        if mask is not None:
            taken |= mask
    return taken
