"""Tracking state: a value. Keeping an earlier one is undo; stepping several side by side is a tree
of hypotheses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from torch import Tensor

from sam2s.errors import InputError
from sam2s.memory.bank import Bank
from sam2s.types import Decoded, Sighting, take_rows


@dataclass(frozen=True, slots=True, eq=False)
class TrackState:
    """Everything a tracker knows between two frames.

    ``clock``: time of the last committed frame (the negated index when tracking in reverse), None
    before the first; ``size``: (height, width) of the source, None before the first frame;
    ``banks``: one bank per object id.
    """

    clock: int | None = None
    size: tuple[int, int] | None = None
    banks: Mapping[int, Bank] = field(default_factory=lambda: MappingProxyType({}))

    def without(self, object_id: int) -> TrackState:
        """The state in which ``object_id`` is no longer tracked; ``InputError`` if it never was."""
        if object_id not in self.banks:
            raise InputError(
                f"object {object_id} is not tracked; tracked objects:"
                f" {sorted(self.banks) or 'none'}"
            )
        return replace(
            self, banks=MappingProxyType({k: b for k, b in self.banks.items() if k != object_id})
        )


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What one frame shows, before anything is remembered; row i of ``decoded`` belongs to object
    ``ids[i]``.

    ``prompted``: which rows a user marked on this frame; ``binarize``: (N,) bool, which of them by
    clicks or a box (their mask is made hard before it is memorised, as SAM 2 does). ``sightings``:
    what each row chose from, where the memory rule is a ``Chooser``. ``pathways``: under a tree of
    hypotheses, what all of them show.
    """

    ids: tuple[int, ...]
    decoded: Decoded
    prompted: tuple[bool, ...]
    binarize: Tensor
    sightings: tuple[Sighting, ...] | None = None
    pathways: Pathways | None = None

    def of(self, object_id: int) -> Decoded:
        """The single row of one object."""
        return take_rows(self.decoded, [self.ids.index(object_id)])


@dataclass(frozen=True, slots=True, eq=False)
class Pathways:
    """The hypotheses that survive one frame (see ``tree``), each with its own id.

    ``seen``: what each of them shows; ``banks``: the memories it continues, by id; ``scores``: its
    cumulative score.
    """

    seen: Observation
    banks: Mapping[int, Bank]
    scores: Mapping[int, float]
