"""The log of a session, with undo and redo: an immutable value that grows at its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sam2s.errors import InputError
from sam2s.tracking.session.actions import Action, Clear, Give, Remove
from sam2s.tracking.session.notes import SessionNotes, after


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One action of the log, with its ``number`` (unique in a session, undone ones included) and
    what the log says after it."""

    number: int
    action: Action
    notes: SessionNotes


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """``done``: actions in force, oldest first; ``undone``: those that ``redo`` brings back, the
    next one last; ``used``: the highest number given to an action so far."""

    done: tuple[Entry, ...] = ()
    undone: tuple[Entry, ...] = ()
    used: int = 0

    @staticmethod
    def of(actions: Iterable[Action]) -> History:
        """The history of actions done one after the other."""
        history = History()
        for action in actions:
            history = history.do(action)
        return history

    @property
    def notes(self) -> SessionNotes:
        """What the actions in force say."""
        return self.done[-1].notes if self.done else SessionNotes()

    @property
    def actions(self) -> tuple[Action, ...]:
        """The actions in force, oldest first."""
        return tuple(entry.action for entry in self.done)

    @property
    def in_force(self) -> frozenset[int]:
        """Numbers of the actions in force: the versions whose masks may be shown."""
        return frozenset(entry.number for entry in self.done)

    def prompts_of(self, object_id: int, frame: int) -> tuple[int, ...]:
        """Numbers of the actions that prompted the object on the frame, since it was last
        cleared."""
        numbers: list[int] = []
        for entry in self.done:
            match entry.action:
                case Give(i, f, _) if (i, f) == (object_id, frame):
                    numbers.append(entry.number)
                case Clear(i, f) if (i, f) == (object_id, frame):
                    numbers.clear()
                case Remove(i) if i == object_id:
                    numbers.clear()
        return tuple(numbers)

    def do(self, action: Action) -> History:
        """The history with one more action; what was undone can no longer be redone.

        Raises ``InputError`` when the action makes no sense now (see ``notes.after``).
        """
        number = self.used + 1
        entry = Entry(number, action, after(self.notes, action, number))
        return History((*self.done, entry), (), number)

    def undo(self) -> History:
        """Without the latest action; ``InputError`` when there is none."""
        if not self.done:
            raise InputError("nothing to undo: no action is left")
        return History(self.done[:-1], (*self.undone, self.done[-1]), self.used)

    def redo(self) -> History:
        """With the latest undone action again; ``InputError`` when there is none."""
        if not self.undone:
            raise InputError("nothing to redo: nothing was undone since the latest action")
        return History((*self.done, self.undone[-1]), self.undone[:-1], self.used)
