"""Means of weights: where one model was trained on from another, their mean is often better than
either (Wortsman et al. 2022, "Model soups")."""

from __future__ import annotations

import torch

from sam2s.errors import InputError
from sam2s.model.sam2s import SAM2S


@torch.no_grad()
def average_weights(
    model: SAM2S, other: SAM2S, share: float, names: tuple[str, str] = ("one", "the other")
) -> None:
    """Move the weights of ``model``, in place, to the mean with those of ``other``, of which
    ``share`` (0 to 1) is taken; tensors of other than floating-point numbers stay. InputError, with
    the ``names`` of both, for models of two architectures."""
    own, others = model.state_dict(), other.state_dict()
    if {name: tensor.shape for name, tensor in own.items()} != {
        name: tensor.shape for name, tensor in others.items()
    }:
        raise InputError(
            f"{names[1]}: has another architecture than {names[0]}; only equal ones can be averaged"
        )
    for name, tensor in own.items():
        if tensor.is_floating_point():
            tensor.lerp_(others[name].to(tensor), share)
