"""DAM4SAM's rule: recent appearances, and frames that tell the object from a look-alike.

Source: arXiv 2411.17576, section 3.2. The memory has two halves of three places each.

- Recent appearances (RAM): the latest frame that shows the object, and before it one every
  ``interval`` frames. Frames without the object are left out.
- Distractor resolving (DRM): the prompted frame and, first in, first out, frames on which the
  decoder saw a distractor and was yet right. A distractor: the box around the mask covers
  ``box_ratio`` or less of the box around the mask and the largest piece that another candidate adds
  to it. Right: the predicted IoU exceeds ``iou_threshold`` and the mask's area is within
  ``area_tolerance`` of the median over the last ``history`` frames that show the object, this one
  among them.

Frames of the second half have no place in time: they take the prompted frames' temporal slot.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import median
from typing import ClassVar, Literal

import numpy as np
from scipy import ndimage

from sam2s.memory.bank import Bank, by_rank
from sam2s.memory.motion import box_area, box_of
from sam2s.memory.policy import Capacity, Needs
from sam2s.memory.recent import Count, Recent, Share
from sam2s.typed_json import check_fields
from sam2s.types import CONDITIONING_SLOT, Memory, Origin, Recollection, Sighting


@dataclass(frozen=True, slots=True, eq=False)
class DistractorState:
    """``appearances`` and ``anchors``: the two halves, oldest first, without the prompted frames;
    ``areas``: of the masks on the last frames that showed the object, in cells."""

    appearances: tuple[Memory, ...] = ()
    anchors: tuple[Memory, ...] = ()
    areas: tuple[int, ...] = ()

    @property
    def memories(self) -> tuple[Memory, ...]:
        """Those of both halves."""
        return (*self.appearances, *self.anchors)


@dataclass(frozen=True, slots=True)
class Distractor:
    """The rule ``distractor``; ``recent`` bounds the pointers. ``appearances`` and ``anchors``:
    places of the two halves, the first prompted frame taking one of the anchors'; ``interval``
    (Delta): frames between appearances; an anchor comes later than that after the one before."""

    recent: Recent = field(default_factory=Recent)
    appearances: Count = 3
    anchors: Count = 3
    interval: Count = 5
    box_ratio: Share = 0.7
    iou_threshold: Share = 0.8
    area_tolerance: Share = 0.2
    history: Count = 10
    rule: Literal["distractor"] = field(default="distractor", kw_only=True)

    needs: ClassVar = Needs(sightings=True)

    def __post_init__(self) -> None:
        check_fields(self, "memory rule distractor")

    @property
    def capacity(self) -> Capacity:
        """Both halves; the pointers of the recent memory."""
        return Capacity(self.appearances + self.anchors, self.recent.capacity.pointers)

    def admit(self, bank: Bank[DistractorState], new: Memory) -> Bank[DistractorState]:
        """The bank with ``new``, in the halves where it belongs."""
        state, slim = bank.state or DistractorState(), replace(new, sighting=None)
        after = self.recent.admit(bank, slim)
        if new.origin is Origin.PROMPTED:
            state = DistractorState() if self.recent.forgets(bank) else state
            return replace(after, state=self._with_area(state, new))
        if new.object_logit <= 0 or (new.sighting is not None and not new.sighting.mask.any()):
            return replace(after, state=state)
        anchors = (*state.anchors, slim) if self._resolves(state, new) else state.anchors
        halves = replace(
            state,
            appearances=self._appearances(state.appearances, slim),
            anchors=anchors[max(0, len(anchors) - (self.anchors - 1)) :],
        )
        return replace(after, state=self._with_area(halves, new))

    def select(self, bank: Bank[DistractorState], now: int) -> Recollection:
        """The appearances by rank, the anchors as if they were prompted; pointers as in SAM 2."""
        state = bank.state or DistractorState()
        anchors = tuple((m, CONDITIONING_SLOT) for m in state.anchors)
        return Recollection(
            (*by_rank(bank.prompted, state.appearances), *anchors),
            self.recent.select(bank, now).pointers,
        )

    def _appearances(self, kept: tuple[Memory, ...], new: Memory) -> tuple[Memory, ...]:
        """The latest frame takes the previous one's place, unless that one is due to stay."""
        due = len(kept) < 2 or kept[-1].time - kept[-2].time >= self.interval
        return (*(kept if due else kept[:-1]), new)[-self.appearances :]

    def _resolves(self, state: DistractorState, new: Memory) -> bool:
        """Whether a frame that shows the object also tells it from a look-alike."""
        seen = new.sighting
        if seen is None or not state.areas or new.iou <= self.iou_threshold:
            return False
        if state.anchors and new.time - state.anchors[-1].time <= self.interval:
            return False
        area = int(seen.mask.sum())
        usual = median((*state.areas, area)[-self.history :])
        steady = abs(area - usual) <= self.area_tolerance * usual
        return steady and shows_distractor(seen, self.box_ratio)

    def _with_area(self, state: DistractorState, new: Memory) -> DistractorState:
        if new.sighting is None:
            return state
        areas = (*state.areas, int(new.sighting.mask.sum()))[-self.history :]
        return replace(state, areas=areas)


def shows_distractor(seen: Sighting, ratio: float) -> bool:
    """Whether another candidate adds something far enough from the answer to be a distractor."""
    box = box_of(seen.mask)
    if box is None:
        return False
    for index, alternative in enumerate(seen.masks):
        added = None if index == seen.chosen else _largest_piece(alternative & ~seen.mask)
        if added is None:
            continue
        around = np.concatenate([np.minimum(box[:2], added[:2]), np.maximum(box[2:], added[2:])])
        if box_area(box) <= ratio * box_area(around):
            return True
    return False


def _largest_piece(mask: np.ndarray) -> np.ndarray | None:
    """The box around the largest 8-connected component of a bool mask; None where it is empty."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count == 0:
        return None
    # Label 0 is the background; the components are numbered from 1.
    return box_of(labels == 1 + np.bincount(labels.ravel())[1:].argmax())
