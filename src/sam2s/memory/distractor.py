"""DAM4SAM's rule: recent appearances on one side, frames that tell the object from a look-alike on
the other.

Source: arXiv 2411.17576, section 3.2. The memory has two halves of three places each.

- Recent appearances (RAM): the latest frame that shows the object, and before it one every
``interval`` frames. Frames
  without the object are left out.
- Distractor resolving (DRM): the prompted frame and, first in, first out, frames on which the
decoder was tempted by
  something else and yet right. Tempted: the box around the mask covers ``box_ratio`` or less of the
  box around the mask and the largest piece that another candidate adds to it. Right: the predicted
  IoU exceeds ``iou_threshold`` and the mask's area is within ``area_tolerance`` of the median over
  the last ``history`` frames that show the object, this one among them.

Frames of the second half have no place in time: they take the prompted frames' temporal slot.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
from scipy import ndimage

from sam2s.memory.bank import Bank, Capacity, by_rank
from sam2s.memory.motion import box_area, box_of
from sam2s.memory.recent import Recent
from sam2s.types import CONDITIONING_SLOT, Memory, Recollection, Sighting, Source


@dataclass(frozen=True, slots=True)
class Distractor:
    """The rule ``distractor``; ``recent`` bounds the pointers. ``appearances`` and ``anchors``:
    places of the two halves, the first prompted frame taking one of the anchors'; ``interval``
    (Delta): frames between appearances; an anchor comes later than that after the one before."""

    recent: Recent = field(default_factory=Recent)
    appearances: int = 3
    anchors: int = 3
    interval: int = 5
    box_ratio: float = 0.7
    iou_threshold: float = 0.8
    area_tolerance: float = 0.2
    history: int = 10

    @property
    def capacity(self) -> Capacity:
        return Capacity(self.appearances + self.anchors, self.recent.capacity.pointers)

    def choose(self, bank: Bank, sighting: Sighting, now: int) -> int:
        """The decoder's choice: this rule looks at the alternatives, but only to remember."""
        return sighting.chosen

    def admit(self, bank: Bank, new: Memory) -> Bank:
        slim = replace(new, sighting=None, descriptor=None)
        if new.source is Source.PROMPTED:
            if self.recent.forget_on_correction and bank.prompted:
                bank = Bank(prompted=bank.prompted)
            return self._note_area(bank.with_prompted(slim), new)
        anchored = self._resolves(bank, new)
        bank = replace(bank, tracked=self.recent.keep((*bank.tracked, slim), new.time + 1))
        if new.object_logit <= 0 or (new.sighting is not None and not new.sighting.mask.any()):
            return bank
        if anchored:
            queue = (*bank.long_term, slim)
            bank = replace(bank, long_term=queue[max(0, len(queue) - (self.anchors - 1)) :])
        return self._note_area(
            replace(bank, candidates=self._appearances(bank.candidates, slim)), new
        )

    def select(self, bank: Bank, now: int) -> Recollection:
        anchors = tuple((m, CONDITIONING_SLOT) for m in bank.long_term)
        return Recollection(
            (*by_rank(bank, bank.candidates), *anchors), self.recent.select(bank, now).pointers
        )

    def _appearances(self, kept: tuple[Memory, ...], new: Memory) -> tuple[Memory, ...]:
        """The latest frame takes the previous one's place, unless that one is due to stay."""
        due = len(kept) < 2 or kept[-1].time - kept[-2].time >= self.interval
        return (*(kept if due else kept[:-1]), new)[-self.appearances :]

    def _resolves(self, bank: Bank, new: Memory) -> bool:
        seen, areas = new.sighting, _areas(bank)
        if seen is None or not areas or new.object_logit <= 0 or new.iou <= self.iou_threshold:
            return False
        if bank.long_term and new.time - bank.long_term[-1].time <= self.interval:
            return False
        area = int(seen.mask.sum())
        usual = median((*areas, area)[-self.history :])
        steady = abs(area - usual) <= self.area_tolerance * usual
        return steady and tempted(seen, self.box_ratio)

    def _note_area(self, bank: Bank, new: Memory) -> Bank:
        if new.sighting is None:
            return bank
        return replace(bank, own=(*_areas(bank), int(new.sighting.mask.sum()))[-self.history :])


def tempted(seen: Sighting, ratio: float) -> bool:
    """Whether another candidate adds something far enough from the answer to be a distractor."""
    box = box_of(seen.mask)
    if box is None:
        return False
    for index, alternative in enumerate(seen.masks):
        added = None if index == seen.chosen else box_of(_largest_piece(alternative & ~seen.mask))
        if added is None:
            continue
        around = np.concatenate([np.minimum(box[:2], added[:2]), np.maximum(box[2:], added[2:])])
        if box_area(box) <= ratio * box_area(around):
            return True
    return False


def _largest_piece(mask: np.ndarray) -> np.ndarray:
    """The largest 8-connected component of a bool mask; an empty mask stays empty."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count == 0:
        return mask
    return labels == 1 + np.bincount(labels.ravel())[1:].argmax()


def _areas(bank: Bank) -> tuple[int, ...]:
    return bank.own if isinstance(bank.own, tuple) else ()
