"""SAM2Long's memory, of one pathway of its tree. Source: arXiv 2410.16268, section 3.

A tracked frame may be recalled when the object is in view and its predicted IoU exceeds a
threshold; the latest of them are recalled, however old, beside the prompted frames. What is
recalled is weighted by how sure the decoder was that the object is there: sorted by object logit,
the maps are scaled by factors that rise evenly from ``weights[0]`` to ``weights[1]``. The tree
itself, several pathways side by side, is ``sam2s.tracking.hypotheses``; a tracker that knows
nothing of it follows a single pathway.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sam2s.memory.bank import Bank, Capacity, by_rank
from sam2s.memory.recent import Recent
from sam2s.types import Memory, Recollection, Source


@dataclass(frozen=True, slots=True)
class Tree:
    """The rule ``tree``; ``recent`` bounds maps and pointers.

    ``pathways`` (P): hypotheses of one object kept at most; ``iou_threshold`` (delta_IoU): of
    memories; ``sure_threshold`` (delta_conf): a frame is uncertain while no pathway's object logit
    is farther from zero.
    """

    recent: Recent = field(default_factory=Recent)
    pathways: int = 3
    iou_threshold: float = 0.3
    sure_threshold: float = 2.0
    weights: tuple[float, float] = (0.95, 1.05)

    @property
    def capacity(self) -> Capacity:
        return self.recent.capacity

    def admit(self, bank: Bank, new: Memory) -> Bank:
        new = replace(new, descriptor=None)
        if new.source is Source.PROMPTED:
            return self.recent.prompt(bank, new)
        bank = replace(bank, tracked=self.recent.keep((*bank.tracked, new), new.time + 1))
        if new.object_logit <= 0 or new.iou <= self.iou_threshold:
            return bank
        return replace(bank, long_term=(*bank.long_term, new)[-self.recent.maps :])

    def select(self, bank: Bank, now: int) -> Recollection:
        maps = by_rank(bank, bank.long_term)
        return Recollection(self._weighted(maps), self.recent.select(bank, now).pointers)

    def _weighted(self, maps: tuple[tuple[Memory, int], ...]) -> tuple[tuple[Memory, int], ...]:
        if len(maps) < 2:
            return maps
        low, high = self.weights
        order = sorted(range(len(maps)), key=lambda i: maps[i][0].object_logit)
        factor = {i: low + (high - low) * rank / (len(maps) - 1) for rank, i in enumerate(order)}
        return tuple((replace(m, map=m.map * factor[i]), slot) for i, (m, slot) in enumerate(maps))
