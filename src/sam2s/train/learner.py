"""One training step's forward pass as a module, so that it can be wrapped (DDP, autocast) like any
other."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch import nn

from sam2s.clips.batch import ClipBatch
from sam2s.memory.policy import Policy
from sam2s.model.sam2s import SAM2S
from sam2s.train.config import Stage
from sam2s.train.dense import DenseHead, dense_loss
from sam2s.train.losses import Losses, mask_losses
from sam2s.train.semantic import semantic_losses
from sam2s.train.unroll import Answer, Script, unroll
from sam2s.types import Decoded, Features


class ClipLearner(nn.Module):
    """Unrolls a batch and judges every answer. ``policy``: the memory rule during training;
    ``dense_head``: what the image encoder is supervised through where a stage asks for it."""

    def __init__(self, model: SAM2S, policy: Policy, dense_head: DenseHead | None = None) -> None:
        super().__init__()
        self.model = model
        self.policy = policy
        self.dense_head = dense_head

    def forward(
        self, batch: ClipBatch, stage: Stage, script: Script, rng: np.random.Generator
    ) -> tuple[Losses, list[Answer]]:
        """Losses averaged over rows and summed over answers (frames and clicks), as in SAM 2; and
        the answers.

        The answers, those with a given mask left out, are detached: DDP waits for a gradient of
        whatever a wrapped module returns attached.
        """
        features = self.model.encode(batch.images.flatten(0, 1))
        if stage.teaching.encoder_only:
            return self._with_dense(
                Losses.none(batch.images.device), batch, stage, features, rng
            ), []
        heard = _attenuated(features, stage.teaching.encoder_gradient)
        answers = unroll(self.model, self.policy, batch, heard, script, stage.teaching.user, rng)
        # The losses are float32 work whatever the precision of the layers.
        with torch.autocast(batch.images.device.type, enabled=False):
            losses = self._judge(batch, stage, answers)
        losses = self._with_dense(losses, batch, stage, features, rng)
        return losses, [_detached(answer) for answer in answers if not answer.given]

    def _with_dense(
        self,
        losses: Losses,
        batch: ClipBatch,
        stage: Stage,
        features: Features,
        rng: np.random.Generator,
    ) -> Losses:
        if self.dense_head is None or not stage.teaching.loss.dense:
            return losses
        return losses.with_dense(
            dense_loss(self.dense_head, features, batch, rng), stage.teaching.loss.dense
        )

    def _judge(self, batch: ClipBatch, stage: Stage, answers: list[Answer]) -> Losses:
        config = stage.teaching.loss
        losses = reduce(
            add,
            (
                mask_losses(
                    a.decoded,
                    batch.masks[a.frame],
                    config,
                    annotated=batch.annotated[a.frame],
                    soften=config.soften,
                    rivals=None if batch.rivals is None else batch.rivals[a.frame],
                )
                for a in answers
                if not a.given
            ),
        )
        head = self.model.semantic_head
        if head is None:
            return losses
        return losses.with_tsl(
            semantic_losses(head, [a.decoded for a in answers], batch.classes), config.tsl
        )


def _attenuated(features: Features, factor: float) -> Features:
    """The same values; gradients that come back through them are multiplied by ``factor``."""
    if factor == 1.0 or not features.stride16.requires_grad:
        return features
    levels = {spec.name: getattr(features, spec.name) for spec in fields(features)}
    views: dict[str, Any] = {
        name: None if x is None else x.view_as(x) for name, x in levels.items()
    }
    for view in views.values():
        if view is not None:
            view.register_hook(lambda gradient: gradient * factor)
    return Features(**views)


def _detached(answer: Answer) -> Answer:
    tensors = {spec.name: getattr(answer.decoded, spec.name) for spec in fields(answer.decoded)}
    detached: dict[str, Any] = {
        name: None if t is None else t.detach() for name, t in tensors.items()
    }
    return replace(answer, decoded=Decoded(**detached))
