"""A project's SQLite database, opened so that what was committed is on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError

from sam2s.annotate.migrations import migrate
from sam2s.errors import InputError

PATIENCE = 10.0
"""Seconds that a writer waits for another one."""


class NotSaved(InputError):
    """The disk refused; what was acknowledged before is kept."""


def open_database(path: Path) -> Engine:
    """The database at ``path``, made where there is none and migrated where it is an earlier one's.

    Write-ahead log with ``synchronous=FULL``: a commit is on the disk when it returns, and readers
    do not wait for writers. Raises ``InputError`` for a file that is no project's.
    """
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": PATIENCE})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        for setting in ("journal_mode=WAL", "synchronous=FULL", "trusted_schema=OFF"):
            connection.execute(f"PRAGMA {setting}")

    try:
        with engine.begin() as connection:
            migrate(connection, str(path))
    except DatabaseError as error:
        engine.dispose()
        raise InputError(
            f"{path}: cannot be read as a project ({error.orig}); name another folder, or put back"
            " a copy of the file"
        ) from error
    except InputError:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is on the disk when the block is left; ``NotSaved`` where the disk
    refuses, and then nothing of it is there."""
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        raise NotSaved(
            f"not saved: the project's disk refuses ({error.orig}); make room there and try again"
        ) from error
