"""Weights that FSDP has sharded over processes, gathered and sharded again; what is not sharded
passes through.

Source: ``torch.distributed.fsdp.fully_shard`` (FSDP2), which leaves names alone and makes every
parameter a DTensor. Gathering is done by all processes together.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor


def _is_sharded(value: object) -> TypeGuard[DTensor]:
    """Whether ``value`` is a DTensor. Where nobody has imported them there are none, and importing
    them takes longer than the rest of training's modules together."""
    distributed = sys.modules.get("torch.distributed.tensor")
    return distributed is not None and isinstance(value, distributed.DTensor)


def is_sharded(model: nn.Module) -> bool:
    """Whether a parameter of ``model`` is spread over processes."""
    return any(_is_sharded(parameter) for parameter in model.parameters())


def whole(state: Any) -> Any:
    """``state`` (a tensor, or nested dicts and lists of them) with every tensor in one piece."""
    if isinstance(state, dict):
        return {key: whole(value) for key, value in state.items()}
    if isinstance(state, list):
        return [whole(value) for value in state]
    return state.full_tensor() if _is_sharded(state) else state


def spread(tensor: Tensor, like: Tensor) -> Tensor:
    """``tensor``, in one piece and the same on all processes, spread as ``like`` is."""
    if _is_sharded(like):
        from torch.distributed.tensor import distribute_tensor

        return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
    return tensor


def spread_state(state: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor of ``state`` spread as its namesake in ``like``."""
    return {
        name: spread(tensor, like[name]) if name in like else tensor
        for name, tensor in state.items()
    }


def spread_optimizer(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The state that ``optimizer.state_dict()`` gave, in one piece, for an optimiser whose
    parameters are spread."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    of_number = dict(zip(numbers, parameters, strict=True))
    entries = {
        number: {
            name: spread(value, of_number[number])
            if value.shape == of_number[number].shape
            else value
            for name, value in entry.items()
        }
        for number, entry in state["state"].items()
    }
    return {**state, "state": entries}
