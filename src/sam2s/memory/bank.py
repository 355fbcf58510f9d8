"""The memory bank of one object: an immutable value, and the protocol of the rules that fill and
read it.

A bank holds no weights and knows no model. A rule (``Policy``) is two pure functions: ``admit``
decides what to keep and what to forget, ``select`` what one frame gets to see. Keeping an earlier
bank is therefore all that undo needs. A rule that judges masks as well is a ``Chooser``: one more
pure function, and memories that arrive with what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from sam2s.types import CONDITIONING_SLOT, Memory, Recollection, Sighting


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """What is remembered of one object.

    ``prompted``: frames a user marked, by time, never evicted (DiveMem's l_0 is one of them).
    ``tracked``: the latest tracked frames, by time. ``long_term``: tracked frames that a rule holds
    on to, oldest first (DiveMem's queue but for l_0). ``candidates``: frames it may yet hold on to
    (DiveMem's buffer B). ``own``: a frozen value of the rule's own, such as the state of a motion
    filter; nobody but the rule that wrote it reads it.
    """

    prompted: tuple[Memory, ...] = ()
    tracked: tuple[Memory, ...] = ()
    long_term: tuple[Memory, ...] = ()
    candidates: tuple[Memory, ...] = ()
    own: object | None = None

    def __len__(self) -> int:
        return len(self.prompted) + len(self.tracked) + len(self.long_term) + len(self.candidates)

    def with_prompted(self, new: Memory) -> Bank:
        """The bank with a prompted frame added; it replaces whatever was remembered of the same
        frame."""
        prompted = sorted(
            [*(m for m in self.prompted if m.time != new.time), new], key=lambda m: m.time
        )
        tracked = tuple(m for m in self.tracked if m.time != new.time)
        return replace(self, prompted=tuple(prompted), tracked=tracked)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many maps and pointers a rule selects at most while one frame is prompted; the fixed
    shape of its tensors."""

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
        """Read side: which maps in which temporal slot, and which pointers at which age, the frame
        at ``now`` recalls."""
        ...


@runtime_checkable
class Chooser(Protocol):
    """A rule that judges what the decoder proposes. Every memory it admits carries its
    ``Sighting``."""

    def choose(self, bank: Bank, sighting: Sighting, now: int) -> int:
        """Which candidate is the answer on a tracked frame at ``now``; ``sighting.chosen`` is the
        decoder's choice."""
        ...


def by_rank(bank: Bank, kept: tuple[Memory, ...]) -> tuple[tuple[Memory, int], ...]:
    """Maps of rules whose memories may be of any age: the prompted frames, then ``kept`` (oldest
    first), of which the newest takes temporal slot 0, the one before it slot 1, and so on."""
    prompted = tuple((m, CONDITIONING_SLOT) for m in bank.prompted)
    return (*prompted, *((m, len(kept) - 1 - i) for i, m in enumerate(kept)))
