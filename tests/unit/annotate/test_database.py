"""Projects of earlier versions open; those of later ones, and other files, do not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import inspect, select, text

from sam2s.annotate.database import open_database
from sam2s.annotate.project_schema import MASKS, META, SCHEMA, SCHEMA_VERSION
from sam2s.annotate.session_log import load_session
from sam2s.errors import InputError

OLD = Path(__file__).with_name("schema_1.sql").read_text(encoding="utf-8")


def columns(path: Path) -> dict[str, set[str]]:
    tables = inspect(open_database(path))
    return {name: {c["name"] for c in tables.get_columns(name)} for name in SCHEMA.tables}


def test_a_project_of_the_first_version_opens_with_everything_in_it(tmp_path: Path):
    path = tmp_path / "project.sqlite"
    with sqlite3.connect(path) as old:
        old.executescript(OLD)
    old.close()
    assert columns(path) == columns(tmp_path / "new.sqlite")
    with open_database(path).connect() as connection:
        assert connection.scalar(select(META.c.value)) == str(SCHEMA_VERSION)
        session = load_session(connection, "aa")
        assert len(session.history.done) == len(session.history.undone) == 1
        assert session.history.redo().notes.objects[1].name == "hook"
        assert connection.execute(select(MASKS.c.score, MASKS.c.twin)).all() == [(0.8, None)]


def test_a_project_of_a_later_version_is_left_alone(tmp_path: Path):
    path = tmp_path / "project.sqlite"
    with open_database(path).begin() as connection:
        connection.execute(text(f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}'"))
    with pytest.raises(InputError, match="later version"):
        open_database(path)


def test_another_programs_database_is_no_project(tmp_path: Path):
    path = tmp_path / "project.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    with pytest.raises(InputError, match="no project"):
        open_database(path)


def test_a_file_that_is_no_database_is_said_in_one_line(tmp_path: Path):
    path = tmp_path / "project.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(InputError, match="cannot be read as a project"):
        open_database(path)
