"""Small generic layers: perceptrons, channel-first layer norm, stochastic depth, ConvNeXt blocks;
cutting a grid into windows; first weights."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYER_SCALE = 0.1
"""First value of a layer scale. SAM 2 starts at 1e-6, which a short training from scratch would
hardly leave."""


FEW_CHANNELS = 128
"""Below, a layer norm over the channels of a map is quicker in plain steps on CUDA; on a CPU it
always is, twice to three times, where nothing has to be kept for gradients."""


class MLP(nn.Module):
    """Linear layers with an activation between them: ``dims`` = (input, hidden..., output)."""

    def __init__(self, *dims: int, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        *hidden, width, out = dims
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise([*hidden, width]))
        self.last = nn.Linear(width, out)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        """(..., input) -> (..., output)."""
        for layer in self.hidden:
            x = self.activation(layer(x))
        return self.last(x)


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of (N, C, H, W), for each pixel separately."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        few = x.device.type == "cuda" and x.shape[1] < FEW_CHANNELS
        if few or (x.device.type == "cpu" and not torch.is_grad_enabled()):
            return self._in_steps(x)
        last = x.permute(0, 2, 3, 1)  # torch normalises the last dimension
        normed = F.layer_norm(last, self.weight.shape, self.weight, self.bias, self.eps)
        return normed.permute(0, 3, 1, 2)

    def _in_steps(self, x: Tensor) -> Tensor:
        # CUDA's kernel gives every pixel a block of its own, however few channels there are, and a
        # CPU's goes from channel to channel in long strides.
        x = x.float()
        centred = x - x.mean(dim=1, keepdim=True)
        scale = (centred.square().mean(dim=1, keepdim=True) + self.eps).rsqrt()
        weight, bias = (p.view(1, -1, 1, 1) for p in (self.weight, self.bias))
        return centred * scale * weight + bias


class DropPath(nn.Module):
    """Stochastic depth: in training mode drops the whole branch of a row with probability ``p`` and
    scales the others by 1 / (1 - p)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(p)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> the same shape."""
        return x * self.dropout(x.new_ones((len(x),) + (1,) * (x.ndim - 1)))


class ConvNeXtBlock(nn.Module):
    """A depthwise 7 x 7 convolution and a perceptron per pixel, scaled and added to the input."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, 4 * dim, dim, activation=nn.GELU)
        self.scale = nn.Parameter(torch.full((dim,), LAYER_SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        branch = self.mlp(self.norm(self.depthwise(x).permute(0, 2, 3, 1)))
        return x + (self.scale * branch).permute(0, 3, 1, 2)


def to_windows(x: Tensor, size: int, filling: Tensor) -> Tensor:
    """(B, H, W, C) -> (B * windows, size, size, C), padded with ``filling`` (C,) at the right and
    the bottom where needed; windows in reading order."""
    batch, height, width, channels = x.shape
    pad_y, pad_x = -height % size, -width % size
    filling = filling.to(x.dtype)
    if pad_x:
        x = torch.cat([x, filling.expand(batch, height, pad_x, channels)], dim=2)
    if pad_y:
        x = torch.cat([x, filling.expand(batch, pad_y, width + pad_x, channels)], dim=1)
    # Axes: picture, row of windows, y within it, column of windows, x within it, channels.
    x = x.view(batch, (height + pad_y) // size, size, (width + pad_x) // size, size, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, size, size, channels)


def from_windows(windows: Tensor, batch: int, height: int, width: int) -> Tensor:
    """Undo ``to_windows``: (B * windows, size, size, C) -> (B, height, width, C) without the
    padding."""
    size, channels = windows.shape[1], windows.shape[3]
    rows, columns = -(-height // size), -(-width // size)
    x = windows.view(batch, rows, columns, size, size, channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, rows * size, columns * size, channels)[:, :height, :width]


def init_weights(module: nn.Module) -> None:
    """First weights of one layer for training from scratch (use with ``Module.apply``).

    Linear and convolution weights: truncated normal of variance 1 / fan-in, which keeps activations
    near unit size at the narrow widths of small models; biases: zero. Other layers are left alone.
    """
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        weight = module.weight
        taps = 1 if isinstance(module, nn.ConvTranspose2d) else weight[0, 0].numel()
        inputs = weight.shape[0 if isinstance(module, nn.ConvTranspose2d) else 1]
        std = (inputs * taps) ** -0.5
        nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
