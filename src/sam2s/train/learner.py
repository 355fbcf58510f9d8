"""One training step's forward pass as a module, so that it can be wrapped (DDP, autocast) like any
other, and activation checkpointing for it.

Activation checkpointing: blocks are computed again in the backward pass, so only their inputs are
kept (Chen et al. 2016, arXiv 1604.06174, through ``torch.utils.checkpoint``). Gradients are the
same; dropout draws the same numbers both times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sam2s.clips.batch import ClipBatch
from sam2s.geometry import normalise
from sam2s.memory.policy import Policy
from sam2s.metrics import jaccards
from sam2s.model.hiera import HieraBlock
from sam2s.model.memory_attention import MemoryAttentionLayer
from sam2s.model.sam2s import SAM2S
from sam2s.train.config import Stage
from sam2s.train.dense import DenseHead, dense_loss
from sam2s.train.losses import LossConfig, Losses, mask_losses
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
        # (B, T, 3, S, S) -> (B T, 3, S, S): all frames at once, clip by clip.
        images = batch.images.flatten(0, 1)
        features = self.model.encode(normalise(images, images.device))
        if stage.teaching.encoder_only:
            return self._with_dense(
                Losses.none(batch.images.device), batch, stage, features, rng
            ), []
        attenuated = _attenuated(features, stage.teaching.encoder_gradient)
        answers = unroll(
            self.model, self.policy, batch, attenuated, script, stage.teaching.user, rng
        )
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

    def _judge(self, batch: ClipBatch, stage: Stage, answers: Sequence[Answer]) -> Losses:
        config = stage.teaching.loss
        losses = reduce(add, (_group_losses(batch, config, group) for group in _alike(answers)))
        head = self.model.semantic_head
        if head is None:
            return losses
        return losses.with_tsl(
            semantic_losses(head, [a.decoded for a in answers], batch.classes), config.tsl
        )


def _alike(answers: Sequence[Answer]) -> list[list[Answer]]:
    """The answers that are to be judged, those with equally many candidates together."""
    groups: dict[int, list[Answer]] = {}
    for answer in answers:
        if not answer.given:
            groups.setdefault(answer.decoded.candidate_ious.shape[1], []).append(answer)
    return list(groups.values())


def _group_losses(batch: ClipBatch, config: LossConfig, group: Sequence[Answer]) -> Losses:
    """The sum of the losses of some answers with equally many candidates, judged as rows of one
    answer."""

    def rows(part: Tensor) -> Tensor:
        # (T, N, ...) -> (A N, ...)
        return torch.cat([part[answer.frame] for answer in group])

    return mask_losses(
        _joined([answer.decoded for answer in group]),
        rows(batch.masks),
        config,
        annotated=rows(batch.annotated),
        soften=config.soften,
        rivals=None if batch.rivals is None else rows(batch.rivals),
    ).times(len(group))


def _joined(parts: Sequence[Decoded]) -> Decoded:
    """What is judged of several decodings, their rows one after the other."""
    return replace(
        parts[0],
        candidate_logits=torch.cat([part.candidate_logits for part in parts]),
        candidate_ious=torch.cat([part.candidate_ious for part in parts]),
        object_logits=torch.cat([part.object_logits for part in parts]),
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


def recompute_blocks(model: SAM2S) -> SAM2S:
    """Checkpoint the blocks of the trunk and the layers of memory attention of ``model``, in
    place."""
    for module in model.modules():
        if isinstance(module, HieraBlock | MemoryAttentionLayer):
            _wrap(module)
    return model


def _wrap(module: nn.Module) -> None:
    forward: Callable[..., Any] = module.forward

    def light(*inputs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs)
        return checkpoint(forward, *inputs, use_reentrant=False)

    module.forward = light


@torch.no_grad()
def mean_jaccard(batch: ClipBatch, answers: Sequence[Answer]) -> Tensor:
    """Mean Jaccard index, in percent, of the chosen masks where the object is present, at the
    decoder's resolution: scalar; 0 where nothing is."""
    if not answers:
        return torch.zeros((), device=batch.masks.device)
    # (T, N, S, S) -> (T, N, S/4, S/4), the decoder's resolution -> (A, N, S/4, S/4)
    pooled = F.avg_pool2d(batch.masks.float(), 4) >= 0.5
    truth = torch.stack([pooled[answer.frame] for answer in answers])
    known = torch.stack([batch.annotated[answer.frame] for answer in answers])
    predicted = torch.stack([answer.decoded.mask_logits > 0 for answer in answers])
    present = truth.flatten(2).any(2) & known
    scores = jaccards(predicted, truth, both_empty=0.0) * present
    return 100 * scores.sum() / present.sum().clamp(min=1)
