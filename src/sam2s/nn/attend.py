"""Scaled dot-product attention, in the form that is fastest where it runs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.nn import onednn


def attend(
    q: Tensor, k: Tensor, v: Tensor, *, mask: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """(..., Q, d), (..., K, d), (..., K, e) -> (..., Q, e).

    ``mask``: bool, broadcasts to (..., Q, K), True = may be attended to; every query needs one such
    key. ``dropout`` acts on the attention weights.

    torch's fused kernel, except where a CPU must also compute gradients: its backward pass there is
    far slower than two matrix products and a softmax, all of which run on AMX in bfloat16 (decoding
    10 rows with the backward pass: 11.3 ms per row fused, 6 plain); and except where `onednn` is
    quicker.
    """
    if _needs_gradients(q, k, v):
        return _plain(q, k, v, mask, dropout)
    if mask is None and not dropout and onednn.attends_quicker(q, k, v):
        return onednn.attention(q, k, v)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)


def averages_narrow_values(q: Tensor, k: Tensor, v: Tensor, *, masked: bool) -> bool:
    """Whether `attend` makes products that are the less work the narrower the values are; a fused
    kernel wants values as wide as the keys."""
    return _needs_gradients(q, k, v) or (not masked and onednn.attends_quicker(q, k, v))


def _needs_gradients(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """On a CPU."""
    return (
        q.device.type == "cpu"
        and torch.is_grad_enabled()
        and (q.requires_grad or k.requires_grad or v.requires_grad)
    )


def _plain(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1).to(v.dtype)
    return F.dropout(weights, dropout) @ v if dropout else weights @ v
