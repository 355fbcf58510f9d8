"""Muon: hidden matrices take steps that are orthogonal, everything else takes AdamW's.

A gradient of a matrix is dominated by few directions, in which AdamW's step is dominated as well.
Muon's step is the orthogonal matrix nearest to the gradient's momentum, so that all directions
learn alike. Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks";
the scale, by which AdamW's learning rates and weight decay fit, from Liu et al. 2025 (arXiv
2502.16982), equation 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sam2s.train.sharding import spread, whole

MOMENTUM = 0.95
POLYNOMIAL = (3.4445, -4.7750, 2.0315)
"""Coefficients of a x + b x^3 + c x^5, which repeated takes singular values in (0, 1] to about 1
(between 0.7 and 1.2) in `ROUNDS`: exact ones are not needed."""
ROUNDS = 5
STEP_SIZE = 0.2
"""Root mean square of AdamW's step in units of its learning rate, as it usually comes out."""
TINY = 1e-7


@torch.no_grad()
def orthogonal(matrices: Tensor) -> Tensor:
    """Roughly the nearest matrices with orthonormal rows or columns to (K, R, C) ``matrices``, by
    Newton and Schulz's iteration."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.flatten(1).norm(dim=1).clamp(min=TINY)[:, None, None])
    a, b, c = POLYNOMIAL
    for _ in range(ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Groups with ``parts`` = K > 0 hold matrices and kernels, each of which is K matrices one
    above the other (packed projections) and takes Muon's step; those with 0 take AdamW's.

    A kernel (out, in, h, w) is the matrix (out, in * h * w). Options of a group as in
    `torch.optim.AdamW`. Weights that FSDP has spread over processes are gathered for a step.
    """

    def __init__(
        self, groups: Sequence[dict[str, Any]], *, lr: float, betas: tuple[float, float]
    ) -> None:
        rest = [group for group in groups if not group["parts"]]
        self._adamw = torch.optim.AdamW(rest, lr=lr, betas=betas, fused=True)
        super().__init__(list(groups), {**self._adamw.defaults, "parts": 0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step from the gradients as they are, or as ``closure`` makes them, whose loss comes
        back; a parameter without a gradient stays."""
        # Loading a state replaces both, so they are shared anew.
        self._adamw.state = self.state
        self._adamw.param_groups = [group for group in self.param_groups if not group["parts"]]
        loss: float | None = self._adamw.step(closure)
        for group in self.param_groups:
            if group["parts"]:
                self._step_matrices(group)
        return loss

    def _step_matrices(self, group: dict[str, Any]) -> None:
        parameters = [p for p in group["params"] if p.grad is not None]
        # Matrices of one shape are made orthogonal together.
        alike: dict[tuple[int, int], list[_Planned]] = {}
        for parameter in parameters:
            planned = _Planned(parameter, self._direction(parameter), group["parts"])
            alike.setdefault(planned.shape, []).append(planned)
        for (height, width), some in alike.items():
            turned = orthogonal(torch.cat([planned.matrices() for planned in some]))
            scale = group["lr"] * STEP_SIZE * max(height, width) ** 0.5
            for planned, step in zip(some, turned.split(group["parts"]), strict=True):
                weight = planned.parameter
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(spread(step.reshape(weight.shape), weight), alpha=-scale)

    def _direction(self, parameter: Tensor) -> Tensor:
        """Nesterov's momentum of the gradient, in one piece."""
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        direction: Tensor = whole(gradient.lerp(momentum, MOMENTUM))
        return direction


@dataclass(frozen=True, slots=True, eq=False)
class _Planned:
    """A weight and where it is to go, of its own shape; ``parts``: how many matrices it holds."""

    parameter: Tensor
    direction: Tensor
    parts: int

    @property
    def shape(self) -> tuple[int, int]:
        """Of each of its matrices."""
        return len(self.direction) // self.parts, self.direction[0].numel()

    def matrices(self) -> Tensor:
        """(parts, height, width)"""
        return self.direction.reshape(self.parts, *self.shape)
