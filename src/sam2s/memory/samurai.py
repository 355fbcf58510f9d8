"""SAMURAI's rule: a motion filter helps to choose the mask and the memories. Source: arXiv
2411.11922, section 4.

Choosing the mask: while the object was tracked well for a while, the candidate is chosen that has
the highest

    alpha * IoU(box the filter predicts, box of the candidate) + (1 - alpha) * predicted IoU,

before and after that simply the highest predicted IoU. Choosing the memories: a tracked frame may
be recalled when its predicted IoU, its object logit and (once the filter is settled) its motion
score exceed their thresholds; the latest of them are recalled, however old, beside the prompted
frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Literal

import numpy as np

from sam2s.memory.bank import Bank, by_rank
from sam2s.memory.motion import Motion, box_iou, box_of, predict, start, update
from sam2s.memory.policy import Capacity, Needs
from sam2s.memory.recent import Recent, Share
from sam2s.typed_json import Bounds, check_fields
from sam2s.types import Memory, Origin, Recollection, Sighting


@dataclass(frozen=True, slots=True, eq=False)
class SamuraiState:
    """``good``: the latest tracked frames that passed, oldest first; ``motion``: the filter, None
    where it has to start anew."""

    good: tuple[Memory, ...] = ()
    motion: Motion | None = None

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The frames that passed."""
        return self.good


@dataclass(frozen=True, slots=True)
class Samurai:
    """The rule ``samurai``; ``recent`` bounds maps and pointers.

    ``motion_weight`` is alpha. ``settled``: how many frames in a row must have been tracked well
    before the filter is used. Tracked well means a predicted IoU above ``steady_iou``; any other
    frame restarts the filter. ``iou_threshold``, ``object_threshold`` and ``motion_threshold`` are
    tau_mask, tau_obj and tau_kf of section 4.2, which decide what is recalled and nothing else.
    """

    recent: Recent = field(default_factory=Recent)
    motion_weight: Share = 0.15
    settled: Annotated[int, Bounds(0, 10_000)] = 15
    steady_iou: Share = 0.3
    iou_threshold: Share = 0.5
    object_threshold: float = 0.0
    motion_threshold: Share = 0.0
    rule: Literal["samurai"] = field(default="samurai", kw_only=True)

    needs: ClassVar = Needs(sightings=True)

    def __post_init__(self) -> None:
        check_fields(self, "memory rule samurai")

    @property
    def capacity(self) -> Capacity:
        """As many as SAM 2 recalls."""
        return self.recent.capacity

    def choose(self, bank: Bank[SamuraiState], sighting: Sighting, now: int) -> int:
        """The candidate with the best weighted mean of motion and predicted IoU; the decoder's
        choice until the filter is settled."""
        expected = self._expected(bank.state or SamuraiState(), now)
        if expected is None or sighting.object_logit <= 0:
            return sighting.chosen
        motion = np.array([_agreement(expected, mask) for mask in sighting.masks])
        scores = self.motion_weight * motion + (1 - self.motion_weight) * np.array(sighting.ious)
        return int(scores.argmax())

    def admit(self, bank: Bank[SamuraiState], new: Memory) -> Bank[SamuraiState]:
        """The bank with ``new``, the filter moved on or restarted."""
        state, slim = bank.state or SamuraiState(), replace(new, sighting=None)
        box = None if new.sighting is None else box_of(new.sighting.mask)
        after = self.recent.admit(bank, slim)
        if new.origin is Origin.PROMPTED:
            good = () if self.recent.forgets(bank) else state.good
            motion = None if box is None else start(box, new.time)
            return replace(after, state=SamuraiState(good, motion))
        good = (*state.good, slim)[-self.recent.maps :] if self._good(state, new) else state.good
        if box is None or new.iou <= self.steady_iou:
            return replace(after, state=SamuraiState(good))
        motion = start(box, new.time)
        if state.motion is not None:
            motion = update(predict(state.motion, new.time), box)
        return replace(after, state=SamuraiState(good, motion))

    def select(self, bank: Bank[SamuraiState], now: int) -> Recollection:
        """The latest frames that passed, however old; pointers as in SAM 2."""
        good = (bank.state or SamuraiState()).good
        return Recollection(by_rank(bank.prompted, good), self.recent.select(bank, now).pointers)

    def _expected(self, state: SamuraiState, now: int) -> Motion | None:
        """The filter's prediction, once it is settled."""
        if state.motion is None or state.motion.run < self.settled:
            return None
        return predict(state.motion, now)

    def _good(self, state: SamuraiState, new: Memory) -> bool:
        if new.iou <= self.iou_threshold or new.object_logit <= self.object_threshold:
            return False
        expected = self._expected(state, new.time)
        if expected is None or new.sighting is None:
            return True
        return _agreement(expected, new.sighting.mask) > self.motion_threshold


def _agreement(expected: Motion, mask: np.ndarray) -> float:
    box = box_of(mask)
    return 0.0 if box is None else box_iou(expected.box, box)
