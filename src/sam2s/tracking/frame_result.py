"""From observed rows to what users see: masks at source size, presence and scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from sam2s.geometry import logits_to_source
from sam2s.model.semantic_head import SemanticHead
from sam2s.tracking.rows import Observation
from sam2s.types import Frame, FrameResult, MaskLogits


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
    columns = [presence, presence * decoded.iou.float().clamp(0, 1)]
    if semantic_head is not None:
        probs, best = semantic_head.classify(decoded).max(dim=-1)
        columns += [best.float(), probs]
    # Stacked, so that Python waits for the device once; an index is exact as a float.
    present, scores, *named = torch.stack(columns).tolist()
    classes, class_probs = {}, {}
    if semantic_head is not None:
        names, certain = named
        classes = {i: semantic_head.classes[int(k)] for i, k in zip(ids, names, strict=True)}
        class_probs = dict(zip(ids, certain, strict=True))
    given = [prompt.given for prompt in seen.rows.prompts]
    if exclusive and len(ids) > 1:
        winner = raised.argmax(
            dim=0
        )  # (H, W): which row has the highest logit, the first of equals
        rows = torch.arange(len(raised), device=winner.device).view(-1, 1, 1)
        masks &= (winner == rows).cpu().numpy() & ~_taken(given, frame.size)
    answers = [masks[k] if mask is None else mask for k, mask in enumerate(given)]
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


def _taken(given: Iterable[np.ndarray | None], size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: pixels of the masks that users gave."""
    taken = np.zeros(size, bool)
    for mask in given:
        if mask is not None:
            taken |= mask
    return taken
