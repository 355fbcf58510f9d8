"""AdamW or Muon with parameter groups, the learning-rate schedule, and the moving average of the
weights."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sam2s.errors import InputError
from sam2s.train.muon import Muon
from sam2s.train.sharding import spread, whole

TRUNK_BLOCK = re.compile(r"(?:^|\.)trunk\.blocks\.(\d+)\.")
NARROW = 32
"""Matrices with a shorter side than this take AdamW's step: outputs and small kernels, which are
not what Muon is for."""
PACKED = 3
"""Matrices in the packed projection of queries, keys and values."""
KINDS = ("adamw", "muon")


@dataclass(frozen=True)
class OptimConfig:
    """The optimiser and what surrounds it.

    ``kind``: ``adamw``, or ``muon`` for the hidden matrices and AdamW for the rest (`Muon`), which
    learns more from a step and takes a little longer for it.
    ``layer_decay``: a trunk block's learning rate is multiplied by it once for every block above
    (1: all alike; SAM 2 fine-tunes with 0.9). ``encoder_lr``: factor on the image encoder's
    learning rate (SAM 2 fine-tunes with 0.6). ``clip``: largest gradient norm. ``ema``: decay of
    the moving average of the weights, which is what is validated and shipped; 0 turns it off.
    ``ema_warmup``: early on the decay is (1 + step) / (ema_warmup + step).
    """

    kind: str = "adamw"
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    layer_decay: float = 1.0
    encoder_lr: float = 1.0
    clip: float = 0.1
    ema: float = 0.999
    ema_warmup: float = 10.0


def build_optimizer(
    model: nn.Module, config: OptimConfig, auxiliary: nn.Module | None = None
) -> torch.optim.Optimizer:
    """The optimiser of the trainable parameters; every group's ``lr_scale`` multiplies the schedule
    (see `set_lr`).

    ``auxiliary``: a module that is trained along and not kept; it takes AdamW's steps.
    """
    groups: dict[tuple[float, float, int], list[nn.Parameter]] = {}
    blocks = [
        int(found[1]) for name, _ in model.named_parameters() if (found := TRUNK_BLOCK.search(name))
    ]
    depth = max(blocks, default=-1) + 1
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = config.weight_decay if _decays(name, parameter) else 0.0
            scale = _lr_scale(name, depth, config.layer_decay)
            scale *= config.encoder_lr if name.startswith("image_encoder.") else 1.0
            parts = _matrices(name, parameter) if config.kind == "muon" else 0
            groups.setdefault((decay, scale, parts), []).append(parameter)
    if auxiliary is not None:
        groups.setdefault((0.0, 1.0, 0), []).extend(auxiliary.parameters())
    listed = [
        {"params": params, "weight_decay": decay, "lr_scale": scale, "parts": parts}
        for (decay, scale, parts), params in groups.items()
    ]
    if config.kind == "muon":
        return Muon(listed, lr=0.0, betas=config.betas)
    return torch.optim.AdamW(listed, lr=0.0, betas=config.betas, fused=True)


def _matrices(name: str, parameter: Tensor) -> int:
    """How many hidden matrices a weight holds, one above the other; 0 where it is none: what is not
    decayed, the first layer, kernels of single channels, and what is narrow."""
    hidden = _decays(name, parameter) and "patch_embed" not in name
    depthwise = parameter.ndim == 4 and parameter.shape[1] == 1
    if not hidden or depthwise or min(len(parameter), parameter[0].numel()) < NARROW:
        return 0
    return PACKED if name.endswith("qkv.weight") else 1


def _decays(name: str, parameter: Tensor) -> bool:
    """Matrices and kernels decay; biases, norms, layer scales and embeddings do not."""
    return (
        parameter.ndim >= 2
        and "embed" not in name.rsplit(".", 1)[-1]
        and not name.endswith("_embedding")
    )


def _lr_scale(name: str, depth: int, decay: float) -> float:
    found = TRUNK_BLOCK.search(name)
    if found:
        return decay ** (depth - int(found[1]))
    return decay ** (depth + 1) if "trunk.patch_embed" in name else 1.0


def learning_rate(step: int, steps: int, lr: float, lr_end: float, warmup: int) -> float:
    """Linear warm-up over ``warmup`` steps to ``lr``, then half a cosine that arrives at ``lr_end``
    after ``steps``."""
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return lr_end + 0.5 * (lr - lr_end) * (1 + math.cos(math.pi * min(1.0, progress)))


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Give every group ``lr`` times its scale."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]


def freeze(model: nn.Module, prefixes: Sequence[str], *, always: Collection[str] = ()) -> None:
    """Freeze exactly those parameters whose name begins with one of ``prefixes`` or is among
    ``always``.

    They get no gradient, and thus neither weight decay nor momentum.
    """
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(prefixes)) and name not in always)


def check_frozen(model: nn.Module, prefixes: Sequence[str]) -> None:
    """``InputError`` for a beginning that no parameter's name has."""
    names = [name for name, _ in model.named_parameters()]
    groups = ", ".join(dict.fromkeys(name.partition(".")[0] for name in names))
    for prefix in prefixes:
        if not prefix or not any(name.startswith(prefix) for name in names):
            raise InputError(
                f"frozen: no parameter's name begins with {prefix!r}; the groups are {groups}"
            )


class MovingAverage:
    """Exponential moving average of a model's trainable parameters, kept in float32 by name."""

    def __init__(self, model: nn.Module, decay: float, warmup: float) -> None:
        self.decay, self.warmup = decay, warmup
        self.steps = 0
        self.weights = {
            name: p.detach().float().clone()
            for name, p in model.named_parameters()
            if p.requires_grad
        }

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move towards the model's present weights."""
        decay = min(self.decay, (1 + self.steps) / (self.warmup + self.steps))
        self.steps += 1
        current = [
            p.detach().float() for name, p in model.named_parameters() if name in self.weights
        ]
        torch._foreach_lerp_(list(self.weights.values()), current, 1 - decay)

    def state_dict(self) -> dict[str, object]:
        """What `load_state_dict` needs to go on."""
        return {"steps": self.steps, "weights": self.weights}

    def load_state_dict(self, state: dict) -> None:
        """Go on from a saved state. Raises ValueError for one of another model."""
        self.steps, stored = int(state["steps"]), state["weights"]
        shapes = {name: tuple(weight.shape) for name, weight in self.weights.items()}
        if {name: tuple(value.shape) for name, value in stored.items()} != shapes:
            raise ValueError("the averaged weights are of another model")
        for name, value in stored.items():
            self.weights[name].copy_(spread(value, self.weights[name]))

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Write the averaged weights into ``model``; what was never trained is left as it is."""
        for name, parameter in model.named_parameters():
            if name in self.weights:
                parameter.copy_(whole(self.weights[name]))
