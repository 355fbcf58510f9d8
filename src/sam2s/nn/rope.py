"""Rotary position codes on a grid (RoPE), with real numbers only, so that any backend and exporter can run them.

Channels are taken in neighbouring pairs. The first half of the pairs turns with x, the second half with y.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

THETA = 10000.0

Rope = tuple[Tensor, Tensor]
"""Cosines and sines, each (cells, dim / 2) float32."""


@lru_cache(maxsize=32)
def axial_rope(dim: int, height: int, width: int, device: torch.device) -> Rope:
    """The turn of every channel pair at every cell of a grid, row by row. ``dim``: channels of one head, / 4."""
    with torch.inference_mode(False), torch.no_grad():  # a cached tensor must stay usable for training
        frequency = THETA ** (-torch.arange(0, dim, 4, dtype=torch.float32, device=device) / dim)
        x = torch.arange(width, dtype=torch.float32, device=device).repeat(height)
        y = torch.arange(height, dtype=torch.float32, device=device).repeat_interleave(width)
        angles = torch.cat([x[:, None] * frequency, y[:, None] * frequency], dim=-1)
        return angles.cos(), angles.sin()


def rotate(tokens: Tensor, rope: Rope, count: int) -> Tensor:
    """Turn the first ``count`` tokens of (N, heads, L, dim) by their cell; the others pass unchanged.

    ``count`` is a whole number of grids: memory keys repeat the same cells once for every remembered frame.
    """
    cos, sin = rope
    spatial, rest = tokens[:, :, :count], tokens[:, :, count:]
    pairs = spatial.float().unflatten(-1, (-1, 2)).unflatten(2, (-1, len(cos)))
    even, odd = pairs.unbind(-1)
    turned = _turn(even, odd, cos, sin).flatten(-2).flatten(2, 3).type_as(tokens)
    return turned if rest.shape[2] == 0 else torch.cat([turned, rest], dim=2)


def _turn(even: Tensor, odd: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """(..., dim / 2) of each -> (..., dim / 2, 2)."""
    if torch.is_grad_enabled():  # no gradient passes through out=
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1)
    # Into its place at once: on a CPU three times as fast as stacking, to the same bits.
    turned = torch.empty((*even.shape, 2), device=even.device)
    torch.sub(even * cos, odd * sin, out=turned[..., 0])
    torch.add(even * sin, odd * cos, out=turned[..., 1])
    return turned
