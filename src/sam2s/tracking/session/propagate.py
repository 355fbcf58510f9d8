"""Carrying out a plan: a tracker walks over the frames and gives the masks that are wanted.

Locked masks are the truth and prompt the tracker wherever it meets them. So does what an annotator
saw of the prompts on a frame: tracking goes on from that very mask. On frames where an object is
marked absent it sits out, and its memory waits. An object that enters in the middle remembers what
earlier masks show of it: its prompted frames, the last few frames, and some further back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, TypeVar

import numpy as np

from sam2s.errors import InputError
from sam2s.memory.bank import Bank
from sam2s.tracking.session.history import History
from sam2s.tracking.session.mask_store import FoundMask, MaskStore, shown_mask
from sam2s.tracking.session.notes import ObjectNotes
from sam2s.tracking.session.plan import ObjectSpan, Pass
from sam2s.tracking.state import TrackState
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, FrameResult, Mask, Prompt

V = TypeVar("V")

RECENT = 7
"""Consecutive frames before the one an object enters on that it remembers: what SAM 2 recalls."""
EARLIER = 16
"""Frames further back that it remembers, evenly spread: what a long-term memory chooses from."""
PROMPTED = 8
"""Prompted frames that it remembers, those nearest to where it enters."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known before a pass: the log and the masks that it shows."""

    history: History
    store: MaskStore

    def mask(self, object_id: int, frame: int) -> np.ndarray | None:
        """(H, W) bool, the mask that is shown; None where there is none or it is empty."""
        found = shown_mask(self.history, self.store, object_id, frame)
        mask = None if found is None else found.mask
        return mask if mask is not None and mask.any() else None

    def previewed(self, object_id: int, frame: int) -> FoundMask | None:
        """What the annotator saw of the latest prompts on a frame; None where nobody looked, or
        where it was empty."""
        version = max(self.history.prompts_of(object_id, frame), default=None)
        if version is None or version not in self.store.versions(object_id, frame):
            return None
        found = self.store.read(version, object_id, frame)
        return found if found.mask.any() else None


FramesFrom = Callable[[int], Iterator[Frame]]
"""Frames from an index on, in the order of the pass."""


def propagate(
    plan: Pass, known: Known, tracker: Tracker, frames: FramesFrom, *, ahead: bool = False
) -> Iterator[tuple[Frame, FrameResult]]:
    """Every visited frame with the masks wanted there, in the order of the pass.

    ``tracker``: a new one, reversed where the pass is. ``frames``: gives the frames from an index
    on, towards the end of the pass. ``ahead``: they can wait, so one is read and encoded while the
    one before it is tracked. Lazy: closing the iterator stops the pass, and what it gave
    stays good. Gives nothing where the source ends before the pass begins. Raises ``InputError``
    where it ends before an object enters, and where one enters of which nothing is known.
    """
    sign = -1 if plan.reverse else 1
    start, end = plan.frames.first, plan.frames.last
    if plan.reverse:
        start, end = end, start
    banks = dict(_remembered(plan, known, tracker, frames))
    reached = start - sign
    visited = takewhile(lambda frame: sign * (frame.index - end) <= 0, frames(start))
    for frame in tracker.ahead(visited) if ahead else visited:
        reached = frame.index
        yield frame, _visit(frame, _present(plan, frame.index), known, tracker, banks)
    missing = [i for i, part in plan.spans.items() if sign * (part.enters - reached) > 0]
    if missing and reached != start - sign:
        raise InputError(
            f"object {missing[0]} starts on frame {plan.spans[missing[0]].enters}: the source ends"
            f" at frame {reached}; prompt the object on a frame that is there"
        )


def _present(plan: Pass, frame: int) -> dict[int, ObjectSpan]:
    """The parts of objects that have entered the pass and not left it."""
    if plan.reverse:
        return {i: p for i, p in plan.spans.items() if p.wanted.first <= frame <= p.enters}
    return {i: p for i, p in plan.spans.items() if p.enters <= frame <= p.wanted.last}


def _visit(
    frame: Frame,
    parts: Mapping[int, ObjectSpan],
    known: Known,
    tracker: Tracker,
    banks: dict[int, Bank[Any]],
) -> FrameResult:
    """Track the objects in ``parts`` on one frame; ``banks`` are replaced by those after it."""
    notes = known.history.notes
    absent = {i for i in parts if frame.index in notes.objects[i].absent}
    prompts = {
        i: given
        for i in parts
        if i not in absent and (given := _prompts(i, frame.index, i not in banks, known))
    }
    tracker.state = tracker.state.with_banks(
        {i: banks[i] for i in parts if i in banks and i not in absent}
    )
    corrected = {
        i: mask
        for i, given in prompts.items()
        if not isinstance(given[0], Mask)
        and (mask := _mask_that_clicks_correct(notes.objects[i], frame.index)) is not None
    }
    prior = tracker.preview(frame, corrected) if corrected else None
    result = tracker.step(frame, prompts, prior)
    banks.update(tracker.state.banks)
    result = _as_previewed(result, prompts, frame.index, known)
    wanted = {i for i, part in parts.items() if frame.index in part.wanted}
    locked = {i for i in parts if frame.index in notes.objects[i].locked}
    return _with_absent(only(result, wanted - absent - locked), wanted & absent - locked, frame)


