"""DiveMem's memory in training: the clip itself says which frames are long-term (paper section 3.2,
training).

In a training clip of DiveMem the conditioning frame comes first, then a few frames from anywhere in
the video, then consecutive ones. There is nothing to select: the frames from anywhere are the
long-term memories, whatever their predicted quality, so that their temporal embedding is learnt on
good and bad memories alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sam2s.memory.bank import Bank, Capacity
from sam2s.memory.recent import Recent
from sam2s.types import LONG_TERM_SLOT, Memory, Recollection, Source


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The first ``long_term`` tracked frames of a clip become long-term memories, later ones recent
    memories."""

    recent: Recent = field(default_factory=lambda: Recent(future_pointers=True))
    long_term: int = 2
    long_term_pointers: bool = False

    @property
    def capacity(self) -> Capacity:
        base = self.recent.capacity
        return Capacity(
            base.maps + self.long_term,
            base.pointers + (self.long_term if self.long_term_pointers else 0),
        )

    def admit(self, bank: Bank, new: Memory) -> Bank:
        if new.source is Source.TRACKED and len(bank.long_term) < self.long_term:
            return replace(bank, long_term=(*bank.long_term, replace(new, descriptor=None)))
        return self.recent.admit(bank, new)

    def select(self, bank: Bank, now: int) -> Recollection:
        base = self.recent.select(bank, now)
        maps = (*base.maps, *((m, LONG_TERM_SLOT) for m in bank.long_term))
        pointers = (
            tuple((m, now - m.time) for m in bank.long_term) if self.long_term_pointers else ()
        )
        return Recollection(maps, (*base.pointers, *pointers))
