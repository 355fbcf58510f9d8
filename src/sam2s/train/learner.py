"""One training step's forward pass as a module, so that it can be wrapped (DDP, autocast) like any other."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch import nn

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
