"""From decoded rows to what users see: masks at source size, presence and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sam2s.geometry import logits_to_source
from sam2s.model.semantic_head import SemanticHead
from sam2s.tracking.state import Observation
from sam2s.types import Decoded, Frame, FrameResult, Mask, Prompt


def frame_result(
    frame: Frame,
    seen: Observation,
    prompts: Mapping[int, Sequence[Prompt]],
    semantic_head: SemanticHead | None = None,
) -> FrameResult:
    """Masks (bool, source size) where the upsampled logit is above zero; a given mask comes back exactly as given.

    Presence is the sigmoid of the object logit; the score is presence times the predicted IoU. With the model's
    ``semantic_head`` every object is named, in view or not: a class is what an object is, not what a frame shows.
    """
    decoded = seen.decoded
    masks = (logits_to_source(decoded.mask_logits, frame.size) > 0).cpu().numpy()
    presence = decoded.object_logits.float().sigmoid()
    quality = (presence * decoded.iou.float().clamp(0, 1)).tolist()
    logits = decoded.mask_logits.float().cpu().numpy()
    names, probs = _names(decoded, semantic_head)
    return FrameResult(
        index=frame.index,
        time=frame.time,
        masks={i: _answer(prompts.get(i, ()), masks[k]) for k, i in enumerate(seen.ids)},
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


def _answer(prompts: Sequence[Prompt], predicted: np.ndarray) -> np.ndarray:
    """The mask a user gave, else the predicted one."""
    return next((p.mask for p in prompts if isinstance(p, Mask)), predicted)
