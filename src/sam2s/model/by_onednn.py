"""A copy of a network whose matrix products are oneDNN's."""

from __future__ import annotations

from torch import nn

from sam2s.model.sam2s import SAM2S, copy_with_same_weights
from sam2s.nn.onednn import OneDnnLinear


def by_onednn(model: SAM2S) -> SAM2S:
    """``model`` for inference in float32 on a CPU, with its very parameters and buffers: what
    changes in one changes in the other."""
    copy = copy_with_same_weights(model)
    for module in list(copy.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, nn.Linear):
                setattr(module, name, OneDnnLinear(layer))
    return copy
