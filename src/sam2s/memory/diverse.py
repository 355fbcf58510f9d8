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

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.memory.bank import Bank, Capacity
from sam2s.memory.recent import Recent
from sam2s.types import LONG_TERM_SLOT, Memory, Recollection, Source


@dataclass(frozen=True, slots=True)
class Diverse:
    """The rule ``diverse``. ``long_term`` is N_l, l_0 included; ``candidates`` is Delta; ``pooled``
    compares mean features.

    Corrections (later prompted frames) stay for ever as conditioning memories, as in SAM 2, and do
    not count against N_l; the newest of them is what the next candidates are compared with when it
    is newer than the queue.
    """

    recent: Recent = field(default_factory=Recent)
    iou_threshold: float = 0.95
    candidates: int = 5
    long_term: int = 4
    pooled: bool = False
    long_term_pointers: bool = False

    @property
    def capacity(self) -> Capacity:
        base, extra = self.recent.capacity, self.long_term - 1
        return Capacity(
            base.maps + extra, base.pointers + (extra if self.long_term_pointers else 0)
        )

    def admit(self, bank: Bank, new: Memory) -> Bank:
        if new.source is Source.PROMPTED:
            return self._admit_prompted(bank, new)
        slim = replace(new, descriptor=None)
        bank = replace(bank, tracked=self.recent.keep((*bank.tracked, slim), new.time + 1))
        if new.object_logit <= 0 or new.iou <= self.iou_threshold:
            return replace(bank, candidates=())
        buffer = (*bank.candidates, new)
        if len(buffer) < self.candidates:
            return replace(bank, candidates=buffer)
        return self._promote(replace(bank, candidates=()), buffer)

    def _admit_prompted(self, bank: Bank, new: Memory) -> Bank:
        # The run of good frames is over: what the user had to touch was not a tracked candidate.
        return replace(self.recent.prompt(bank, new), candidates=())

    def _promote(self, bank: Bank, buffer: tuple[Memory, ...]) -> Bank:
        newest = max((*bank.prompted, *bank.long_term), key=lambda m: m.time, default=buffer[0])
        chosen = buffer[
            least_similar([self._descriptor(m) for m in buffer], self._descriptor(newest))
        ]
        queue = (*bank.long_term, chosen)
        return replace(bank, long_term=queue[max(0, len(queue) - (self.long_term - 1)) :])

    def _descriptor(self, memory: Memory) -> Tensor:
        assert memory.descriptor is not None, (
            "DiveMem compares image features; commit stores them with every memory"
        )
        return memory.descriptor.mean((-2, -1)) if self.pooled else memory.descriptor.flatten()

    def select(self, bank: Bank, now: int) -> Recollection:
        base = self.recent.select(bank, now)
        maps = (*base.maps, *((m, LONG_TERM_SLOT) for m in bank.long_term))
        if not self.long_term_pointers:
            return Recollection(maps, base.pointers)
        known = {age for _, age in base.pointers}
        extra = tuple((m, now - m.time) for m in bank.long_term if now - m.time not in known)
        return Recollection(maps, (*base.pointers, *extra))


def least_similar(candidates: list[Tensor], reference: Tensor) -> int:
    """Index of the candidate with the smallest cosine to ``reference``; the earliest one on a
    tie."""
    cosines = F.cosine_similarity(torch.stack(candidates).float(), reference[None].float(), dim=1)
    return int(cosines.argmin())
