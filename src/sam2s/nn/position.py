"""Position codes: sines over a grid, sines over time, and random Fourier features of image
coordinates.

The codes of a grid depend on its size alone; they are computed for the size at hand and kept in a
small cache.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 10000.0
"""Ratio of the longest wavelength to the shortest, as in the first transformer."""


@lru_cache(maxsize=32)
def sine_grid(dim: int, height: int, width: int, device: torch.device) -> Tensor:
    """Sine code of a grid: (height * width, dim) float32, row by row; the first half of the
    channels codes y, the second half x.

    Positions run over (0, 2 pi], so the last row and column have the same code at any grid size.
    """
    with (
        torch.inference_mode(False),
        torch.no_grad(),
    ):  # a cached tensor must stay usable for training
        y = _interleaved_sines(_full_turn(height, device), dim // 2)
        x = _interleaved_sines(_full_turn(width, device), dim // 2)
        grid = torch.cat([y[:, None].expand(-1, width, -1), x[None].expand(height, -1, -1)], dim=-1)
        return grid.reshape(height * width, dim)


def sine_time(time: Tensor, dim: int) -> Tensor:
    """Sine code of signed times (...,) -> (..., dim): all sines, then all cosines."""
    half = dim // 2
    pair = torch.arange(half, dtype=torch.float32, device=time.device) // 2
    angles = time[..., None].float() / TEMPERATURE ** (2 * pair / half)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def fourier(xy: Tensor, frequencies: Tensor) -> Tensor:
    """Random Fourier features of positions: (..., 2) in [0, 1], (x, y) -> (..., 2 F) for
    ``frequencies`` (2, F)."""
    # Written as two products: a matrix product would run in low precision under autocast and lose
    # sub-cell positions.
    signed = 2.0 * xy.float() - 1.0
    angles = 2.0 * math.pi * (signed[..., :1] * frequencies[0] + signed[..., 1:] * frequencies[1])
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


@lru_cache(maxsize=32)
def cell_centres(height: int, width: int, device: torch.device) -> Tensor:
    """Centres of the cells of a grid: (height * width, 2) float32, (x, y) in (0, 1), row by row."""
    with torch.inference_mode(False), torch.no_grad():
        y = (torch.arange(height, dtype=torch.float32, device=device) + 0.5) / height
        x = (torch.arange(width, dtype=torch.float32, device=device) + 0.5) / width
        return torch.stack(
            [x[None].expand(height, -1), y[:, None].expand(-1, width)], dim=-1
        ).reshape(-1, 2)


def _full_turn(length: int, device: torch.device) -> Tensor:
    steps = torch.arange(1, length + 1, dtype=torch.float32, device=device)
    return steps / (length + 1e-6) * (2.0 * math.pi)


def _interleaved_sines(positions: Tensor, dim: int) -> Tensor:
    """(L,) -> (L, dim): sine and cosine of each frequency side by side."""
    pair = torch.arange(dim // 2, dtype=torch.float32, device=positions.device)
    angles = positions[:, None] / TEMPERATURE ** (2 * pair / dim)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def resize_bicubic(code: Tensor, height: int, width: int) -> Tensor:
    """(1, C, h, w) float32 -> (1, C, height, width), as `torch.nn.functional.interpolate` does it
    bicubically: as two small products, which are several times as quick. Where code is compiled it
    is torch's own, since the compiler sees no caches."""
    if torch.compiler.is_compiling():
        return F.interpolate(code, (height, width), mode="bicubic")
    rows = _bicubic(code.shape[2], height, code.device)
    columns = _bicubic(code.shape[3], width, code.device)
    with torch.autocast(code.device.type, enabled=False):
        return rows @ code @ columns.mT


@lru_cache(maxsize=16)
def _bicubic(source: int, target: int, device: torch.device) -> Tensor:
    """(target, source): the weights by which a line of ``source`` cells becomes one of
    ``target``."""
    # A cached tensor must stay usable for training.
    with torch.inference_mode(False), torch.no_grad():
        units = torch.eye(source, device=device).view(1, source, source, 1)
        lines = F.interpolate(units, (target, 1), mode="bicubic")
        return lines[0, :, :, 0].T.contiguous()
