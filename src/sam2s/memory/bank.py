"""The memory bank of one object: an immutable value that holds no weights and knows no model.

Keeping an earlier bank is all that undo needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from sam2s.types import CONDITIONING_SLOT, Memory


class RuleState(Protocol):
    """What a memory rule keeps of an object for itself: a frozen value of the rule's own type."""

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The memories it holds beside those of the bank."""
        ...


StateT = TypeVar("StateT", bound=RuleState)


@dataclass(frozen=True, slots=True, eq=False)
class Bank(Generic[StateT]):
    """What is remembered of one object.

    ``prompted``: frames a user marked, by time, never evicted (DiveMem's l_0 is one of them).
    ``tracked``: the latest tracked frames, by time. ``state``: what the rule keeps beside them,
    which only the rule that wrote it reads; None before it wrote any.
    """

    prompted: tuple[Memory, ...] = ()
    tracked: tuple[Memory, ...] = ()
    state: StateT | None = None

    def __len__(self) -> int:
        return len(self.memories)

    @property
    def memories(self) -> tuple[Memory, ...]:
        """Every memory that is held; one held twice stands there twice."""
        own = () if self.state is None else self.state.memories
        return (*self.prompted, *self.tracked, *own)

    def with_prompted(self, new: Memory) -> Bank[StateT]:
        """The bank with a prompted frame added; it replaces whatever was remembered of the same
        frame."""
        prompted = sorted(
            [*(m for m in self.prompted if m.time != new.time), new], key=lambda m: m.time
        )
        tracked = tuple(m for m in self.tracked if m.time != new.time)
        return replace(self, prompted=tuple(prompted), tracked=tracked)


def by_rank(
    prompted: tuple[Memory, ...], kept: tuple[Memory, ...]
) -> tuple[tuple[Memory, int], ...]:
    """Maps and slots of rules whose memories may be of any age: the prompted frames, then ``kept``
    (oldest first), of which the newest takes temporal slot 0, the one before it slot 1, and so
    on."""
    conditioning = tuple((m, CONDITIONING_SLOT) for m in prompted)
    return (*conditioning, *((m, len(kept) - 1 - i) for i, m in enumerate(kept)))
