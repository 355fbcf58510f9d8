"""SAMURAI's rule: a motion filter helps to choose the mask and the memories. Source: arXiv
2411.11922, section 4.

Choosing the mask: while the object was tracked well for a while, the candidate is chosen that has
the highest

    alpha * IoU(box the filter predicts, box of the candidate) + (1 - alpha) * predicted IoU,

before and after that simply the highest predicted IoU. Choosing the memories: a tracked frame may
be recalled when its predicted IoU, its object logit and (where the filter had a say) its motion
score exceed their thresholds; the latest of them are recalled, however old, beside the prompted
frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from sam2s.memory.bank import Bank, Capacity, by_rank
from sam2s.memory.motion import Motion, box_iou, box_of, predict, start, update
from sam2s.memory.recent import Recent
from sam2s.types import Memory, Recollection, Sighting, Source


@dataclass(frozen=True, slots=True)
class Samurai:
    """The rule ``samurai``; ``recent`` bounds maps and pointers.

    ``motion_weight`` is alpha. ``settled``: frames in a row that must have been tracked well before
    the filter has a say; tracked well is a predicted IoU above ``steady_iou``, and a frame that is
    not restarts the filter. ``iou_threshold``, ``object_threshold`` and ``motion_threshold`` are
    tau_mask, tau_obj and tau_kf of section 4.2, which decide what is recalled and nothing else.
    """

    recent: Recent = field(default_factory=Recent)
    motion_weight: float = 0.15
    settled: int = 15
    steady_iou: float = 0.3
    iou_threshold: float = 0.5
    object_threshold: float = 0.0
    motion_threshold: float = 0.0

    @property
    def capacity(self) -> Capacity:
        return self.recent.capacity

    def choose(self, bank: Bank, sighting: Sighting, now: int) -> int:
        expected = self._expected(bank, now)
        if expected is None or sighting.object_logit <= 0:
            return sighting.chosen
        motion = np.array([_agreement(expected, mask) for mask in sighting.masks])
        scores = self.motion_weight * motion + (1 - self.motion_weight) * np.array(sighting.ious)
        return int(scores.argmax())

    def admit(self, bank: Bank, new: Memory) -> Bank:
        slim, seen = replace(new, sighting=None, descriptor=None), new.sighting
        box = None if seen is None else box_of(seen.mask)
        if new.source is Source.PROMPTED:
            return replace(
                self.recent.prompt(bank, slim), own=None if box is None else start(box, new.time)
            )
        kept = (
            (*bank.long_term, slim)[-self.recent.maps :]
            if self._good(bank, new)
            else bank.long_term
        )
        steady = new.iou > self.steady_iou
        motion = _follow(bank, box, new.time) if steady and box is not None else None
        tracked = self.recent.keep((*bank.tracked, slim), new.time + 1)
        return replace(bank, tracked=tracked, long_term=kept, own=motion)

    def select(self, bank: Bank, now: int) -> Recollection:
        return Recollection(by_rank(bank, bank.long_term), self.recent.select(bank, now).pointers)

    def _expected(self, bank: Bank, now: int) -> Motion | None:
        """The filter's prediction, where it has a say."""
        motion = bank.own
        return (
            predict(motion, now)
            if isinstance(motion, Motion) and motion.run >= self.settled
            else None
        )

    def _good(self, bank: Bank, new: Memory) -> bool:
        if new.iou <= self.iou_threshold or new.object_logit <= self.object_threshold:
            return False
        expected = self._expected(bank, new.time)
        if expected is None or new.sighting is None:
            return True
        return _agreement(expected, new.sighting.mask) > self.motion_threshold


def _agreement(expected: Motion, mask: np.ndarray) -> float:
    box = box_of(mask)
    return 0.0 if box is None else box_iou(expected.box, box)


def _follow(bank: Bank, box: np.ndarray, now: int) -> Motion:
    motion = bank.own
    return update(predict(motion, now), box) if isinstance(motion, Motion) else start(box, now)
