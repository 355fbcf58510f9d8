"""Dense supervision of the image encoder: which pixels belong to the object under this point, for
all objects at once.

SAM 2 starts from a trunk that has seen a million pictures. From scratch, prompted masks alone teach
an encoder little: one object a row reaches it through the whole decoder (the gradients of two steps
have a mean cosine of zero). Here an embedding of every pixel is compared with that of a few pixels
of an object, on the same frame and on the clip's others, so every object of every frame teaches
every pixel, and an object is to look like itself over time and unlike its neighbours and
look-alikes. The head is thrown away after training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sam2s.clips.batch import ClipBatch
from sam2s.devices import upload
from sam2s.model.sam2s import SAM2S
from sam2s.nn.blocks import MLP
from sam2s.train.losses import dice_loss
from sam2s.train.user import nth_pixel
from sam2s.types import Features

STRIDE = 4
POINTS = 3
"""Most pixels that an object is named by; a click or a few."""


NOTHING = -30.0
"""A logit that costs nothing where nothing is wanted."""


class DenseHead(nn.Module):
    """``dim``: channels of the stride-16 features; the finer levels have a quarter and an eighth of
    them.

    ``width``: channels of the embedding.
    """

    def __init__(self, dim: int, width: int = 64) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Conv2d(channels, width, 1) for channels in (dim, dim // 4, dim // 8)
        )
        self.key = nn.Conv2d(width, width, 1)
        self.query = MLP(width, width, width, width)
        self.bias = nn.Linear(width, 1)

    def forward(self, features: Features) -> Tensor:
        """Features of B frames -> (B, width, h, w) at stride 4."""
        size = features.stride4.shape[-2:]
        levels = (features.stride16, features.stride8, features.stride4)
        planes = [layer(x) for layer, x in zip(self.levels, levels, strict=True)]
        return F.gelu(sum(F.interpolate(x, size, mode="bilinear") for x in planes[:2]) + planes[2])

    def compare(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Of B clips, objects' embeddings (B, Q, width) with pixels' (B, T, width, h, w) -> logits
        (B, T, Q, h, w) of being that object."""
        asked = self.query(queries)
        scores = torch.einsum("bqc,btchw->btqhw", asked, keys) * asked.shape[-1] ** -0.5
        # (B, Q, 1) -> (B, 1, Q, 1, 1)
        return scores.float() + self.bias(asked).float()[:, None, :, :, None]


def build_dense_head(model: SAM2S) -> DenseHead:
    """A head for the features of ``model``, whose start follows torch's seed."""
    return DenseHead(model.config.dim)


def dense_loss(
    head: DenseHead, features: Features, batch: ClipBatch, rng: np.random.Generator
) -> Tensor:
    """Cross-entropy plus dice of every object named by some pixels of any frame, on every frame of
    its clip; scalar.

    ``features``: of all B x T frames, clip by clip. Frames without annotation are left out; objects
    out of view ask for an empty mask. Of an object's double nothing is asked: it looks like the
    object, and these features are not meant to encode place.
    """
    # (B T, width, h, w) -> (B, T, width, h, w): the frames of each clip together.
    embedded = head(features)
    plan = _plan(batch, rng)
    if plan is None:
        return embedded.sum() * 0.0
    # (T, N, S, S) -> (T, N, h, w): cells that the object covers by half.
    truth = F.avg_pool2d(batch.masks.float(), STRIDE) >= 0.5
    queries, named = _queries(embedded, truth, plan)
    keys = head.key(embedded).unflatten(0, (-1, batch.frames))
    logits = head.compare(queries, keys)
    # (T, N, ...) -> (T, B Q, ...) -> (B, T, Q, ...): the masks that the queries' objects have.
    wanted, known = (plan.of_owners(part) for part in (truth, batch.annotated))
    if batch.rivals is not None:
        # (T, N, S, S) -> (B, T, Q, h, w): any pixel of a double in the cell.
        double = plan.of_owners(F.max_pool2d(batch.rivals.float(), STRIDE) > 0)
        logits = logits.masked_fill(double & ~wanted, NOTHING)
    target, judged = wanted.float(), (known & named[:, None]).float()
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((-2, -1))
    losses = ((entropy + dice_loss(logits, target)) * judged).sum((1, 2))
    means = losses / judged.sum((1, 2)).clamp(min=1)
    # Clips that name nothing have no loss, and do not count.
    return means.sum() / named.any(1).sum().clamp(min=1)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Which objects are asked for, Q of each of B clips, as each annotated frame shows them.

    ``frames`` (B, Q) int64: which of the B x T frames names the object; ``shown`` (B, Q) int64:
    which of the T x N masks shows it there; ``owners`` (B, Q) int64: its row. ``real`` (B, Q) bool:
    False for what fills up clips with fewer. ``chance`` (B, Q, 1 + `POINTS`) float32 in [0, 1):
    how many pixels name it, and which.
    """

    frames: Tensor
    shown: Tensor
    owners: Tensor
    real: Tensor
    chance: Tensor

    def of_owners(self, part: Tensor) -> Tensor:
        """(T, N, ...) -> (B, T, Q, ...)"""
        taken = part.index_select(1, self.owners.flatten())
        return taken.unflatten(1, self.owners.shape).transpose(0, 1)


def _plan(batch: ClipBatch, rng: np.random.Generator) -> _Plan | None:
    """Made on the host, from what is known there, and uploaded; None where no object is in view on
    an annotated frame."""
    clips, frames, rows = len(batch.clips), batch.frames, batch.rows
    asked: list[list[tuple[int, int]]] = [[] for _ in range(clips)]
    for frame, row in np.argwhere(batch.known.visible).tolist():
        asked[batch.known.owners[row]].append((frame, row))
    most = max(map(len, asked), default=0)
    if most == 0:
        return None
    numbers = np.zeros((4, clips, most), np.int64)
    for clip, some in enumerate(asked):
        if some:
            frame, row = np.array(some).T
            numbers[:, clip, : len(some)] = (
                clip * frames + frame,
                frame * rows + row,
                row,
                1 + 0 * row,
            )
    chance = rng.random((clips, most, 1 + POINTS), dtype=np.float32)
    device = batch.images.device
    there = upload(torch.from_numpy(numbers), device)
    frames_of, shown, owners, real = there
    return _Plan(frames_of, shown, owners, real.bool(), upload(torch.from_numpy(chance), device))


def _queries(embedded: Tensor, truth: Tensor, plan: _Plan) -> tuple[Tensor, Tensor]:
    """Mean embedding (B, Q, width) of one to `POINTS` random pixels of each object's mask, from
    ``embedded`` (B T, width, h, w) and ``truth`` (T, N, h, w); and whether there are any, (B, Q)
    bool."""
    shape = plan.frames.shape
    masks = truth.flatten(0, 1).index_select(0, plan.shown.flatten())  # (B Q, h, w)
    size = masks.flatten(1).sum(1, keepdim=True)
    chance = plan.chance.flatten(0, 1)
    rank = torch.minimum((chance[:, 1:] * size).long(), size - 1).clamp(min=0)
    places = nth_pixel(masks, rank)  # (B Q, POINTS)
    used = torch.arange(POINTS, device=size.device) <= chance[:, :1] * POINTS
    frames, width = plan.frames.flatten()[:, None], truth.shape[-1]
    # (B Q, POINTS, width of the embedding)
    found = embedded.permute(0, 2, 3, 1)[frames, places // width, places % width]
    weights = used.to(found.dtype)[..., None]
    means = (found * weights).sum(1) / weights.sum(1)
    return means.unflatten(0, shape), plan.real & (size > 0).view(shape)
