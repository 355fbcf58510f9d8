"""A copy of a network whose weights are rounded to bfloat16 once, instead of at every call."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from sam2s.model.sam2s import SAM2S

ROUNDED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
"""Layers whose weights autocast rounds to bfloat16 whenever they are called."""


@torch.no_grad()
def rounded_to_bf16(model: SAM2S) -> SAM2S:
    """``model`` for use under bfloat16 autocast alone: the same numbers, bit for bit, without some
    430 roundings a frame (SAM 2's base_plus).

    All other parameters and buffers, and the semantic head, which computes in float32, are those of
    ``model`` itself.
    """
    kept = [*model.parameters(), *model.buffers()]
    shared = {id(tensor): tensor for tensor in kept}
    with torch.inference_mode(False):
        copy = deepcopy(model, shared)
        exact = set() if copy.semantic_head is None else set(copy.semantic_head.modules())
        for module in copy.modules():
            if isinstance(module, ROUNDED) and module not in exact:
                for name, weight in module.named_parameters(recurse=False):
                    rounded = nn.Parameter(weight.bfloat16(), requires_grad=False)
                    setattr(module, name, rounded)
    return copy
