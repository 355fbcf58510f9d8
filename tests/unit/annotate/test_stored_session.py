"""A session on the disk is the session in memory, whatever was done and undone."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sam2s.annotate.database import NotSaved, open_database
from sam2s.annotate.session_log import Outdated, SessionLog, load_session
from sam2s.errors import InputError
from sam2s.tracking.session.action_file import rows_of
from sam2s.tracking.session.actions import (
    Clear,
    Discard,
    Give,
    Lock,
    MarkAbsent,
    Name,
    Propagate,
    Remove,
    Unlock,
)
from sam2s.tracking.session.history import History
from sam2s.tracking.session.ranges import Stretch
from sam2s.types import Box, Points

VIDEO = "aa"
STRETCH = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda t: Stretch(*sorted(t)))
OBJECT = st.integers(1, 2)
ACTIONS = st.one_of(
    st.builds(Give, OBJECT, st.integers(0, 9), st.just(Points([[3, 4]], [1]))),
    st.builds(Give, OBJECT, st.integers(0, 9), st.just(Box([1, 2, 5, 6]))),
    st.builds(Clear, OBJECT, st.integers(0, 9)),
    st.builds(Name, OBJECT, st.sampled_from(["hook", "my tool"])),
    st.builds(Remove, OBJECT),
    st.builds(MarkAbsent, OBJECT, STRETCH),
    st.builds(Lock, OBJECT, STRETCH),
    st.builds(Unlock, OBJECT, STRETCH),
    st.builds(lambda i, part: Propagate((i,), part), OBJECT, STRETCH),
    st.builds(Discard, st.integers(1, 4)),
)


def new_log(path: Path) -> SessionLog:
    engine = open_database(path)
    with engine.begin() as connection:
        row = "INSERT OR IGNORE INTO videos VALUES ('aa', '', 'v', '', 0, 0, 0, 0, 0)"
        connection.execute(text(row))
    return SessionLog(engine, VIDEO, lambda session: None)


def said(history: History) -> list[object]:
    """What a history holds, so that two can be compared."""
    return [
        [(e.number, rows_of(e.action)) for e in history.done],
        [(e.number, rows_of(e.action)) for e in history.undone],
        history.used,
        {i: (sorted(o.given), o.absent, o.locked) for i, o in history.notes.objects.items()},
        {v: run.accepted for v, run in history.notes.runs.items()},
    ]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.one_of(ACTIONS, st.sampled_from(["undo", "redo"])), max_size=20))
def test_a_second_start_finds_the_same_history(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
):
    path = tmp_path_factory.mktemp("log") / "p.sqlite"
    log, history = new_log(path), History()
    for step in steps:
        try:
            after = history.do(step) if step not in ("undo", "redo") else getattr(history, step)()
        except InputError:
            with pytest.raises(InputError):
                log.do(step) if step not in ("undo", "redo") else getattr(log, step)()
            continue
        log.do(step) if step not in ("undo", "redo") else getattr(log, step)()
        history = after
    assert said(log.session.history) == said(history)
    again = new_log(path)
    assert said(again.session.history) == said(history)
    assert again.session.revision == log.session.revision
    if history.undone:  # redo goes on after a restart
        again.redo()
        assert said(again.session.history) == said(history.redo())


def test_two_tabs_keep_both_actions_and_undo_only_what_they_have_seen(tmp_path: Path):
    log = new_log(tmp_path / "p.sqlite")
    log.do(Name(1, "hook"))
    seen = log.session.revision
    log.do(Name(2, "liver"))  # the other tab
    log.do(Name(3, "polyp"))  # from a tab that has not seen it: kept behind it
    assert [a.name for a in log.session.history.actions] == ["hook", "liver", "polyp"]
    with pytest.raises(Outdated, match="changed elsewhere"):
        log.undo(seen)
    assert log.undo(log.session.revision).action.name == "polyp"


def test_a_refused_action_is_neither_there_nor_on_the_disk(tmp_path: Path):
    log = new_log(tmp_path / "p.sqlite")
    log.do(Name(1, "hook"))
    with pytest.raises(InputError, match="none of that number"):
        log.do(Clear(7, 0))
    log._engine.dispose()
    with log._engine.connect() as connection:
        assert len(load_session(connection, VIDEO).history.done) == 1


def test_a_full_disk_is_said_and_nothing_acknowledged_is_lost(tmp_path: Path):
    log = new_log(tmp_path / "p.sqlite")
    log.do(Name(1, "hook"))
    with log._engine.connect() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        # what SQLite itself says when the disk is full
        connection.execute(text(f"PRAGMA max_page_count = {pages}"))
        connection.commit()
    names = (f"a name that takes room {k}" * 20 for k in range(2000))
    with pytest.raises(NotSaved, match="not saved"):
        deque((log.do(Name(1, name)) for name in names), maxlen=0)
    kept = len(log.session.history.done)
    assert len(new_log(tmp_path / "p.sqlite").session.history.done) == kept


def test_the_disk_is_asked_to_keep_every_commit(tmp_path: Path):
    with open_database(tmp_path / "p.sqlite").connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL
