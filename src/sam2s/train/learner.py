"""One training step's forward pass as a module, so that it can be wrapped (DDP, autocast) like any other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from sam2s.data.batch import ClipBatch
from sam2s.memory.bank import Policy
from sam2s.model.sam2s import SAM2S
from sam2s.train.config import Stage
from sam2s.train.losses import Losses, mask_losses
from sam2s.train.semantic import semantic_losses
from sam2s.train.unroll import Answer, Script, unroll
from sam2s.types import Decoded


class ClipLearner(nn.Module):
    """Unrolls a batch and judges every answer. ``policy``: the memory rule during training."""

    def __init__(self, model: SAM2S, policy: Policy) -> None:
        super().__init__()
        self.model = model
        self.policy = policy

    def forward(
        self, batch: ClipBatch, stage: Stage, script: Script, rng: np.random.Generator
    ) -> tuple[Losses, list[Answer]]:
        """Losses averaged over rows and summed over answers (frames and clicks), as in SAM 2; and the answers.

        The answers, those with a given mask left out, are detached: DDP waits for a gradient of whatever a wrapped
        module returns attached.
        """
        with plain_attention(batch.images.device):
            features = self.model.encode(batch.images.flatten(0, 1))
        answers = unroll(self.model, self.policy, batch, features, script, stage.user, rng)
        # The losses are float32 work whatever the precision of the layers.
        with torch.autocast(batch.images.device.type, enabled=False):
            return self._judge(batch, stage, answers), [_detached(answer) for answer in answers if not answer.given]

    def _judge(self, batch: ClipBatch, stage: Stage, answers: list[Answer]) -> Losses:
        config = stage.loss
        losses = reduce(
            add,
            (
                mask_losses(
                    a.decoded, batch.masks[a.frame], config, annotated=batch.annotated[a.frame], soften=config.soften
                )
                for a in answers
                if not a.given
            ),
        )
        head = self.model.semantic_head
        if head is None:
            return losses
        return losses.with_tsl(semantic_losses(head, [a.decoded for a in answers], batch.classes), config.tsl)


def _detached(answer: Answer) -> Answer:
    tensors = {spec.name: getattr(answer.decoded, spec.name) for spec in fields(answer.decoded)}
    detached: dict[str, Any] = {name: None if t is None else t.detach() for name, t in tensors.items()}
    return replace(answer, decoded=Decoded(**detached))


@contextmanager
def plain_attention(device: torch.device) -> Iterator[None]:
    """On a CPU, attention as two matrix products: the fused kernel's bfloat16 backward pass is slower than its forward
    pass gains, while plain products run on AMX (measured on windowed attention: 1.5 times as fast). Elsewhere nothing
    changes. The flag sits under ``cuda`` but governs the plain path on every device."""
    if device.type != "cpu":
        yield
        return
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(before)
