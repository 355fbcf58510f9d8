"""DiveMem's inference rule: recent memory as in SAM 2, plus a short queue of diverse long-term
memories.

Paper section 3.2 (DiveMem, inference). A tracked frame is a candidate when the object is present
and the predicted IoU exceeds gamma_iou; Delta candidates in a row fill the buffer B, a frame that
fails empties it. From a full buffer the frame least similar to the newest long-term memory joins
the queue,

    b* = argmin over b in B of cos(E(b), E(l_k)),

E the image encoder's stride-16 feature, and the buffer is emptied. The queue holds N_l memories;
the first, l_0, is the prompted frame and is never evicted. Absent frames stay in the recent memory:
they carry the evidence of absence.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.memory.bank import Bank
from sam2s.memory.policy import Capacity, Needs
from sam2s.memory.recent import Count, Recent, Share
from sam2s.typed_json import check_fields
from sam2s.types import LONG_TERM_SLOT, Memory, Origin, Recollection


@dataclass(frozen=True, slots=True, eq=False)
class DiverseState:
    """``long_term``: the queue but for l_0, oldest first; ``candidates``: the buffer B."""

    long_term: tuple[Memory, ...] = ()
    candidates: tuple[Memory, ...] = ()

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The queue and the buffer."""
        return (*self.long_term, *self.candidates)


@dataclass(frozen=True, slots=True)
class Diverse:
    """The rule ``diverse``.

    ``iou_threshold``: gamma_iou; ``candidates``: Delta; ``long_term``: N_l, l_0 included;
    ``pooled`` compares the mean of a feature over the grid instead of the whole map;
    ``long_term_pointers`` adds the object pointers of long-term memories.

    Corrections (later prompted frames) stay for ever as conditioning memories, as in SAM 2, and do
    not count against N_l; the newest of them is what the next candidates are compared with when it
    is newer than the queue.
    """

    recent: Recent = field(default_factory=Recent)
    iou_threshold: Share = 0.95
    candidates: Count = 5
    long_term: Count = 4
    pooled: bool = False
    long_term_pointers: bool = False
    rule: Literal["diverse"] = field(default="diverse", kw_only=True)

    needs: ClassVar = Needs(descriptors=True)

    def __post_init__(self) -> None:
        check_fields(self, "memory rule diverse")

    @property
    def capacity(self) -> Capacity:
        """The recent memory's, and the queue but for l_0."""
        base, extra = self.recent.capacity, self.long_term - 1
        return Capacity(
            base.maps + extra, base.pointers + (extra if self.long_term_pointers else 0)
        )

    def admit(self, bank: Bank[DiverseState], new: Memory) -> Bank[DiverseState]:
        """The bank with ``new``; a full buffer gives one frame to the queue."""
        state = bank.state or DiverseState()
        if new.origin is Origin.PROMPTED:
            # The run of good frames is over: what the user had to touch was no tracked candidate.
            queue = () if self.recent.forgets(bank) else state.long_term
            return replace(self.recent.admit(bank, new), state=DiverseState(queue))
        after = self.recent.admit(bank, replace(new, descriptor=None))
        if new.object_logit <= 0 or new.iou <= self.iou_threshold:
            return replace(after, state=DiverseState(state.long_term))
        buffer = (*state.candidates, new)
        if len(buffer) < self.candidates:
            return replace(after, state=DiverseState(state.long_term, buffer))
        newest = max((*bank.prompted, *state.long_term), key=lambda m: m.time, default=buffer[0])
        features = [self._descriptor(m) for m in buffer]
        chosen = buffer[least_similar(features, self._descriptor(newest))]
        queue = (*state.long_term, chosen)
        queue = queue[max(0, len(queue) - (self.long_term - 1)) :]
        return replace(after, state=DiverseState(queue))

    def select(self, bank: Bank[DiverseState], now: int) -> Recollection:
        """What SAM 2 recalls, then the queue."""
        base = self.recent.select(bank, now)
        queue = (bank.state or DiverseState()).long_term
        maps = (*base.maps, *((m, LONG_TERM_SLOT) for m in queue))
        if not self.long_term_pointers:
            return Recollection(maps, base.pointers)
        known = {age for _, age in base.pointers}
        extra = tuple((m, now - m.time) for m in queue if now - m.time not in known)
        return Recollection(maps, (*base.pointers, *extra))

    def _descriptor(self, memory: Memory) -> Tensor:
        assert memory.descriptor is not None, "the rule needs descriptors, and is given them"
        return memory.descriptor.mean((-2, -1)) if self.pooled else memory.descriptor.flatten()


def least_similar(candidates: list[Tensor], reference: Tensor) -> int:
    """Index of the candidate with the smallest cosine to ``reference``; the earliest one on a
    tie."""
    cosines = F.cosine_similarity(torch.stack(candidates).float(), reference[None].float(), dim=1)
    return int(cosines.argmin())
