"""SAM 2's training losses on candidate masks, as plain functions of logits and targets.

``N`` rows (one object on one frame), ``M`` candidate masks, ``h x w`` the resolution at which masks
are compared. Of M candidates only the one with the smallest focal + dice loss is taught the mask;
an absent object (empty target) teaches presence alone. Source: SAM 2, appendix on training, and its
published fine-tuning configuration (focal 20, dice 1, IoU 1 as L1 on every candidate, object score
1 as plain cross-entropy).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.metrics import jaccards
from sam2s.train.ambiguity import SoftLabel
from sam2s.types import Decoded

LOGIT_LIMIT = 32.0
"""Mask logits are clamped here before the loss: rows gated as absent carry -1024, which has no
gradient anyway."""

TargetTransform = Callable[[Tensor], Tensor]
"""Hard target (N, h, w) in {0, 1} -> the target of the focal loss in [0, 1]: ARL's soft label takes
this place."""


@dataclass(frozen=True)
class LossConfig:
    """Weights and constants of the mask losses.

    ``stride``: input pixels per loss pixel. 1 compares upsampled logits with the mask at input
    size, as SAM 2 does; 4 compares at the decoder's own resolution, sixteen times fewer pixels,
    which is what a CPU can afford. ``spread``: share of the mask loss that goes to all candidates
    alike instead of to the best one (relaxed winner-takes-all, Rupprecht et al. 2017). SAM 2, which
    starts from SAM, has 0; from scratch the three candidates would first divide the objects of a
    picture among themselves and leave the prompt unread. ``all_ious``: teach the IoU of every
    candidate (SAM 2's published configuration), not only of the best one. ``dense``: weight of the
    dense supervision of the image encoder (``train.dense``), 0 = none; its head belongs to the run,
    not to the model. ``soften``: ARL's soft label for the focal loss, of which ``focal`` then is
    the weight (l_arl = 20, paper); None is SAM 2's hard one. ``tsl``: weight of TSL's loss (l_tsl),
    for models with class names. ``rival``: how much more a pixel of the object's double (`doubles`)
    weighs in the focal loss, 0 = as any other.
    """

    focal: float = 20.0
    dice: float = 1.0
    iou: float = 1.0
    presence: float = 1.0
    alpha: float = 0.25
    gamma: float = 2.0
    spread: float = 0.0
    all_ious: bool = True
    stride: int = 1
    soften: SoftLabel | None = None
    tsl: float = 0.1
    dense: float = 0.0
    rival: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Unweighted loss terms, each a scalar tensor; ``total`` is the weighted sum that is minimised.

    ``tsl`` and ``dense`` are zero until `with_tsl` and `with_dense` add them.
    """

    total: Tensor
    focal: Tensor
    dice: Tensor
    iou: Tensor
    presence: Tensor
    tsl: Tensor
    dense: Tensor

    def __add__(self, other: Losses) -> Losses:
        pairs = zip(self.terms().values(), other.terms().values(), strict=True)
        return Losses(*(a + b for a, b in pairs))

    def times(self, factor: float) -> Losses:
        """Every term multiplied."""
        return Losses(*(factor * term for term in self.terms().values()))

    def terms(self) -> dict[str, Tensor]:
        """The terms by name, ``total`` first, in the order of the fields."""
        return {spec.name: getattr(self, spec.name) for spec in fields(self)}

    def with_tsl(self, loss: Tensor, weight: float) -> Losses:
        """The same with TSL's loss in its place and, weighted, in the total."""
        return replace(self, total=self.total + weight * loss, tsl=self.tsl + loss)

    def with_dense(self, loss: Tensor, weight: float) -> Losses:
        """The same with the dense loss in its place and, weighted, in the total."""
        return replace(self, total=self.total + weight * loss, dense=self.dense + loss)

    @staticmethod
    def none(device: torch.device) -> Losses:
        """Nothing was judged."""
        return Losses(*(torch.zeros((), device=device) for _ in fields(Losses)))


def focal_loss(
    logits: Tensor,
    target: Tensor,
    alpha: float = 0.25,
    gamma: float = 2.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Focal loss of (N, M, h, w) logits against a (N, M, h, w) target in [0, 1], averaged over
    pixels, which ``weights`` (N, 1, h, w) multiply: (N, M).

    Written as |y - p| ** gamma x cross-entropy, which is the usual form for hard targets and the
    generalised focal loss for soft ones.
    """
    prob = logits.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    balance = alpha * target + (1 - alpha) * (1 - target)
    losses = balance * (target - prob).abs().pow(gamma) * entropy
    return (losses if weights is None else losses * weights).mean(dim=(-2, -1))


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - soft Dice of (N, M, h, w) logits and target, with SAM 2's +1 in both counts: (N, M)."""
    prob = logits.sigmoid()
    overlap = 2 * (prob * target).sum(dim=(-2, -1))
    return 1 - (overlap + 1) / (prob.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1)) + 1)


