"""Matrix products by oneDNN on processors on which the library that torch takes for them is slow.

In float32 torch's products are MKL's, which on AMD's processors makes half of what they can (an
EPYC with AVX-512: 105 GFLOP/s a core, oneDNN 200 to 240). oneDNN comes with torch, which has it do
the convolutions. Without gradients only.
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

AMD = "AuthenticAMD"
CPU_INFO = Path("/proc/cpuinfo")
FEW = 32
"""Rows below which a product costs less than calling oneDNN for it."""
SCORES = range(2**16, 2**23)
"""Scores of one head, queries by keys, for which two products and a softmax are quicker than
torch's fused attention: with fewer the calls cost too much, with more the memory does."""


@cache
def has_quicker_products() -> bool:
    """Whether oneDNN's products are the quicker ones here: by the processor's maker, not by the
    clock, so that a machine always gives the same bits."""
    available = torch.backends.mkldnn.is_available() and hasattr(torch.ops, "mkldnn")
    return available and hasattr(torch.ops.mkldnn, "_linear_pointwise") and AMD in _processor()


def _processor() -> str:
    """What the system says of the processor."""
    try:
        with CPU_INFO.open(encoding="utf-8", errors="replace") as lines:
            return next((line for line in lines if line.startswith("vendor_id")), "")
    except OSError:  # no Linux
        return platform.processor()


def product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(..., K) x (N, K) -> (..., N), as `torch.nn.functional.linear`, by oneDNN but for few rows
    and other precisions than float32; no gradient goes through it."""
    rows = x.numel() // max(1, x.shape[-1])
    if rows < FEW or x.dtype != torch.float32:
        return F.linear(x, weight, bias)
    # What torch's own compiler calls for such products. It packs the weight on the way, in 1 to 3 %
    # of the time of the product; of strided matrices it makes a hundredth of its speed.
    x, weight = x.contiguous(), weight.contiguous()
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return out


def attends_quicker(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether `attention` is quicker than torch's own, and nobody asks for gradients."""
    # Whoever compiles or exports does not know the shapes yet, so they come last.
    return (
        q.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and has_quicker_products()
        and q.dtype == k.dtype == v.dtype == torch.float32
        and q.shape[:-2] == k.shape[:-2] == v.shape[:-2]
        and q.shape[-2] * k.shape[-2] in SCORES
    )


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot-product attention of (..., Q, d), (..., K, d), (..., K, e) -> (..., Q, e), head by
    head, for which `attends_quicker`."""
    heads = (x.flatten(0, -3) for x in (q * q.shape[-1] ** -0.5, k, v))
    out = [
        product(product(asked, keys).softmax(dim=-1), values.mT)
        for asked, keys, values in zip(*heads, strict=True)
    ]
    return torch.stack(out).view(*q.shape[:-1], v.shape[-1])


class OneDnnLinear(nn.Module):
    """A linear layer by `product`, with the very parameters of ``layer``."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., K) -> (..., N)"""
        return product(x, self.weight, self.bias)
