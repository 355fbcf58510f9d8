"""What is shown of every object on every frame, without its masks: what a timeline needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import islice

import numpy as np

NO_TWIN = 0
"""In place of another object's number."""
AT_ONCE = 4096
"""Rows that are Python objects at a time: those of an hour would be 100 MB."""


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
        rest, parts = iter(rows), [np.empty((0, len(fields(Mark))))]
        while some := list(islice(rest, AT_ONCE)):
            parts.append(np.array([(*row[:-1], row[-1] or NO_TWIN) for row in some], np.float64))
        table = np.concatenate(parts)
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
