"""What a mean over masks does not show: identity swaps, recovery after absence, and masks where
there is no object.

All of it follows from one ``FrameOutcome`` for each annotated frame after the prompted one, in
temporal order:

**right**: the predicted mask has an IoU of at least 0.5 with its own object (``RIGHT``, the
matching threshold of the multi-object tracking field). **On another object**: it is not right, and
its IoU with some other annotated object of the frame is at least 0.5. An **identity swap** is a
change from right to being on another object, whatever lies between; the object counts as right on
the prompted frame, and being on one other object after another is one swap until the mask was right
again. A mask that covers its object and another, or drifts on to background, is wrong but no swap.
Swaps are seen only where the other object is annotated.

An object **returns** on its first annotated frame in view after one or more annotated frames on
which it is absent. It is **recovered** on the first annotated frame from there on, the frame of
return included, on which the mask is right; if it leaves again or the annotation ends before that,
it is not. The time to recovery is counted from the return, 0 when the mask is right at once, and
includes frames without annotation.

**False presence**: a mask that is not empty on an annotated frame on which the object is absent.
**Missed**: an empty mask where the object is in view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from sam2s.metrics.region import jaccard

RIGHT = 0.5
"""Least IoU at which a mask is on an object."""


@dataclass(frozen=True, slots=True)
class FrameOutcome:
    """One annotated frame of one tracked object.

    ``index``: of the frame; ``time``: its seconds, or None; ``present``: the true mask is not
    empty; ``shown``: the predicted one is not; ``right``: see above, never where the object is
    absent; ``other``: the mask is on another object.
    """

    index: int
    time: float | None
    present: bool
    shown: bool
    right: bool
    other: bool


@dataclass(frozen=True, slots=True)
class Return:
    """One return into view: frames and seconds (None: times not known) until the mask was right
    again; or, when it was not ``recovered``, for how long that could be seen."""

    frames: int
    seconds: float | None
    recovered: bool


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Counts over annotated frames after the prompted one, of one object or added up (``+``) over
    many."""

    objects: int = 0
    frames: int = 0
    swaps: int = 0
    on_other: int = 0
    absent: int = 0
    false_present: int = 0
    missed: int = 0
    returns: tuple[Return, ...] = ()

    def __add__(self, other: Behaviour) -> Behaviour:
        counts = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        return Behaviour(returns=self.returns + other.returns, **counts)

    @property
    def share_recovered(self) -> float | None:
        """Recovered returns among all, in [0, 1]; None without a return."""
        return _share(sum(r.recovered for r in self.returns), len(self.returns))

    @property
    def frames_to_recover(self) -> float | None:
        """Median over the recovered returns; None when there are none. It says nothing of the
        others."""
        known = [r.frames for r in self.returns if r.recovered]
        return median(known) if known else None

    @property
    def seconds_to_recover(self) -> float | None:
        """The same in seconds, over the recovered returns whose times are known."""
        known = [r.seconds for r in self.returns if r.recovered and r.seconds is not None]
        return median(known) if known else None

    @property
    def false_presence(self) -> float | None:
        """Share, in [0, 1], of the frames without the object on which a mask was given; None
        without such frames."""
        return _share(self.false_present, self.absent)

    @property
    def miss_rate(self) -> float | None:
        """Share, in [0, 1], of the frames with the object on which no mask was given."""
        return _share(self.missed, self.frames - self.absent)

    def to_json(self) -> dict[str, Any]:
        """The counts alone; ``from_json`` reads them."""
        returns = [[r.frames, r.seconds, r.recovered] for r in self.returns]
        return {**{name: getattr(self, name) for name in COUNTS}, "returns": returns}

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> Behaviour:
        """What `to_json` gave."""
        returns = tuple(Return(*values) for values in entry["returns"])
        return Behaviour(returns=returns, **{name: entry[name] for name in COUNTS})


COUNTS = ("objects", "frames", "swaps", "on_other", "absent", "false_present", "missed")


def frame_outcome(
    index: int,
    time: float | None,
    pred: np.ndarray,
    iou: float,
    truth: np.ndarray,
    others: Iterable[np.ndarray],
) -> FrameOutcome:
    """Judge one predicted mask, (H, W) bool, of IoU ``iou`` with its own object's ``truth``;
    ``others``: true masks of the frame's other objects, looked at only when the mask is wrong and
    not empty."""
    present, shown = bool(truth.any()), bool(pred.any())
    right = present and iou >= RIGHT
    return FrameOutcome(
        index, time, present, shown, right, other=shown and not right and _on_any(pred, others)
    )


def _on_any(pred: np.ndarray, others: Iterable[np.ndarray]) -> bool:
    area = int(np.count_nonzero(pred))
    for truth in others:
        size = int(np.count_nonzero(truth))
        # No overlap of masks of such different areas can reach the threshold.
        if size and min(area, size) >= RIGHT * max(area, size) and jaccard(pred, truth) >= RIGHT:
            return True
    return False


def behaviour(outcomes: Sequence[FrameOutcome]) -> Behaviour:
    """The counts of one object from its annotated frames, in temporal order."""
    absent = [s for s in outcomes if not s.present]
    return Behaviour(
        objects=1,
        frames=len(outcomes),
        swaps=_swaps(outcomes),
        on_other=sum(s.other for s in outcomes),
        absent=len(absent),
        false_present=sum(s.shown for s in absent),
        missed=sum(s.present and not s.shown for s in outcomes),
        returns=tuple(_returns(outcomes)),
    )


def total(parts: Iterable[Behaviour | None]) -> Behaviour:
    """The sum; None entries do not count."""
    return sum((part for part in parts if part is not None), Behaviour())


def _swaps(outcomes: Sequence[FrameOutcome]) -> int:
    swaps, away = 0, False
    for seen in outcomes:
        swaps += seen.other and not away
        away = seen.other or (away and not seen.right)
    return swaps


def _returns(outcomes: Sequence[FrameOutcome]) -> list[Return]:
    found = []
    back: FrameOutcome | None = None  # the frame of a return that is not recovered yet
    before: FrameOutcome | None = None
    for seen in outcomes:
        if seen.present and before is not None and not before.present:
            back = seen
        if back is not None and seen.present and seen.right:
            found.append(_from(back, seen, recovered=True))
            back = None
        elif back is not None and not seen.present:
            assert before is not None, "a return has a frame before it"
            found.append(_from(back, before, recovered=False))
            back = None
        before = seen
    if back is not None and before is not None:
        found.append(_from(back, before, recovered=False))
    return found


def _from(back: FrameOutcome, until: FrameOutcome, *, recovered: bool) -> Return:
    seconds = None
    if back.time is not None and until.time is not None:
        seconds = round(until.time - back.time, 6)
    return Return(until.index - back.index, seconds, recovered)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
