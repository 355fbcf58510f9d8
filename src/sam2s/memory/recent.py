"""SAM 2's memory rule: every prompted frame, the latest tracked maps, and the pointers of the
latest frames.

SAM 2 keeps every frame in a dict and looks up the few it needs; here only those that a later frame
can still ask for are kept, so memory is constant, and the selection is the same, frame by frame
(property-tested against the dict). Reverse tracking is the same rule on a negated clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

from sam2s.memory.bank import Bank, StateT
from sam2s.memory.policy import Capacity, Needs
from sam2s.typed_json import Bounds, check_fields
from sam2s.types import CONDITIONING_SLOT, RECENT_SLOTS, Memory, Origin, Recollection

Count = Annotated[int, Bounds(1, 10_000)]
Share = Annotated[float, Bounds(0, 1)]


@dataclass(frozen=True, slots=True)
class Recent:
    """The rule ``recent``, and the recent part of every other rule.

    ``maps``: tracked maps recalled (6); ``pointers``: the pointer horizon in frames (16: ages 1 to
    15 of tracked frames, and one prompted frame); ``stride``: frames between tracked maps older
    than the last (1 to 8 in SAM 2). ``future_pointers`` admits pointers of prompted frames that lie
    ahead on the clock (training does; inference does not). ``forget_on_correction`` drops what was
    tracked before a corrected frame, so that memories of the mistake cannot outvote the correction.
    """

    maps: Annotated[int, Bounds(1, RECENT_SLOTS)] = RECENT_SLOTS
    pointers: Count = 16
    stride: Count = 1
    future_pointers: bool = False
    forget_on_correction: bool = False
    rule: Literal["recent"] = field(default="recent", kw_only=True)

    needs: ClassVar = Needs()

    def __post_init__(self) -> None:
        check_fields(self, "memory rule recent")

    @property
    def capacity(self) -> Capacity:
        """The tracked maps and one prompted frame; the pointers of the horizon."""
        return Capacity(maps=self.maps + 1, pointers=self.pointers)

    def admit(self, bank: Bank[StateT], new: Memory) -> Bank[StateT]:
        """The bank with a prompted frame, or with the tracked ones that may still be asked for; the
        rule's own state stays as it is."""
        if new.origin is Origin.PROMPTED:
            kept = replace(bank, tracked=()) if self.forgets(bank) else bank
            return kept.with_prompted(new)
        return replace(bank, tracked=self.keep((*bank.tracked, new), new.time + 1))

    def forgets(self, bank: Bank[StateT]) -> bool:
        """Whether a prompted frame is a correction that makes the bank forget what was tracked."""
        return self.forget_on_correction and bool(bank.prompted)

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

    def select(self, bank: Bank[StateT], now: int) -> Recollection:
        """Prompted frames and the latest tracked ones, oldest first; pointers of prompted frames,
        then of tracked ones by age."""
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
