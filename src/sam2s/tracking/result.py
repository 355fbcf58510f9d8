"""From decoded rows to what users see: masks at source size, presence and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from sam2s.geometry import logits_to_source
from sam2s.model.semantic_head import SemanticHead
from sam2s.tracking.state import Observation
from sam2s.types import Decoded, Frame, FrameResult, Mask, Prompt


def frame_result(
    frame: Frame,
    seen: Observation,
    prompts: Mapping[int, Sequence[Prompt]],
    semantic_head: SemanticHead | None = None,
    *,
    exclusive: bool = False,
) -> FrameResult:
    """Masks (bool, source size) where the upsampled logit is above zero; a given mask comes back
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
    quality = (presence * decoded.iou.float().clamp(0, 1)).tolist()
    logits = decoded.mask_logits.float().cpu().numpy()
    names, probs = _names(decoded, semantic_head)
    answers = {i: _given(prompts.get(i, ())) for i in seen.ids}
    if exclusive and len(seen.ids) > 1:
        masks &= _winners(raised) & ~_taken(answers.values(), frame.size)
    return FrameResult(
        index=frame.index,
        time=frame.time,
        masks={
            i: masks[k] if given is None else given for k, (i, given) in enumerate(answers.items())
        },
        presence=dict(zip(seen.ids, presence.tolist(), strict=True)),
        scores=dict(zip(seen.ids, quality, strict=True)),
        logits={i: logits[k] for k, i in enumerate(seen.ids)},
        classes=dict(zip(seen.ids, names, strict=False)),
        class_probs=dict(zip(seen.ids, probs, strict=False)),
    )


def _names(decoded: Decoded, head: SemanticHead | None) -> tuple[list[str], list[float]]:
    """The most probable class name of every row and its probability; nothing without a head."""
    if head is None:
        return [], []
    probs, best = head.classify(decoded).max(dim=-1)
    return [head.classes[k] for k in best.tolist()], probs.tolist()


def _given(prompts: Sequence[Prompt]) -> np.ndarray | None:
    """The mask a user gave, if any."""
    return next((p.mask for p in prompts if isinstance(p, Mask)), None)


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
