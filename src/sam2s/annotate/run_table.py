"""Tracking runs and imports in the project's database: what each was to do, and how far it got."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Engine, select
from sqlalchemy.dialects.sqlite import insert

from sam2s.annotate.database import writing
from sam2s.annotate.project_schema import MEMORIES, RUNS
from sam2s.tracking.session.plan import ObjectSpan, Pass
from sam2s.tracking.session.ranges import Stretch
from sam2s.typed_json import parse_json

RunState = Literal["queued", "running", "paused", "done", "cancelled", "broken", "interrupted"]
"""``broken``: an error ended it, which ``message`` says; ``interrupted``: the server ended before
it did. Whatever the state, what was found stays."""
UNFINISHED: tuple[RunState, ...] = ("queued", "running", "paused")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run. ``version``: the number of its action; ``visited`` of ``steps`` frames."""

    version: int
    kind: Literal["track", "import"]
    state: RunState
    passes: tuple[Pass, ...]
    visited: int
    steps: int
    message: str | None = None


class RunTable:
    """The runs of one video."""

    def __init__(self, engine: Engine, video: str) -> None:
        self._engine, self._video = engine, video

    def put(self, record: RunRecord) -> None:
        """Write a run, or what it has become."""
        row = {
            "video": self._video,
            "version": record.version,
            "kind": record.kind,
            "state": record.state,
            "passes": passes_to_json(record.passes),
            "visited": record.visited,
            "steps": record.steps,
            "message": record.message,
        }
        with writing(self._engine) as connection:
            connection.execute(insert(RUNS).prefix_with("OR REPLACE"), row)

    def all(self) -> tuple[RunRecord, ...]:
        """Every run, oldest first."""
        mine = select(RUNS).where(RUNS.c.video == self._video).order_by(RUNS.c.version)
        with self._engine.connect() as connection:
            rows = connection.execute(mine).all()
        return tuple(
            RunRecord(
                row.version,
                row.kind,
                row.state,
                passes_of_json(row.passes),
                row.visited,
                row.steps,
                row.message,
            )
            for row in rows
        )

    def find(self, version: int) -> RunRecord | None:
        """One run, None where there is none."""
        return next((record for record in self.all() if record.version == version), None)

    def close_unfinished(self) -> None:
        """When a project opens: runs that the end of the last server cut short say so."""
        cut = (RUNS.c.video == self._video) & RUNS.c.state.in_(UNFINISHED)
        with writing(self._engine) as connection:
            connection.execute(RUNS.update().where(cut).values(state="interrupted"))

    def remember(self, version: int, object_id: int, frames: Iterable[int]) -> None:
        """Write the frames that an object's long-term memory holds."""
        row = {
            "video": self._video,
            "version": version,
            "object": object_id,
            "frames": json.dumps(list(frames)),
        }
        with writing(self._engine) as connection:
            connection.execute(insert(MEMORIES).prefix_with("OR REPLACE"), row)

    def memories(self, version: int) -> Mapping[int, Sequence[int]]:
        """{object id: frames} that a run's long-term memory held at its end."""
        mine = (MEMORIES.c.video == self._video) & (MEMORIES.c.version == version)
        with self._engine.connect() as connection:
            rows = connection.execute(select(MEMORIES.c.object, MEMORIES.c.frames).where(mine))
            return {i: parse_json(text, tuple[int, ...], "memories") for i, text in rows}


def passes_to_json(passes: Sequence[Pass]) -> str:
    """Passes as text."""
    content = [
        {
            "reverse": one.reverse,
            "spans": {
                str(i): [span.enters, span.wanted.first, span.wanted.last]
                for i, span in one.spans.items()
            },
        }
        for one in passes
    ]
    return json.dumps(content)


def passes_of_json(text: str) -> tuple[Pass, ...]:
    """The inverse of ``passes_to_json``."""
    content = parse_json(text, tuple[dict[str, Any], ...], "run")
    return tuple(
        Pass(
            one["reverse"],
            {
                int(i): ObjectSpan(enters, Stretch(first, last))
                for i, (enters, first, last) in one["spans"].items()
            },
        )
        for one in content
    )
