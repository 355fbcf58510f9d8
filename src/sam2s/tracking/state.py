"""Tracking state: a value. Keeping an earlier one is undo; it may be copied and pickled, to pause
and to resume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sam2s.errors import InputError
from sam2s.memory.bank import Bank


@dataclass(frozen=True, slots=True, eq=False)
class TrackState:
    """Everything a tracker knows between two frames.

    ``clock``: time of the last committed frame (the negated index when tracking in reverse), None
    before the first; ``size``: (height, width) of the source, None before the first frame;
    ``banks``: one bank per object id, read-only.
    """

    clock: int | None = None
    size: tuple[int, int] | None = None
    banks: Mapping[int, Bank[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "banks", MappingProxyType(dict(self.banks)))

    def __reduce__(self) -> tuple[object, ...]:
        # Python neither pickles nor copies a read-only view of a dict.
        return TrackState, (self.clock, self.size, dict(self.banks))

    def without(self, object_id: int) -> TrackState:
        """The state in which ``object_id`` is no longer tracked; ``InputError`` if it never was."""
        if object_id not in self.banks:
            raise InputError(
                f"object {object_id} is not tracked; tracked objects:"
                f" {sorted(self.banks) or 'none'}"
            )
        return self.with_banks({k: b for k, b in self.banks.items() if k != object_id})

    def with_banks(self, banks: Mapping[int, Bank[Any]]) -> TrackState:
        """The same clock and size with other memories."""
        return TrackState(self.clock, self.size, banks)
