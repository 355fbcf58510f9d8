"""Checkpoints of a run: everything that a later process needs to go on as if nothing had
happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import nn

from sam2s.errors import InputError
from sam2s.files import replacing
from sam2s.model.sam2s import SAM2S
from sam2s.train.config import TrainConfig, from_json, to_json
from sam2s.train.optim import MovingAverage
from sam2s.train.sharding import spread_optimizer, spread_state, whole
from sam2s.typed_json import Bounds, build
from sam2s.weights.pt_file import read_pt

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, eq=False)
class Running:
    """The parts of a run that change while it trains. ``frozen``: names of parameters that never
    do; ``auxiliary``: a head that is trained along and not kept (`sam2s.train.dense`)."""

    model: SAM2S
    optimizer: torch.optim.Optimizer
    average: MovingAverage | None
    frozen: frozenset[str] = frozenset()
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
    if write:
        with replacing(path) as hidden:
            torch.save(state, hidden)
    return path


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a checkpoint holds beside its tensors."""

    config: str
    step: Annotated[int, Bounds(low=0)]
    model: Mapping[str, Any]
    optimizer: Mapping[str, Any]
    average: Mapping[str, Any] | None
    auxiliary: Mapping[str, Any] | None


def load_checkpoint(folder: Path, config: TrainConfig, running: Running) -> int:
    """Bring ``running`` to the state saved under ``folder`` and return the number of steps done.

    InputError when there is no checkpoint, when it is damaged or none of ours, or when it was made
    by another configuration (``TrainConfig.run`` aside).
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; start the run without resuming it")
    state = build(read_pt(path, str(path), InputError), _Stored, str(path))
    stored = from_json(TrainConfig, state.config, str(path))
    # How a run is carried out may change on the way: another device, less memory, more workers.
    if replace(stored, run=config.run) != config:
        raise InputError(
            f"{path}: was made by another configuration; resume with that one or choose another"
            " folder"
        )
    if state.step > config.steps:
        raise InputError(f"{path}: step must be at most {config.steps}, got {state.step}")
    try:
        _restore(running, state)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RuntimeError) as error:
        # What torch raises for a state of another model or optimiser differs from part to part.
        raise InputError(
            f"{path}: does not fit this run ({' '.join(str(error).split())[:200]}); start anew in"
            " another folder"
        ) from error
    return state.step


def _restore(running: Running, state: _Stored) -> None:
    """Put the stored tensors into the parts of the run."""
    running.model.load_state_dict(spread_state(dict(state.model), running.model.state_dict()))
    running.optimizer.load_state_dict(spread_optimizer(dict(state.optimizer), running.optimizer))
    if running.average is not None:
        running.average.load_state_dict(dict(state.average or {}))
    if running.auxiliary is not None:
        auxiliary = dict(state.auxiliary or {})
        running.auxiliary.load_state_dict(spread_state(auxiliary, running.auxiliary.state_dict()))
