"""Surgical SAM 2's rule: of the latest frames, the redundant ones are left out. Source: arXiv
2408.07931, section 3 (Efficient Frame Pruning), with its n = 5 and m = 2.

SAM 2 recalls the six latest tracked frames, which in a calm stretch all show the same. Here, of the
five before the newest, the two most like the newest are not recalled: what they know, the newest
knows as well. The others keep their temporal slots; prompted frames always stay. As long as there
are fewer than six, all are recalled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import torch.nn.functional as F

from sam2s.memory.bank import Bank, StateT
from sam2s.memory.policy import Capacity, Needs
from sam2s.memory.recent import Recent
from sam2s.typed_json import Bounds, check_fields
from sam2s.types import Memory, Origin, Recollection


@dataclass(frozen=True, slots=True)
class Pruned:
    """The rule ``pruned``. ``recent.maps``: the window (n + 1 tracked frames); ``dropped``: how
    many of them are left out (m), at most all but the newest."""

    recent: Recent = field(default_factory=Recent)
    dropped: Annotated[int, Bounds(0, 10_000)] = 2
    rule: Literal["pruned"] = field(default="pruned", kw_only=True)

    needs: ClassVar = Needs()

    def __post_init__(self) -> None:
        check_fields(self, "memory rule pruned")

    @property
    def capacity(self) -> Capacity:
        """The recent memory's, since nothing is left out as long as it is short."""
        return self.recent.capacity

    def admit(self, bank: Bank[StateT], new: Memory) -> Bank[StateT]:
        """What SAM 2 keeps."""
        return self.recent.admit(bank, new)

    def select(self, bank: Bank[StateT], now: int) -> Recollection:
        """What SAM 2 recalls, without the redundant frames."""
        recalled = self.recent.select(bank, now)
        window = [m for m, _ in recalled.maps if m.origin is Origin.TRACKED]
        if len(window) < self.recent.maps or len(window) < 2:
            return recalled
        newest = max(window, key=lambda m: m.time)
        older = sorted((m for m in window if m is not newest), key=lambda m: m.time)
        # Python's sort is stable: of equally similar frames the oldest is dropped first.
        alike = sorted(older, key=lambda m: -likeness(m, newest))[: self.dropped]
        dropped = {m.time for m in alike}
        maps = tuple(
            (m, slot)
            for m, slot in recalled.maps
            if m.origin is not Origin.TRACKED or m.time not in dropped
        )
        return Recollection(maps, recalled.pointers)


def likeness(one: Memory, other: Memory) -> float:
    """Mean over the grid of the cosine between the two memories' maps."""
    return float(F.cosine_similarity(one.map.float(), other.map.float(), dim=0).mean())
