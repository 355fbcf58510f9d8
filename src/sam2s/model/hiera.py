"""Hiera, the image trunk of SAM 2: a transformer in four stages with windowed attention (arXiv
2306.00989, 2311.05613).

Each stage halves the grid by pooling the queries of its first block. A few blocks attend to the
whole grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sam2s.nn.attend import attend
from sam2s.nn.blocks import MLP, DropPath, from_windows, to_windows
from sam2s.nn.position import resize_bicubic

POOL = 2
"""Each stage halves the grid of the one before."""


def _pool(x: Tensor) -> Tensor:
    """Maximum over 2 x 2 cells of (B, H, W, C)."""
    return F.max_pool2d(x.permute(0, 3, 1, 2), POOL).permute(0, 2, 3, 1)


class WindowAttention(nn.Module):
    """Self-attention within square windows of a grid; ``window``: their side in cells, 0 for the
    whole grid. With ``pool`` the queries are pooled 2 x 2 first."""

    def __init__(self, dim: int, out_dim: int, heads: int, *, window: int, pool: bool) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.pool = pool
        self.qkv = nn.Linear(dim, 3 * out_dim)
        self.proj = nn.Linear(out_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) -> (B, H', W', out_dim)."""
        batch, height, width = x.shape[:3]
        projected = self.qkv(x)
        if self.window:
            # Cells that pad the grid to whole windows take part in attention as zeros (SAM 2): as
            # what zeros are projected to, so that they need not be projected.
            projected = to_windows(projected, self.window, self.qkv.bias)
        q, k, v = projected.chunk(3, dim=-1)
        if self.pool:
            q, height, width = _pool(q), height // POOL, width // POOL
        # (B, H, W, out_dim) -> (B, heads, H * W, out_dim / heads); queries may be fewer than keys.
        heads = [t.flatten(1, 2).unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v)]
        attended = attend(*heads).transpose(1, 2).reshape(q.shape)
        if self.window:
            # In one piece, or the product below would be batched, and rounded as addresses fall.
            attended = from_windows(attended, batch, height, width).contiguous()
        merged: Tensor = self.proj(attended)
        return merged


class HieraBlock(nn.Module):
    """One transformer block. ``window`` 0 attends to the whole grid; ``pool`` halves the grid."""

    def __init__(
        self,
        dim: int,
        out_dim: int,
        heads: int,
        *,
        window: int,
        pool: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = WindowAttention(dim, out_dim, heads, window=window, pool=pool)
        self.norm2 = nn.LayerNorm(out_dim, eps=1e-6)
        self.mlp = MLP(out_dim, 4 * out_dim, out_dim, activation=nn.GELU)
        self.shortcut = nn.Linear(dim, out_dim) if dim != out_dim else None
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) -> (B, H', W', out_dim)."""
        normed = self.norm1(x)
        if self.shortcut is not None:
            # As in Hiera, the shortcut of a block that widens starts from the normed input.
            x = self.shortcut(normed)
            x = _pool(x) if self.pool else x
        x = x + self.drop_path(self.attn(normed))
        out: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return out


class Hiera(nn.Module):
    """The trunk. ``width`` and ``heads`` double from stage to stage; ``blocks`` and ``windows``
    have one entry per stage.

    The first block of a stage still works in the windows of the stage before. ``position_grid`` is
    the side of the coarse learnt position code, resized to the picture; a second code repeats in
    every window of the first stage. ``drop_path`` grows linearly from zero at the first block to
    its full value at the last.
    """

    def __init__(
        self,
        *,
        width: int,
        heads: int,
        blocks: Sequence[int],
        windows: Sequence[int],
        global_blocks: Sequence[int],
        position_grid: int,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, width, kernel_size=7, stride=4, padding=3)
        self.pos_embed = nn.Parameter(torch.zeros(1, width, position_grid, position_grid))
        self.pos_embed_window = nn.Parameter(torch.zeros(1, width, windows[0], windows[0]))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.trunc_normal_(self.pos_embed_window, std=0.02)

        self.stage_ends = tuple(end - 1 for end in accumulate(blocks))
        last = max(sum(blocks) - 1, 1)
        self.blocks = nn.ModuleList()
        for stage, count in enumerate(blocks):
            for position in range(count):
                index = len(self.blocks)
                first = stage > 0 and position == 0
                window = windows[stage - 1] if first else windows[stage]
                self.blocks.append(
                    HieraBlock(
                        width * 2 ** (stage - 1) if first else width * 2**stage,
                        width * 2**stage,
                        heads * 2**stage,
                        window=0 if index in global_blocks else window,
                        pool=first,
                        drop_path=drop_path * index / last,
                    )
                )

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, S, S) -> the output of each stage, (B, C, H, W) at strides 4, 8, 16 and 32."""
        x = self.patch_embed(image).permute(0, 2, 3, 1)
        # Channels last in memory too: the blocks work along them.
        x = (x + self._position(x.shape[1], x.shape[2])).contiguous()
        stages = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.stage_ends:
                stages.append(x.permute(0, 3, 1, 2))
        return stages

    def _position(self, height: int, width: int) -> Tensor:
        """(1, height, width, C)."""
        coarse = resize_bicubic(self.pos_embed, height, width)
        side = self.pos_embed_window.shape[-1]
        fine = self.pos_embed_window.tile(1, 1, height // side, width // side)
        return (coarse + fine).permute(0, 2, 3, 1)
