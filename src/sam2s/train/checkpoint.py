"""Checkpoints of a run: everything that a later process needs to go on as if nothing had
happened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from sam2s.errors import InputError
from sam2s.model.sam2s import SAM2S
from sam2s.train.config import TrainConfig, from_json, to_json
from sam2s.train.optim import MovingAverage
from sam2s.train.sharding import spread_optimizer, spread_state, whole

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, eq=False)
class Running:
    """The parts of a run that change while it trains. ``resting``: names of parameters that never
    do; ``auxiliary``: a head that is trained along and not kept (`sam2s.train.dense`)."""

    model: SAM2S
    optimizer: torch.optim.Optimizer
    average: MovingAverage | None
    resting: frozenset[str] = frozenset()
    auxiliary: nn.Module | None = None


def save_checkpoint(
    folder: Path, config: TrainConfig, step: int, running: Running, *, write: bool = True
) -> Path:
    """Write ``folder/checkpoint.pt`` (temporary file, then rename); ``step`` steps are done.

    Where weights are spread over processes (FSDP), all of them call this and one has ``write``.
    """
    state = {
        "config": to_json(config),
        "step": step,
        "model": whole(running.model.state_dict()),
        "optimizer": whole(running.optimizer.state_dict()),
        "average": None if running.average is None else whole(running.average.state_dict()),
        "auxiliary": None if running.auxiliary is None else whole(running.auxiliary.state_dict()),
    }
    path = folder / CHECKPOINT
    if not write:
        return path
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)
    return path


def load_checkpoint(folder: Path, config: TrainConfig, running: Running) -> int:
    """Bring ``running`` to the state saved under ``folder`` and return the number of steps done.

    InputError when there is no checkpoint, or when it was made by another configuration.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; start the run without resuming it")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if from_json(TrainConfig, state["config"]) != config:
        raise InputError(
            f"{path}: was made by another configuration; resume with that one or choose another"
            " folder"
        )
    running.model.load_state_dict(spread_state(state["model"], running.model.state_dict()))
    running.optimizer.load_state_dict(spread_optimizer(state["optimizer"], running.optimizer))
    if running.average is not None:
        running.average.load_state_dict(state["average"])
    if running.auxiliary is not None:
        running.auxiliary.load_state_dict(
            spread_state(state["auxiliary"], running.auxiliary.state_dict())
        )
    return int(state["step"])
