"""What is shown of every object on every frame, without its masks: what a timeline needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

NO_TWIN = 0
"""In place of another object's number."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One object on one frame, without its mask. ``area`` in pixels, ``x`` and ``y`` the middle of
    its bounding box; ``twin``: another object on the same pixels, or None."""

    object_id: int
    frame: int
    version: int
    presence: float
    score: float
    area: int
    x: float
    y: float
    twin: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Many `Mark`s, sorted by object and frame: an array a field, of equal lengths (an hour has
    100,000 frames). ``twins``: `NO_TWIN` for none."""

    object_ids: np.ndarray
    frames: np.ndarray
    versions: np.ndarray
    presences: np.ndarray
    scores: np.ndarray
    areas: np.ndarray
    xs: np.ndarray
    ys: np.ndarray
    twins: np.ndarray

    @staticmethod
    def of(rows: Iterable[tuple[float | None, ...]]) -> Marks:
        """Rows with the fields of `Mark` in their order, already sorted."""
        flat = [NO_TWIN if value is None else value for row in rows for value in row]
        table = np.array(flat, np.float64).reshape(-1, len(fields(Mark)))
        ids, frames, versions, presences, scores, areas, xs, ys, twins = table.T
        return Marks(
            ids.astype(np.int64),
            frames.astype(np.int64),
            versions.astype(np.int64),
            presences,
            scores,
            areas.astype(np.int64),
            xs,
            ys,
            twins.astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.frames)

    def kept(self, which: np.ndarray) -> Marks:
        """Those for which ``which`` (bool, one a mark) holds."""
        return Marks(*(getattr(self, one.name)[which] for one in fields(self)))
