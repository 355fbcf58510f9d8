"""A frame's features and an object's mask -> the map that stands for the frame in memory."""

from __future__ import annotations

from torch import Tensor, nn

from sam2s.nn.blocks import ConvNeXtBlock, LayerNorm2d
from sam2s.types import without_repeats

SHRINKS = 4
"""Stride-2 convolutions that take a mask from input size to stride 16."""


class MemoryEncoder(nn.Module):
    """``dim``: channels of the image features; ``out_dim``: of the map; ``layers``: ConvNeXt blocks
    that mix them."""

    def __init__(self, dim: int, out_dim: int, layers: int) -> None:
        super().__init__()
        self.mask_net = _mask_net(dim)
        self.image_proj = nn.Conv2d(dim, dim, kernel_size=1)
        self.blocks = nn.Sequential(*(ConvNeXtBlock(dim) for _ in range(layers)))
        self.out_proj = nn.Conv2d(dim, out_dim, kernel_size=1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Features (N, dim, h, w), not conditioned on memory, and mask (N, 16h, 16w) -> map (N,
        out_dim, h, w)."""
        # The objects of one frame see the same.
        seen = self.image_proj(without_repeats(image))
        mixed = self.blocks(seen + self.mask_net(mask[:, None]))
        remembered: Tensor = self.out_proj(mixed)
        return remembered


def _mask_net(dim: int) -> nn.Sequential:
    """Four steps, each halving the grid and taking four times the channels, then a projection to
    ``dim``."""
    layers: list[nn.Module] = []
    for step in range(SHRINKS):
        channels = 4 ** (step + 1)
        layers += [
            nn.Conv2d(channels // 4, channels, kernel_size=3, stride=2, padding=1),
            LayerNorm2d(channels),
            nn.GELU(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(4**SHRINKS, dim, kernel_size=1))
