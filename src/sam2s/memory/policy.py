"""What a memory rule is: pure functions over banks.

``admit`` decides what to keep and what to forget, ``select`` what one frame gets to see. A rule
says what it ``needs`` to know of a frame, and nothing else is computed or copied for it. A rule
that judges masks as well is a `Chooser`: one more pure function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from sam2s.memory.bank import Bank, StateT
from sam2s.types import Memory, Recollection, Sighting


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many maps and pointers a rule selects at most while one frame is prompted, however long
    the video."""

    maps: int
    pointers: int


@dataclass(frozen=True, slots=True)
class Needs:
    """What a memory must carry beside its map and its pointer: ``descriptors``, the frame's
    stride-16 features; ``sightings``, the decoder's candidates as masks on the host."""

    descriptors: bool = False
    sightings: bool = False


class Policy(Protocol[StateT]):
    """A memory rule. Its constants are the fields of a frozen dataclass, saved with the weights."""

    @property
    def capacity(self) -> Capacity:
        """The most that a recollection holds, beside what further prompted frames add."""
        ...

    @property
    def needs(self) -> Needs:
        """What every admitted memory carries."""
        ...

    def admit(self, bank: Bank[StateT], new: Memory) -> Bank[StateT]:
        """Write side: the bank after ``new`` was seen (what to keep, what to forget)."""
        ...

    def select(self, bank: Bank[StateT], now: int) -> Recollection:
        """Read side: which maps in which temporal slot, and which pointers at which age, the frame
        at ``now`` recalls."""
        ...


@runtime_checkable
class Chooser(Protocol):
    """A rule that judges what the decoder proposes; it needs sightings."""

    def choose(self, bank: Bank[Any], sighting: Sighting, now: int) -> int:
        """Which candidate is the answer on a tracked frame at ``now``; ``sighting.chosen`` is the
        decoder's choice."""
        ...
