"""A copy of a network whose weights are rounded to bfloat16 once, instead of at every call."""

from __future__ import annotations

import torch
from torch import nn

from sam2s.model.sam2s import SAM2S, copy_with_same_weights

ROUNDED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
"""Layers whose weights autocast rounds to bfloat16 whenever they are called."""


@torch.no_grad()
def rounded_to_bf16(model: SAM2S) -> SAM2S:
    """``model`` for use under bfloat16 autocast alone: the same numbers, bit for bit, without some
    430 roundings a frame (SAM 2's base_plus).

    All other parameters and buffers, and the semantic head, which computes in float32, are those of
    ``model`` itself.
    """
    copy = copy_with_same_weights(model)
    with torch.inference_mode(False):
        exact = set() if copy.semantic_head is None else set(copy.semantic_head.modules())
        for module in copy.modules():
            if isinstance(module, ROUNDED) and module not in exact:
                for name, weight in module.named_parameters(recurse=False):
                    rounded = nn.Parameter(weight.bfloat16(), requires_grad=False)
                    setattr(module, name, rounded)
    return copy
