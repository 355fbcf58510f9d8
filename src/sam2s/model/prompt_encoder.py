"""Prompts -> tokens (clicks and box corners) and a dense map (a mask to be corrected), as in
SAM."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sam2s.nn.blocks import LayerNorm2d
from sam2s.nn.position import cell_centres, fourier
from sam2s.types import PromptBatch

PIXEL_CENTRE = 0.5
"""A coordinate is a pixel's index; the pixel's centre lies half a pixel further."""
LABELS = 4
"""Exclude, include, first and second corner of a box."""


class PromptEncoder(nn.Module):
    """Tokens and dense maps of ``dim`` channels."""

    frequencies: Tensor

    def __init__(self, dim: int, mask_channels: int = 16) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(2, dim // 2))
        self.label_embed = nn.Parameter(torch.randn(LABELS, dim))
        self.not_a_point = nn.Parameter(torch.randn(dim))
        self.no_mask = nn.Parameter(torch.empty(dim))
        nn.init.trunc_normal_(self.no_mask, std=0.02)
        self.mask_net = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2d(mask_channels, dim, kernel_size=1),
        )

    def forward(self, prompts: PromptBatch, size: int) -> tuple[Tensor, Tensor]:
        """Tokens (N, P + 1, dim), or (N, 2, dim) where P = 0, and the dense map: (N, dim, h, w), or
        (1, dim, 1, 1) where no mask is to be corrected.

        ``size``: side of the model's input in pixels, to which ``prompts.coords`` refer.
        """
        if prompts.mask_logits is None:
            return self._points(prompts, size), self.no_mask.view(1, -1, 1, 1)
        return self._points(prompts, size), self.mask_net(prompts.mask_logits[:, None])

    def grid_code(self, height: int, width: int) -> Tensor:
        """The position code of the image grid, in the same Fourier features as the points: (1,
        height * width, dim)."""
        return fourier(cell_centres(height, width, self.frequencies.device), self.frequencies)[None]

    def _points(self, prompts: PromptBatch, size: int) -> Tensor:
        rows, count = prompts.labels.shape
        # SAM ends every list of points with a token that is no point, and puts one more in the
        # place of an empty list.
        padding = self.not_a_point.expand(rows, 1 if count else 2, -1)
        if not count:
            return padding
        code = (
            fourier((prompts.coords + PIXEL_CENTRE) / size, self.frequencies)
            + self.label_embed[prompts.labels]
        )
        return torch.cat([code, padding], dim=1)
