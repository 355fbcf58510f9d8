"""From the schema of an earlier version to the present one, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, inspect, text

from sam2s.annotate.project_schema import META, SCHEMA, SCHEMA_VERSION
from sam2s.errors import InputError

STEPS: Mapping[int, Sequence[str]] = {
    1: (
        "ALTER TABLE masks ADD COLUMN twin INTEGER",
        "CREATE TABLE memories (video VARCHAR NOT NULL, version INTEGER NOT NULL,"
        " object INTEGER NOT NULL, frames VARCHAR NOT NULL, PRIMARY KEY (video, version, object))",
    ),
}
"""{version: statements that make the next one of it}."""


def migrate(connection: Connection, where: str) -> None:
    """Make the tables, or bring earlier ones to ``SCHEMA_VERSION``, in one transaction.

    Raises ``InputError`` that begins with ``where`` for a database of a later version, and for one
    that is no project's.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        SCHEMA.create_all(connection)
        version = META.insert().values(name="schema_version", value=str(SCHEMA_VERSION))
        connection.execute(version)
        return
    found = _version(connection) if "meta" in tables else None
    if found is None:
        raise InputError(f"{where}: is no project of sam2s annotate; name another folder")
    if found > SCHEMA_VERSION:
        raise InputError(
            f"{where}: was made by a later version of sam2s (schema {found}, this one reads"
            f" {SCHEMA_VERSION}); install that version"
        )
    for step in range(found, SCHEMA_VERSION):
        for statement in STEPS[step]:
            connection.execute(text(statement))
    is_version = META.c.name == "schema_version"
    connection.execute(META.update().where(is_version).values(value=str(SCHEMA_VERSION)))


def _version(connection: Connection) -> int | None:
    is_version = META.c.name == "schema_version"
    value = connection.scalar(META.select().with_only_columns(META.c.value).where(is_version))
    return int(value) if value is not None and value.isdecimal() else None
