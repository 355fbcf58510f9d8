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

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sam2s.clips.batch import ClipBatch
from sam2s.model.sam2s import SAM2S
from sam2s.nn.blocks import MLP
from sam2s.train.losses import dice_loss
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
        """Objects' embeddings (Q, width) with pixels' (T, width, h, w) -> logits (T, Q, h, w) of
        being that object."""
        asked = self.query(queries)
        scores = torch.einsum("qc,tchw->tqhw", asked, keys) * asked.shape[-1] ** -0.5
        return scores.float() + self.bias(asked).float().view(1, -1, 1, 1)


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
    embedded = head(features).unflatten(0, (-1, batch.frames))
    # (T, N, S, S) -> (T, N, h, w): cells that the object covers by half.
    truth = F.avg_pool2d(batch.masks.float(), STRIDE) >= 0.5
    losses = []
    for clip, pixels in enumerate(embedded):
        rows = (batch.clip_of_row == clip).nonzero()[:, 0]
        # Of this clip alone: (T, R, h, w) and (T, R).
        masks, known = truth[:, rows], batch.annotated[:, rows]
        named = [(t, row) for t, row in (masks.flatten(2).any(2) & known).nonzero().tolist()]
        if not named:
            continue
        # (Q, width): each object as each annotated frame shows it; owners: its row, (Q,).
        queries = torch.stack([_sample(pixels[t], masks[t, row], rng) for t, row in named])
        owners = torch.tensor([row for _, row in named], device=masks.device)
        logits = head.compare(queries, head.key(pixels))
        if batch.rivals is not None:
            # (T, R, S, S) -> (T, Q, h, w): any pixel of a double in the cell.
            double = F.max_pool2d(batch.rivals[:, rows].float(), STRIDE)[:, owners] > 0
            logits = logits.masked_fill(double & ~masks[:, owners], NOTHING)
        wanted, judged = masks[:, owners].float(), known[:, owners].float()
        entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(
            dim=(-2, -1)
        )
        losses.append(
            ((entropy + dice_loss(logits, wanted)) * judged).sum() / judged.sum().clamp(min=1)
        )
    return torch.stack(losses).mean() if losses else embedded.sum() * 0.0


def _sample(pixels: Tensor, mask: Tensor, rng: np.random.Generator) -> Tensor:
    """Mean embedding (width,) of one to `POINTS` random pixels of ``mask`` (h, w), from ``pixels``
    (width, h, w)."""
    places = mask.flatten().nonzero()[:, 0]  # (P,): places of the mask's pixels, row by row
    chosen = places[
        torch.from_numpy(rng.integers(0, len(places), int(rng.integers(1, POINTS + 1)))).to(
            places.device
        )
    ]
    return pixels.flatten(1)[:, chosen].mean(dim=1)  # (width, h w) at those places
