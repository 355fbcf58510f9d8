"""SAM's mask decoder: four candidate masks, each with a predicted IoU, and a score for the object
being in view.

Candidate 0 is meant for clear prompts, candidates 1 to 3 for ambiguous ones (one click, or
tracking).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sam2s.model.two_way import TwoWayTransformer
from sam2s.nn.blocks import MLP, LayerNorm2d
from sam2s.types import Features

MASKS = 4
STABILITY_DELTA = 0.05
"""Logits by which the cut is moved up and down to see whether a mask is stable (SAM 2)."""
STABILITY_THRESHOLD = 0.98
"""SAM 2's; a model's own is in its config."""
PRESENT_BIAS = 2.0
"""First bias of the presence head: a probability of about 0.88."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """M candidates of N rows: ``logits`` (N, M, 4h, 4w), ``ious`` (N, M) in [0, 1], ``tokens`` (N,
    M, C); ``semantic`` (N, C) is TSL's token x'_c, which all candidates share, or None."""

    logits: Tensor
    ious: Tensor
    tokens: Tensor
    semantic: Tensor | None = None

    def ambiguous(self) -> Candidates:
        """The three candidates for ambiguous prompts."""
        return replace(
            self, logits=self.logits[:, 1:], ious=self.ious[:, 1:], tokens=self.tokens[:, 1:]
        )

    def single(self) -> Candidates:
        """The candidate for clear prompts."""
        return replace(
            self, logits=self.logits[:, :1], ious=self.ious[:, :1], tokens=self.tokens[:, :1]
        )

    def single_or_best(self, threshold: float = STABILITY_THRESHOLD) -> Candidates:
        """The single candidate; where its mask is less stable than ``threshold``, mask and IoU of
        the best ambiguous one (the token stays)."""
        one, many = self.single(), self.ambiguous()
        rows = torch.arange(self.ious.shape[0], device=self.ious.device)
        best = many.ious.argmax(dim=1)
        stable = stability(one.logits[:, 0]) >= threshold
        logits = torch.where(stable[:, None, None], one.logits[:, 0], many.logits[rows, best])
        ious = torch.where(stable, one.ious[:, 0], many.ious[rows, best])
        return replace(one, logits=logits[:, None], ious=ious[:, None])


def stability(logits: Tensor, delta: float = STABILITY_DELTA, cut: float = 0.0) -> Tensor:
    """(N, H, W) logits -> (N,): the IoU of the masks cut ``delta`` above and below ``cut``; 1 where
    both are empty."""
    inner = (logits > cut + delta).sum(dim=(1, 2))
    outer = (logits > cut - delta).sum(dim=(1, 2))
    return torch.where(outer > 0, inner / outer.clamp(min=1), 1.0)


class MaskDecoder(nn.Module):
    """``dim``: channels of image features and tokens."""

    def __init__(self, dim: int, *, heads: int, mlp_dim: int, layers: int, iou_dim: int) -> None:
        super().__init__()
        self.object_token = nn.Parameter(torch.randn(1, dim))
        self.iou_token = nn.Parameter(torch.randn(1, dim))
        self.mask_tokens = nn.Parameter(torch.randn(MASKS, dim))
        self.transformer = TwoWayTransformer(dim, heads, mlp_dim, layers)
        self.upscale8 = nn.ConvTranspose2d(dim, dim // 4, kernel_size=2, stride=2)
        self.upscale_norm = LayerNorm2d(dim // 4)
        self.upscale4 = nn.ConvTranspose2d(dim // 4, dim // 8, kernel_size=2, stride=2)
        self.activation = nn.GELU()
        self.mask_heads = nn.ModuleList(MLP(dim, dim, dim, dim // 8) for _ in range(MASKS))
        self.iou_head = MLP(dim, iou_dim, iou_dim, MASKS)
        self.object_head = MLP(dim, dim, dim, 1)

    def init_presence(self) -> None:
        """Let every object count as present until training says otherwise: the mask of an absent
        one is overwritten and would get no gradient."""
        nn.init.constant_(self.object_head.last.bias, PRESENT_BIAS)

    def forward(
        self, features: Features, prompt_tokens: Tensor, dense: Tensor, grid_code: Tensor
    ) -> tuple[Candidates, Tensor]:
        """All four candidates and the object logits (N,), > 0 = in view.

        ``features``: N rows, memory already recalled; ``prompt_tokens`` (N, T, C); ``dense``
        broadcasts to stride16; ``grid_code`` (1, h * w, C). Mask logits are float32 whatever the
        precision of the layers. ``features.semantic`` joins behind the prompts as one more token,
        so that it and the mask tokens see one another.
        """
        image = features.stride16 + dense
        # Token order: object, IoU, four masks, then the prompts, then TSL's.
        own = torch.cat([self.object_token, self.iou_token, self.mask_tokens])
        tokens = torch.cat([own.expand(image.shape[0], -1, -1), prompt_tokens], dim=1)
        if features.semantic is not None:
            tokens = torch.cat([tokens, features.semantic[:, None].to(tokens.dtype)], dim=1)
        tokens, cells = self.transformer(tokens, image.flatten(2).transpose(1, 2), grid_code)
        object_out, iou_out, mask_out = tokens[:, 0], tokens[:, 1], tokens[:, 2 : 2 + MASKS]
        # (N, C, h, w) -> (N, C / 8, 4h, 4w), taking in the finer image features on the way.
        grid = cells.transpose(1, 2).unflatten(2, image.shape[2:])
        pixels = self.activation(self.upscale_norm(self.upscale8(grid) + features.stride8))
        pixels = self.activation(self.upscale4(pixels) + features.stride4)
        # A mask is the product of every pixel with a vector that its token turns into.
        weights = torch.stack(
            [head(mask_out[:, i]) for i, head in enumerate(self.mask_heads)], dim=1
        )
        logits = torch.einsum("nmc,nchw->nmhw", weights, pixels).float()
        ious = self.iou_head(iou_out).float().sigmoid()
        semantic = None if features.semantic is None else tokens[:, -1]
        object_logits = self.object_head(object_out).float()[:, 0]
        return Candidates(logits, ious, mask_out, semantic), object_logits
