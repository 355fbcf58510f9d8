"""DiveMem's memory in training: the clip itself says which frames are long-term (paper section 3.2,
training).

In a training clip of DiveMem the conditioning frame comes first, then a few frames from anywhere in
the video, then consecutive ones. There is nothing to select: the frames from anywhere are the
long-term memories, whatever their predicted quality, so that their temporal embedding is learnt on
good and bad memories alike. No model runs under this rule by default, so it has no name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from sam2s.memory.bank import Bank
from sam2s.memory.policy import Capacity, Needs
from sam2s.memory.recent import Recent
from sam2s.types import LONG_TERM_SLOT, Memory, Origin, Recollection


@dataclass(frozen=True, slots=True, eq=False)
class RehearsalState:
    """``long_term``: the clip's frames from anywhere, in the order they were seen."""

    long_term: tuple[Memory, ...] = ()

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The frames from anywhere."""
        return self.long_term


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The first ``long_term`` tracked frames of a clip become long-term memories, later ones recent
    memories."""

    recent: Recent = field(default_factory=lambda: Recent(future_pointers=True))
    long_term: int = 2
    long_term_pointers: bool = False

    needs: ClassVar = Needs()

    @property
    def capacity(self) -> Capacity:
        """The recent memory's, and the frames from anywhere."""
        base = self.recent.capacity
        return Capacity(
            base.maps + self.long_term,
            base.pointers + (self.long_term if self.long_term_pointers else 0),
        )

    def admit(self, bank: Bank[RehearsalState], new: Memory) -> Bank[RehearsalState]:
        """The bank with ``new`` where the clip says it belongs."""
        state = bank.state or RehearsalState()
        if new.origin is Origin.TRACKED and len(state.long_term) < self.long_term:
            return replace(bank, state=RehearsalState((*state.long_term, new)))
        after = self.recent.admit(bank, new)
        forgets = new.origin is Origin.PROMPTED and self.recent.forgets(bank)
        return replace(after, state=RehearsalState()) if forgets else after

    def select(self, bank: Bank[RehearsalState], now: int) -> Recollection:
        """What SAM 2 recalls, then the frames from anywhere."""
        base = self.recent.select(bank, now)
        kept = (bank.state or RehearsalState()).long_term
        maps = (*base.maps, *((m, LONG_TERM_SLOT) for m in kept))
        pointers = tuple((m, now - m.time) for m in kept) if self.long_term_pointers else ()
        return Recollection(maps, (*base.pointers, *pointers))