def at_loss_resolution(decoded: Decoded, target: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Candidate logits (N, M, h, w) and the hard target (N, h, w) on the loss grid of ``stride``
    input pixels.

    ``target`` (N, S, S) bool. A loss pixel belongs to the object when at least half of its input
    pixels do.
    """
    size = (target.shape[-2] // stride, target.shape[-1] // stride)
    logits = decoded.candidate_logits.float()
    if logits.shape[-2:] != size:
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    hard = target.float()
    if stride > 1:
        # Pooling wants a channel: (N, S, S) -> (N, 1, S, S) -> (N, h, w).
        hard = (F.avg_pool2d(hard[:, None], stride)[:, 0] >= 0.5).float()
    return logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT), hard


def mask_losses(
    decoded: Decoded,
    target: Tensor,
    config: LossConfig,
    *,
    annotated: Tensor | None = None,
    soften: TargetTransform | None = None,
    rivals: Tensor | None = None,
) -> Losses:
    """SAM 2's losses of one decoding, averaged over all N rows.

    ``target`` (N, S, S) bool, all False where the object is absent; ``annotated`` (N,) bool, rows
    without annotation add nothing (they still count in the average, so a row weighs the same in
    every clip). ``rivals`` (N, S, S) bool: pixels that weigh ``1 + config.rival``.
    """
    logits, hard = at_loss_resolution(decoded, target, config.stride)
    known = (
        torch.ones(len(target), dtype=torch.bool, device=target.device)
        if annotated is None
        else annotated
    )
    present = target.flatten(1).any(dim=1)
    taught = (known & present).float()

    # (N, h, w) -> (N, M, h, w): every candidate is compared with the same mask.
    every = hard[:, None].expand_as(logits)
    wanted = every if soften is None else soften(hard)[:, None].expand_as(logits)
    weights = None
    if rivals is not None and config.rival:
        # (N, 1, h, w), for all candidates.
        shares = F.avg_pool2d(rivals[:, None].float(), config.stride)
        weights = 1 + config.rival * shares
    focal = focal_loss(logits, wanted, config.alpha, config.gamma, weights)
    dice = dice_loss(logits, every)
    # (N, 1): the candidate that the mask is taught to.
    best = (config.focal * focal + config.dice * dice).argmin(dim=1, keepdim=True)
    true_ious = jaccards(logits > 0, every > 0.5, both_empty=0.0)
    error = (decoded.candidate_ious.float() - true_ious).abs()
    iou = error.mean(dim=1) if config.all_ious else error.gather(1, best)[:, 0]
    presence = F.binary_cross_entropy_with_logits(
        decoded.object_logits.float(), present.float(), reduction="none"
    )

    def shared(loss: Tensor) -> Tensor:
        return (1 - config.spread) * loss.gather(1, best)[:, 0] + config.spread * loss.mean(dim=1)

    terms = (
        (shared(focal) * taught).mean(),
        (shared(dice) * taught).mean(),
        (iou * taught).mean(),
        (presence * known.float()).mean(),
    )
    factors = (config.focal, config.dice, config.iou, config.presence)
    total = torch.stack([w * term for w, term in zip(factors, terms, strict=True)]).sum()
    return Losses(total, *terms, tsl=torch.zeros_like(total), dense=torch.zeros_like(total))
