"""From a log of actions to what it says: prompts, names, locks and absences, and which of the masks
that runs left behind are shown.

Everything here is a pure function of the log; masks themselves live in a ``MaskStore``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import singledispatch
from typing import TypeVar

import numpy as np

from sam2s.errors import InputError
from sam2s.tracking.session.actions import (
    Accept,
    Action,
    Clear,
    Discard,
    Give,
    Lock,
    MarkAbsent,
    MarkInBody,
    MarkOutOfBody,
    MarkPresent,
    Name,
    Propagate,
    Remove,
    Unlock,
)
from sam2s.tracking.session.ranges import NO_FRAMES, Stretch, Stretches
from sam2s.types import Box, Mask, Points, Prompt

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What was given for one object on one frame. Clicks after a mask correct that mask."""

    box: Box | None = None
    points: Points | None = None
    mask: Mask | None = None

    def plus(self, prompt: Prompt) -> Given:
        """With one more prompt: clicks add up, a box replaces a box, a mask replaces all."""
        if isinstance(prompt, Mask):
            return Given(mask=prompt)
        if isinstance(prompt, Box):
            return replace(self, box=prompt, mask=None)
        if self.points is None:
            return replace(self, points=prompt)
        xy = np.concatenate([self.points.xy, prompt.xy])
        labels = np.concatenate([self.points.labels, prompt.labels])
        return replace(self, points=Points(xy, labels))

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """As a tracker takes them. A mask with clicks on it is the clicks alone: the mask is then
        the earlier answer that they correct."""
        if self.mask is not None and self.points is None:
            return (self.mask,)
        return tuple(p for p in (self.box, self.points) if p is not None)


