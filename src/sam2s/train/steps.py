"""What one optimiser step sees: several batches where gradients are accumulated, and how many rows
there are in all.

A step adds up the batches of all processes and of all passes of a process. Every pass draws as one
more process would, so two passes of one process are the two batches of two processes, and a run
keeps its meaning when it moves to another number of devices with ``processes x Stage.accumulate``
unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from sam2s.clips.batch import ClipBatch
from sam2s.train.config import TrainConfig
from sam2s.train.examples import Examples, Pool


class Steps(Dataset):
    """Item k holds the batches of step ``first + k`` of one process, ``Stage.accumulate`` of
    them."""

    def __init__(
        self, pool: Pool, config: TrainConfig, *, first: int = 0, rank: int = 0, processes: int = 1
    ) -> None:
        self.config, self.first = config, first
        most = max(stage.clips.accumulate for stage in config.stages)
        self.passes = [
            Examples(pool, config, first, draw_rank(rank, m, processes)) for m in range(most)
        ]

    def __len__(self) -> int:
        return self.config.steps - self.first

    def __getitem__(self, item: int) -> list[ClipBatch]:
        stage, _ = self.config.stage_at(self.first + item)
        return [examples[item] for examples in self.passes[: stage.clips.accumulate]]


def draw_rank(rank: int, number: int, processes: int) -> int:
    """The process as which pass ``number`` of process ``rank`` draws its clips, clicks and
    dropout."""
    return rank + number * processes


def stream(steps: Steps, workers: int, device: torch.device) -> Iterator[list[ClipBatch]]:
    """The steps in order, read by ``workers`` processes (0: by this one), their tensors on
    ``device``."""
    loader = DataLoader(
        steps,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        collate_fn=_as_is,
    )
    return ([batch.to(device) for batch in batches] for batches in loader)


def _as_is(batches: Any) -> Any:
    """Batches come whole from the data set."""
    return batches
