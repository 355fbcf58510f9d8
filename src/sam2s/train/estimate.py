"""What a run will take, from a few passes over its own batches: nothing is guessed from the size of
a model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from sam2s.train.config import Stage

if TYPE_CHECKING:
    from sam2s.train.trainer import Trainer

TIMED = 2
"""Steps timed of each stage, after one that is not."""


@dataclass(frozen=True)
class Estimate:
    """``seconds`` of all steps; ``gigabytes`` (10^9 bytes) that a process needs at most, on the
    device it trains on."""

    seconds: float
    gigabytes: float
    device: str

    def __str__(self) -> str:
        return (
            f"estimate: about {duration(self.seconds)}, {self.gigabytes:.1f} GB of memory"
            f" ({self.device})"
        )


def estimate(trainer: Trainer) -> Estimate:
    """Forward and backward passes of `TIMED` + 1 steps of every stage; no weight and no later
    random number changes.

    The clips, scripts and clicks are those of the stage's first steps. Optimiser states, which do
    not exist yet, are added by their size.
    """
    device = trainer.accelerator.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    trainer.learner.train()
    first, seconds = 0, 0.0
    for stage in trainer.config.stages:
        seconds += stage.schedule.steps * _seconds_a_step(trainer, stage, first)
        first += stage.schedule.steps
    trainer.running.optimizer.zero_grad(set_to_none=True)
    bytes_needed = _peak_bytes(device) + _optimizer_bytes(trainer.running.optimizer)
    return Estimate(seconds, bytes_needed / 1e9, device.type)


def _seconds_a_step(trainer: Trainer, stage: Stage, first: int) -> float:
    """Median-like: the smaller of the timed steps would flatter, so their mean; 0 for a stage
    without steps."""
    timed = []
    for step in range(first, first + min(stage.schedule.steps, TIMED + 1)):
        begun = time.monotonic()
        passes = [batch.to(trainer.accelerator.device) for batch in trainer.steps(step)[0]]
        trainer.descend(step, passes)
        if trainer.accelerator.device.type == "cuda":
            torch.cuda.synchronize(trainer.accelerator.device)
        timed.append(time.monotonic() - begun)
    later = timed[1:] or timed
    return sum(later) / len(later) if later else 0.0


def _peak_bytes(device: torch.device) -> int:
    """The most that this process held so far: of the GPU's memory where it trains there, else of
    the machine's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return 0
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _optimizer_bytes(optimizer: torch.optim.Optimizer) -> int:
    """AdamW keeps two float32 numbers a parameter."""
    return 8 * sum(
        parameter.numel() for group in optimizer.param_groups for parameter in group["params"]
    )


def duration(seconds: float) -> str:
    """A time as people say it: ``40 s``, ``12 min``, ``1 h 20 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
