"""SAM 2's memory rule: every prompted frame, the latest tracked maps, and the pointers of the
latest frames.

SAM 2 keeps every frame in a dict and looks up the few it needs; here only those that a later frame
can still ask for are kept, so memory is constant, and the selection is the same, frame by frame
(property-tested against the dict). Reverse tracking is the same rule on a negated clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sam2s.memory.bank import Bank, Capacity
from sam2s.types import CONDITIONING_SLOT, RECENT_SLOTS, Memory, Recollection, Source


@dataclass(frozen=True, slots=True)
class Recent:
    """The rule ``recent``.

    ``maps``: tracked maps recalled (6); ``pointers``: the pointer horizon in frames (16: ages 1 to
    15 of tracked frames, and one prompted frame); ``stride``: frames between tracked maps older
    than the last (1 to 8 in SAM 2).
    """

    maps: int = RECENT_SLOTS
    pointers: int = 16
    stride: int = 1
    future_pointers: bool = False
    forget_on_correction: bool = False

    @property
    def capacity(self) -> Capacity:
        return Capacity(maps=self.maps + 1, pointers=self.pointers)

    def admit(self, bank: Bank, new: Memory) -> Bank:
        new = replace(new, descriptor=None)
        if new.source is Source.PROMPTED:
            return self.prompt(bank, new)
        return replace(bank, tracked=self.keep((*bank.tracked, new), new.time + 1))

    def prompt(self, bank: Bank, new: Memory) -> Bank:
        """The bank with a prompted memory; a correction makes it forget what was tracked, where
        that is asked for."""
        if self.forget_on_correction and bank.prompted:
            bank = replace(bank, tracked=(), long_term=())
        return bank.with_prompted(new)

    def keep(self, tracked: tuple[Memory, ...], now: int) -> tuple[Memory, ...]:
        """The tracked memories that a frame at ``now`` or later can still ask for."""
        oldest_map = self.map_times(now)[-1]
        oldest_pointer = now - (self.pointers - 1)
        return tuple(
            m
            for m in tracked
            if m.time >= oldest_pointer
            or (m.time >= oldest_map and m.time % self.stride == 0)
            or m.time == now - 1
        )

    def map_times(self, now: int) -> list[int]:
        """Times of the tracked maps that ``now`` asks for, newest first; position i takes temporal
        slot i."""
        last = (now - 2) // self.stride * self.stride
        return [now - 1, *(last - i * self.stride for i in range(self.maps - 1))]

    def select(self, bank: Bank, now: int) -> Recollection:
        tracked = {m.time: m for m in bank.tracked}
        maps = [(m, CONDITIONING_SLOT) for m in bank.prompted]
        for slot, time in reversed(list(enumerate(self.map_times(now)))):
            if time in tracked:
                maps.append((tracked[time], slot))
        pointers = [
            (m, now - m.time) for m in bank.prompted if self.future_pointers or m.time <= now
        ]
        for age in range(1, self.pointers):
            if now - age in tracked:
                pointers.append((tracked[now - age], age))
        return Recollection(tuple(maps), tuple(pointers))
