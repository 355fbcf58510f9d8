"""Surgical SAM 2's rule: recalled frames are pruned by similarity instead of by age. Source: arXiv 2408.07931,
section 3 (Efficient Frame Pruning).

SAM 2 recalls the latest frames, which in a calm stretch all show the same. Here the newest frame always joins, and when
there are too many, the one whose image feature has the highest cosine to the newest frame's leaves: what it knows, the
newest frame knows as well. Prompted frames always stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.memory.bank import Bank, Capacity, by_rank
from sam2s.memory.recent import Recent
from sam2s.types import Memory, Recollection, Source


@dataclass(frozen=True, slots=True)
class Pruned:
    """The rule ``pruned``. ``recent.maps`` tracked frames survive pruning; ``pooled`` compares mean features."""

    recent: Recent = field(default_factory=Recent)
    pooled: bool = False

    @property
    def capacity(self) -> Capacity:
        return self.recent.capacity

    def admit(self, bank: Bank, new: Memory) -> Bank:
        slim = replace(new, descriptor=None)
        if new.source is Source.PROMPTED:
            if self.recent.forget_on_correction and bank.prompted:
                bank = replace(bank, tracked=(), long_term=())
            return bank.with_prompted(slim)
        bank = replace(bank, tracked=self.recent.keep((*bank.tracked, slim), new.time + 1))
        return replace(bank, long_term=self._prune((*bank.long_term, new)))

    def _prune(self, frames: tuple[Memory, ...]) -> tuple[Memory, ...]:
        if len(frames) <= self.recent.maps:
            return frames
        *older, newest = frames
        if not older[: self.recent.maps - 1]:
            return (newest,)
        redundant = most_similar([self._descriptor(m) for m in older], self._descriptor(newest))
        return (*older[:redundant], *older[redundant + 1 :], newest)

    def _descriptor(self, memory: Memory) -> Tensor:
        assert memory.descriptor is not None, "pruning compares image features; commit stores them with every memory"
        return memory.descriptor.mean((-2, -1)) if self.pooled else memory.descriptor.flatten()

    def select(self, bank: Bank, now: int) -> Recollection:
        return Recollection(by_rank(bank, bank.long_term), self.recent.select(bank, now).pointers)


def most_similar(frames: list[Tensor], reference: Tensor) -> int:
    """Index of the frame with the highest cosine to ``reference``; the oldest one on a tie."""
    return int(F.cosine_similarity(torch.stack(frames).float(), reference[None].float(), dim=1).argmax())