def _as_previewed(result: FrameResult, ids: Iterable[int], frame: int, known: Known) -> FrameResult:
    """The result with what was said of previewed masks: taken for a prompt, none gets surer."""
    notes = known.history.notes.objects
    seen = {
        i: found
        for i in ids
        if frame in notes[i].given
        and frame not in notes[i].locked
        and (found := known.previewed(i, frame)) is not None
    }
    return replace(
        result,
        presence={**result.presence, **{i: found.presence for i, found in seen.items()}},
        scores={**result.scores, **{i: found.score for i, found in seen.items()}},
    )


def _prompts(object_id: int, frame: int, entering: bool, known: Known) -> tuple[Prompt, ...]:
    """What the tracker is told of an object on a frame: the locked mask, what was given, or, where
    it enters without either, the mask that is known."""
    mine = known.history.notes.objects[object_id]
    mask = known.mask(object_id, frame) if entering or frame in mine.locked else None
    if mask is not None and frame in mine.locked:
        return (Mask(mask),)
    if frame in mine.given:
        seen = known.previewed(object_id, frame)
        return mine.given[frame].prompts if seen is None else (Mask(seen.mask),)
    if mask is not None:
        return (Mask(mask),)
    if entering:
        raise InputError(
            f"object {object_id} cannot be tracked from frame {frame}: it has no prompt and no mask"
            " there; click on it on that frame"
        )
    return ()


def _mask_that_clicks_correct(mine: ObjectNotes, frame: int) -> Mask | None:
    given = mine.given.get(frame)
    return None if given is None or given.points is None else given.mask


def _remembered(
    plan: Pass, known: Known, tracker: Tracker, frames: FramesFrom
) -> Mapping[int, Bank[Any]]:
    """The memories with which objects enter that have masks from before."""
    sign = -1 if plan.reverse else 1
    on_frame: dict[int, dict[int, bool]] = {}
    for object_id, part in plan.spans.items():
        given = known.history.notes.objects[object_id].given
        for frame in _worth_remembering(object_id, part.enters, known, sign):
            on_frame.setdefault(frame, {})[object_id] = frame in given
    banks: dict[int, Bank[Any]] = {}
    for index in sorted(on_frame, key=lambda frame: sign * frame):
        masks = {i: known.mask(i, index) for i in on_frame[index]}
        shown = {i: mask for i, mask in masks.items() if mask is not None}
        if not shown:
            continue
        tracker.state = tracker.state.with_banks({i: banks[i] for i in shown if i in banks})
        prompted = frozenset(i for i in shown if on_frame[index][i])
        tracker.remember(next(frames(index)), shown, prompted)
        banks.update(tracker.state.banks)
    tracker.state = TrackState(size=tracker.state.size)
    return banks


def _worth_remembering(object_id: int, enters: int, known: Known, sign: int) -> set[int]:
    """Frames before ``enters`` in the order of the pass that an object remembers."""
    notes = known.history.notes.objects[object_id]
    before = [f for f in known.store.frames(object_id) if sign * (enters - f) > 0]
    before = sorted((f for f in before if f not in notes.absent), key=lambda f: sign * f)
    prompted = [f for f in before if f in notes.given or f in notes.locked]
    earlier = before[:: max(1, len(before) // EARLIER)]
    return {*prompted[-PROMPTED:], *before[-RECENT:], *earlier}


def only(result: FrameResult, ids: Collection[int]) -> FrameResult:
    """The same result for some of its objects."""

    def some(table: Mapping[int, V]) -> dict[int, V]:
        return {i: value for i, value in table.items() if i in ids}

    return replace(
        result,
        masks=some(result.masks),
        presence=some(result.presence),
        scores=some(result.scores),
        logits=result.logits.only(ids),
        classes=some(result.classes),
        class_probs=some(result.class_probs),
    )


def _with_absent(result: FrameResult, ids: Iterable[int], frame: Frame) -> FrameResult:
    """The result with objects that a person says are not in view: no mask, presence 0."""
    ids = list(ids)
    return replace(
        result,
        masks={**result.masks, **{i: np.zeros(frame.size, bool) for i in ids}},
        presence={**result.presence, **dict.fromkeys(ids, 0.0)},
        scores={**result.scores, **dict.fromkeys(ids, 0.0)},
    )
