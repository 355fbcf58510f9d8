"""A video's session on the disk: its history, loaded once and written action by action."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import Any

from sqlalchemy import Connection, Engine, select

from sam2s.annotate.database import writing
from sam2s.annotate.project_schema import ACTIONS, VIDEOS
from sam2s.errors import InputError
from sam2s.tracking.session.action_file import actions_of_rows, rows_of
from sam2s.tracking.session.actions import Action
from sam2s.tracking.session.history import Entry, History
from sam2s.tracking.session.notes import SessionNotes, after
from sam2s.typed_json import parse_json


class Outdated(InputError):
    """The log has moved on since the one who asks has last seen it."""


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """What is known of a video's session at one moment. ``revision`` counts the changes of its log,
    undo and redo included."""

    history: History
    revision: int


class SessionLog:
    """The session of one video, shared by everything that changes it.

    Each change is one transaction, on the disk before ``session`` shows it. ``seen``: the revision
    that the one who asks has last seen, None for those who do not look. An action from someone who
    has not seen the latest ones is added behind these where it still makes sense, so both are kept;
    to undo or redo, which would hit another's action, is then refused with ``Outdated``.
    """

    def __init__(self, engine: Engine, video: str, changed: Callable[[Session], None]) -> None:
        self._engine, self._video, self._changed = engine, video, changed
        self._lock = RLock()
        with engine.connect() as connection:
            self._session = load_session(connection, video)

    @property
    def session(self) -> Session:
        """As it is now; an immutable value."""
        return self._session

    def do(self, action: Action) -> Entry:
        """Add an action; ``InputError`` when it makes no sense now, ``NotSaved`` when the disk
        refuses."""
        with self._lock:
            before = self._session.history
            after_it = before.do(action)
            entry = after_it.done[-1]
            (row,) = rows_of(action)
            new = {"number": entry.number, "row": json.dumps(row), "state": "done"}

            def write(connection: Connection) -> None:
                connection.execute(
                    ACTIONS.update()
                    .where(ACTIONS.c.video == self._video, ACTIONS.c.state == "undone")
                    .values(state="dropped")
                )
                connection.execute(
                    ACTIONS.insert().values(video=self._video, at=time.time(), **new)
                )

            self._change(after_it, write)
            return entry

    def undo(self, seen: int | None = None) -> Entry:
        """Take back the latest action and give it; ``InputError`` when there is none, ``Outdated``
        after another's change."""
        with self._lock:
            self._check_seen(seen, "undo")
            entry = self._session.history.done[-1] if self._session.history.done else None
            self._change(self._session.history.undo(), self._marks(entry, "undone"))
            assert entry is not None, "undo raises where there is none"
            return entry

    def redo(self, seen: int | None = None) -> Entry:
        """Bring back what was undone last and give it; raises as ``undo``."""
        with self._lock:
            self._check_seen(seen, "redo")
            entry = self._session.history.undone[-1] if self._session.history.undone else None
            self._change(self._session.history.redo(), self._marks(entry, "done"))
            assert entry is not None, "redo raises where there is none"
            return entry

    def _check_seen(self, seen: int | None, what: str) -> None:
        if seen is not None and seen != self._session.revision:
            raise Outdated(
                f"nothing to {what} yet: the session was changed elsewhere, perhaps in another tab;"
                f" look at it as it is now and {what} again"
            )

    def _marks(self, entry: Entry | None, state: str) -> Callable[[Connection], None]:
        number = -1 if entry is None else entry.number
        mine = (ACTIONS.c.video == self._video) & (ACTIONS.c.number == number)
        return lambda connection: _execute(connection, ACTIONS.update().where(mine), state)

    def _change(self, history: History, write: Callable[[Connection], None]) -> None:
        revision = self._session.revision + 1
        with writing(self._engine) as connection:
            write(connection)
            mine = VIDEOS.c.id == self._video
            connection.execute(VIDEOS.update().where(mine).values(revision=revision))
        self._session = Session(history, revision)
        self._changed(self._session)


def _execute(connection: Connection, update: object, state: str) -> None:
    connection.execute(update.values(state=state))  # type: ignore[attr-defined]


def load_session(connection: Connection, video: str) -> Session:
    """The session as the database has it; ``InputError`` when its actions contradict each other."""
    rows = connection.execute(
        select(ACTIONS.c.number, ACTIONS.c.row, ACTIONS.c.state)
        .where(ACTIONS.c.video == video)
        .order_by(ACTIONS.c.number)
    ).all()
    revision = connection.scalar(select(VIDEOS.c.revision).where(VIDEOS.c.id == video)) or 0
    notes = SessionNotes()
    done: list[Entry] = []
    undone: list[Entry] = []
    for number, row, state in rows:
        if state == "dropped":
            continue
        where = f"action {number} of the project"
        (action,) = actions_of_rows([parse_json(row, dict[str, Any], where)], where)
        notes = after(notes, action, number)
        (done if state == "done" else undone).append(Entry(number, action, notes))
    used = max((number for number, _, _ in rows), default=0)
    return Session(History(tuple(done), tuple(reversed(undone)), used), revision)
