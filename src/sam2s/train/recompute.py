"""Activation checkpointing: blocks are computed again in the backward pass, so only their inputs
are kept.

Source: Chen et al. 2016 (arXiv 1604.06174), through ``torch.utils.checkpoint``. Gradients are the
same; dropout draws the same numbers both times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from sam2s.model.hiera import HieraBlock
from sam2s.model.memory_attention import MemoryAttentionLayer
from sam2s.model.sam2s import SAM2S


def recompute_blocks(model: SAM2S) -> SAM2S:
    """Let the blocks of the trunk and the layers of memory attention of ``model`` work so, in
    place."""
    for module in model.modules():
        if isinstance(module, HieraBlock | MemoryAttentionLayer):
            _wrap(module)
    return model


def _wrap(module: nn.Module) -> None:
    forward: Callable[..., Any] = module.forward

    def light(*inputs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*inputs)
        return checkpoint(forward, *inputs, use_reentrant=False)

    module.forward = light
