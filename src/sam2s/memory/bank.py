"""The memory bank of one object: an immutable value, and the protocol of the rules that fill and read it.

A bank holds no weights and knows no model. A rule (``Policy``) is two pure functions: ``admit`` decides what to keep
and what to forget, ``select`` what one frame gets to see. Keeping an earlier bank is therefore all that undo needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from sam2s.types import Memory, Recollection


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """What is remembered of one object.

    ``prompted``: frames a user marked, by time, never evicted (DiveMem's l_0 is one of them). ``tracked``: the latest
    tracked frames, by time. ``long_term``: the rest of DiveMem's queue, oldest first. ``candidates``: DiveMem's
    buffer B.
    """

    prompted: tuple[Memory, ...] = ()
    tracked: tuple[Memory, ...] = ()
    long_term: tuple[Memory, ...] = ()
    candidates: tuple[Memory, ...] = ()

    def __len__(self) -> int:
        return len(self.prompted) + len(self.tracked) + len(self.long_term) + len(self.candidates)

    def with_prompted(self, new: Memory) -> Bank:
        """The bank with a prompted frame added; it replaces whatever was remembered of the same frame."""
        prompted = sorted([*(m for m in self.prompted if m.time != new.time), new], key=lambda m: m.time)
        tracked = tuple(m for m in self.tracked if m.time != new.time)
        return replace(self, prompted=tuple(prompted), tracked=tracked)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many maps and pointers a rule selects at most while one frame is prompted; the fixed shape of its tensors."""

    maps: int
    pointers: int


class Policy(Protocol):
    """A memory rule: pure functions over banks."""

    @property
    def capacity(self) -> Capacity:
        """The fixed shape that recollections are padded to."""
        ...

    def admit(self, bank: Bank, new: Memory) -> Bank:
        """Write side: the bank after ``new`` was seen (what to keep, what to forget)."""
        ...

    def select(self, bank: Bank, now: int) -> Recollection:
        """Read side: which maps in which temporal slot, and which pointers at which age, the frame at ``now``
        recalls."""
        ...