@dataclass(frozen=True, slots=True, eq=False)
class ObjectNotes:
    """What the log says of one object. ``given``: by frame. ``since``: number of the action that
    made the object; masks of earlier actions belong to a removed object of the same id.
    ``cleared``: by frame the number of the action that took prompts back there; what prompts alone
    had shown until then is gone with them."""

    since: int
    name: str | None = None
    given: Mapping[int, Given] = field(default_factory=dict)
    cleared: Mapping[int, int] = field(default_factory=dict)
    absent: Stretches = NO_FRAMES
    locked: Stretches = NO_FRAMES


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A tracking run that was not undone. ``spared``: by object the frames that were locked when it
    began, which it did not touch. ``accepted`` None: nobody has judged it yet."""

    version: int
    object_ids: tuple[int, ...]
    frames: Stretch
    spared: Mapping[int, Stretches] = field(default_factory=dict)
    accepted: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SessionNotes:
    """What a log says. ``objects`` by id; ``runs`` by version, the number of their action."""

    objects: Mapping[int, ObjectNotes] = field(default_factory=dict)
    out_of_body: Stretches = NO_FRAMES
    runs: Mapping[int, Run] = field(default_factory=dict)

    def object(self, object_id: int) -> ObjectNotes:
        """The notes on one object; ``InputError`` when there is none of that id."""
        if object_id not in self.objects:
            known = ", ".join(map(str, sorted(self.objects))) or "none"
            raise InputError(f"object {object_id}: there is none of that number; objects: {known}")
        return self.objects[object_id]


def after(notes: SessionNotes, action: Action, number: int) -> SessionNotes:
    """The notes after ``action``, which is number ``number`` of the log (counted from 1).

    Raises ``InputError`` when the action makes no sense there: an object or a run that does not
    exist, a prompt on a locked or absent frame.
    """
    return _after(action, notes, number)


@singledispatch
def _after(action: Action, notes: SessionNotes, number: int) -> SessionNotes:
    raise TypeError(f"no such action: {type(action).__name__}")


@_after.register
def _give(action: Give, notes: SessionNotes, number: int) -> SessionNotes:
    if action.object_id < 1 or action.frame < 0:
        raise InputError(
            f"object {action.object_id} on frame {action.frame}: objects are numbered from 1,"
            " frames from 0"
        )
    mine = notes.objects.get(action.object_id, ObjectNotes(since=number))
    _refuse_locked(action.object_id, mine, Stretch(action.frame, action.frame))
    if action.frame in mine.absent:
        raise InputError(
            f"object {action.object_id} on frame {action.frame}: it is marked absent there; take"
            " that mark back first"
        )
    given = mine.given.get(action.frame, Given()).plus(action.prompt)
    return _with_object(
        notes, action.object_id, replace(mine, given=_with(mine.given, action.frame, given))
    )


@_after.register
def _clear(action: Clear, notes: SessionNotes, number: int) -> SessionNotes:
    mine = notes.object(action.object_id)
    _refuse_locked(action.object_id, mine, Stretch(action.frame, action.frame))
    cleared = replace(
        mine,
        given=_without(mine.given, action.frame),
        cleared=_with(mine.cleared, action.frame, number),
    )
    return _with_object(notes, action.object_id, cleared)


@_after.register
def _name(action: Name, notes: SessionNotes, number: int) -> SessionNotes:
    mine = notes.objects.get(action.object_id, ObjectNotes(since=number))
    return _with_object(notes, action.object_id, replace(mine, name=action.name or None))


@_after.register
def _remove(action: Remove, notes: SessionNotes, number: int) -> SessionNotes:
    for part in notes.object(action.object_id).locked.parts:
        _refuse_locked(action.object_id, notes.object(action.object_id), part)
    return replace(notes, objects=_without(notes.objects, action.object_id))


@_after.register
def _absent(action: MarkAbsent, notes: SessionNotes, number: int) -> SessionNotes:
    mine = notes.object(action.object_id)
    _refuse_locked(action.object_id, mine, action.frames)
    given = {f: g for f, g in mine.given.items() if f not in action.frames}
    changed = replace(mine, absent=mine.absent.plus(action.frames), given=given)
    return _with_object(notes, action.object_id, changed)


@_after.register
def _present(action: MarkPresent, notes: SessionNotes, number: int) -> SessionNotes:
    mine = notes.object(action.object_id)
    return _with_object(
        notes, action.object_id, replace(mine, absent=mine.absent.minus(action.frames))
    )


@_after.register
def _lock(action: Lock, notes: SessionNotes, number: int) -> SessionNotes:
    mine = notes.object(action.object_id)
    return _with_object(
        notes, action.object_id, replace(mine, locked=mine.locked.plus(action.frames))
    )


@_after.register
def _unlock(action: Unlock, notes: SessionNotes, number: int) -> SessionNotes:
    mine = notes.object(action.object_id)
    return _with_object(
        notes, action.object_id, replace(mine, locked=mine.locked.minus(action.frames))
    )


@_after.register
def _out_of_body(action: MarkOutOfBody, notes: SessionNotes, number: int) -> SessionNotes:
    return replace(notes, out_of_body=notes.out_of_body.plus(action.frames))


@_after.register
def _in_body(action: MarkInBody, notes: SessionNotes, number: int) -> SessionNotes:
    return replace(notes, out_of_body=notes.out_of_body.minus(action.frames))


@_after.register
def _track(action: Propagate, notes: SessionNotes, number: int) -> SessionNotes:
    spared = {i: notes.object(i).locked for i in action.object_ids}
    run = Run(number, action.object_ids, action.frames, spared)
    return replace(notes, runs=_with(notes.runs, number, run))


@_after.register
def _accept(action: Accept, notes: SessionNotes, number: int) -> SessionNotes:
    run = replace(_run(notes, action.version), accepted=True)
    return replace(notes, runs=_with(notes.runs, action.version, run))


@_after.register
def _discard(action: Discard, notes: SessionNotes, number: int) -> SessionNotes:
    run = replace(_run(notes, action.version), accepted=False)
    for object_id in run.object_ids:
        if object_id in notes.objects:
            mine = notes.objects[object_id]
            since = mine.locked.without(run.spared.get(object_id, NO_FRAMES))
            _refuse_locked(object_id, replace(mine, locked=since), run.frames)
    return replace(notes, runs=_with(notes.runs, action.version, run))


def _run(notes: SessionNotes, version: int) -> Run:
    if version not in notes.runs:
        known = ", ".join(map(str, notes.runs)) or "none"
        raise InputError(f"run {version}: there is none of that number; runs: {known}")
    return notes.runs[version]


def _refuse_locked(object_id: int, mine: ObjectNotes, frames: Stretch) -> None:
    locked = mine.locked.next_from(frames.first)
    if locked is not None and locked in frames:
        raise InputError(
            f"object {object_id} on frame {locked}: the frame is locked; unlock it before you"
            " change it"
        )


def _with_object(notes: SessionNotes, object_id: int, mine: ObjectNotes) -> SessionNotes:
    return replace(notes, objects=_with(notes.objects, object_id, mine))


def _with(table: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return {**table, key: value}


def _without(table: Mapping[K, V], key: K) -> Mapping[K, V]:
    return {k: v for k, v in table.items() if k != key}
