"""Masks that previews and runs left behind, by version, object and frame; and which one is shown.

A version is the number of the action that made a mask. Nothing is overwritten: undo, discard and
compare only choose among versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sam2s.masklets.masks import Rle, decode_rle, encode_rle
from sam2s.tracking.session.history import History
from sam2s.types import Frame, FrameResult


@dataclass(frozen=True, slots=True, eq=False)
class FoundMask:
    """One object on one frame: ``rle`` (COCO), ``presence`` and ``score`` in [0, 1]; ``class_name``
    and its probability, from models that name objects."""

    rle: Rle
    presence: float
    score: float
    class_name: str | None = None
    class_prob: float | None = None

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool."""
        return decode_rle(self.rle)


class MaskStore(Protocol):
    """Where masks are kept: a table in memory, a database, the folder of an earlier run."""

    def write(self, version: int, frame: int, masks: Mapping[int, FoundMask]) -> None:
        """Keep the masks {object id: mask} that ``version`` found on a frame."""
        ...

    def versions(self, object_id: int, frame: int) -> Sequence[int]:
        """Versions that hold a mask of the object on the frame, in any order."""
        ...

    def read(self, version: int, object_id: int, frame: int) -> FoundMask:
        """The mask that ``version`` found; ``KeyError`` where it found none."""
        ...

    def frames(self, object_id: int) -> Iterable[int]:
        """Frames on which the object has a mask of any version, ascending."""
        ...


class MasksInMemory:
    """A ``MaskStore`` for short videos and tests."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], dict[int, FoundMask]] = {}

    def write(self, version: int, frame: int, masks: Mapping[int, FoundMask]) -> None:
        """As ``MaskStore.write``."""
        for object_id, found in masks.items():
            self._kept.setdefault((object_id, frame), {})[version] = found

    def versions(self, object_id: int, frame: int) -> Sequence[int]:
        """As ``MaskStore.versions``."""
        return tuple(self._kept.get((object_id, frame), ()))

    def read(self, version: int, object_id: int, frame: int) -> FoundMask:
        """As ``MaskStore.read``."""
        return self._kept[object_id, frame][version]

    def frames(self, object_id: int) -> Iterable[int]:
        """As ``MaskStore.frames``."""
        return sorted(frame for mine, frame in self._kept if mine == object_id)


def found_masks(result: FrameResult) -> dict[int, FoundMask]:
    """A tracker's answer as masks to keep."""
    return {
        i: FoundMask(
            encode_rle(mask),
            float(result.presence[i]),
            float(result.scores[i]),
            result.classes.get(i),
            result.class_probs.get(i),
        )
        for i, mask in result.masks.items()
    }


def as_result(frame: Frame, found: Mapping[int, FoundMask]) -> FrameResult:
    """Kept masks as the answer of a tracker, without logits."""
    named = {i: m for i, m in found.items() if m.class_name is not None}
    return FrameResult(
        frame.index,
        frame.time,
        masks={i: m.mask for i, m in found.items()},
        presence={i: m.presence for i, m in found.items()},
        scores={i: m.score for i, m in found.items()},
        classes={i: m.class_name or "" for i, m in named.items()},
        class_probs={i: m.class_prob or 0.0 for i, m in named.items()},
    )


def shown_version(history: History, store: MaskStore, object_id: int, frame: int) -> int | None:
    """The version whose mask of the object is shown on the frame: the latest one in force that was
    not discarded, nor made from prompts that were taken back. None where there is none, or where
    the object is marked absent."""
    notes = history.notes
    mine = notes.objects.get(object_id)
    if mine is None or frame in mine.absent:
        return None
    discarded = {version for version, run in notes.runs.items() if run.accepted is False}
    in_force, cleared = history.in_force, mine.cleared.get(frame, 0)
    usable = [
        version
        for version in store.versions(object_id, frame)
        if version >= mine.since
        and version in in_force
        and version not in discarded
        and (version > cleared or version in notes.runs)
    ]
    return max(usable, default=None)


def shown_mask(history: History, store: MaskStore, object_id: int, frame: int) -> FoundMask | None:
    """The mask that is shown (see ``shown_version``), or None."""
    version = shown_version(history, store, object_id, frame)
    return None if version is None else store.read(version, object_id, frame)
