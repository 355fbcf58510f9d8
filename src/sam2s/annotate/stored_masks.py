"""The masks of a video in the project's database: a ``MaskStore``, and what a timeline needs."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import Engine, func, select
from sqlalchemy.dialects.sqlite import insert

from sam2s.annotate.database import writing
from sam2s.annotate.marks import Mark, Marks
from sam2s.annotate.project_schema import MASKS
from sam2s.masklets.masks import bounding_window
from sam2s.tracking.session.history import History
from sam2s.tracking.session.mask_store import FoundMask, shown_version

TWIN_IOU = 0.6
"""Two objects whose masks overlap by so much (intersection over union) lie on one thing."""


class StoredMasks:
    """A ``MaskStore`` of one video. ``size``: (height, width) of its frames. Safe to use from
    several threads."""

    def __init__(self, engine: Engine, video: str, size: tuple[int, int]) -> None:
        self._engine, self._video, self._size = engine, video, size
        self._mine = MASKS.c.video == video

    def write(self, version: int, frame: int, masks: Mapping[int, FoundMask]) -> None:
        """Keep the masks {object id: mask} that ``version`` found on a frame, in one transaction.
        Masks of the same version and frame are replaced."""
        self.write_beside(version, frame, masks, {})

    def write_beside(
        self,
        version: int,
        frame: int,
        masks: Mapping[int, FoundMask],
        others: Mapping[int, np.ndarray],
    ) -> dict[int, Mark]:
        """As ``write``; ``others``: the (H, W) bool masks that are shown of further objects, to see
        whether two lie on one thing. Gives what a timeline shows of each."""
        planes = {i: found.mask for i, found in masks.items()}
        rows, marks = [], {}
        for object_id, found in masks.items():
            mask = planes[object_id]
            if mask.shape != self._size:
                raise ValueError(f"mask of {mask.shape} in a video of {self._size}")
            around = {**others, **{i: plane for i, plane in planes.items() if i != object_id}}
            mark = _mark(object_id, frame, version, found, mask, _twin(mask, around))
            marks[object_id] = mark
            rows.append({**_columns(mark), **_content(found), "video": self._video})
        if rows:
            with writing(self._engine) as connection:
                connection.execute(insert(MASKS).prefix_with("OR REPLACE"), rows)
        return marks

    def versions(self, object_id: int, frame: int) -> Sequence[int]:
        """As ``MaskStore.versions``."""
        where = self._mine & (MASKS.c.object == object_id) & (MASKS.c.frame == frame)
        with self._engine.connect() as connection:
            return tuple(connection.scalars(select(MASKS.c.version).where(where)))

    def read(self, version: int, object_id: int, frame: int) -> FoundMask:
        """As ``MaskStore.read``."""
        where = (
            self._mine
            & (MASKS.c.object == object_id)
            & (MASKS.c.frame == frame)
            & (MASKS.c.version == version)
        )
        columns = (
            MASKS.c.counts,
            MASKS.c.presence,
            MASKS.c.score,
            MASKS.c.class_name,
            MASKS.c.class_prob,
        )
        with self._engine.connect() as connection:
            row = connection.execute(select(*columns).where(where)).first()
        if row is None:
            raise KeyError((version, object_id, frame))
        rle = {"size": list(self._size), "counts": zlib.decompress(row[0]).decode("ascii")}
        return FoundMask(rle, *row[1:])

    def frames(self, object_id: int) -> Iterable[int]:
        """As ``MaskStore.frames``."""
        where = self._mine & (MASKS.c.object == object_id)
        with self._engine.connect() as connection:
            found = select(MASKS.c.frame).distinct().where(where).order_by(MASKS.c.frame)
            return list(connection.scalars(found))

    def reached(self, version: int, object_id: int) -> list[int]:
        """Frames on which ``version`` found a mask of the object that is not empty, ascending."""
        where = (
            self._mine
            & (MASKS.c.object == object_id)
            & (MASKS.c.version == version)
            & (MASKS.c.area > 0)
        )
        with self._engine.connect() as connection:
            return list(
                connection.scalars(select(MASKS.c.frame).where(where).order_by(MASKS.c.frame))
            )

    def written(self, version: int, object_id: int) -> list[int]:
        """Frames on which ``version`` found anything of the object, ascending."""
        where = self._mine & (MASKS.c.object == object_id) & (MASKS.c.version == version)
        with self._engine.connect() as connection:
            return list(
                connection.scalars(select(MASKS.c.frame).where(where).order_by(MASKS.c.frame))
            )

    def marks(self, history: History) -> Marks:
        """What is shown of every object on every frame, read in one go.

        The same masks as ``shown_version`` chooses.
        """
        notes = history.notes
        discarded = {version for version, run in notes.runs.items() if run.accepted is False}
        usable = json.dumps(sorted(history.in_force - discarded))
        latest = func.max(MASKS.c.version)  # SQLite takes the other columns from the same row
        chosen = (
            select(
                MASKS.c.object,
                MASKS.c.frame,
                latest,
                MASKS.c.presence,
                MASKS.c.score,
                MASKS.c.area,
                MASKS.c.x,
                MASKS.c.y,
                MASKS.c.twin,
            )
            .where(
                self._mine,
                MASKS.c.version.in_(select(func.json_each(usable).table_valued("value").c.value)),
            )
            .group_by(MASKS.c.object, MASKS.c.frame)
            .order_by(MASKS.c.object, MASKS.c.frame)
        )
        with self._engine.connect() as connection:
            found = Marks.of(tuple(row) for row in connection.execute(chosen))
        shown = np.zeros(len(found), bool)
        for object_id, mine in notes.objects.items():
            here = found.object_ids == object_id
            shown |= here & (found.versions >= mine.since)
            for frame in mine.cleared:  # rare, and the latest version may be taken back
                (place,) = np.nonzero(here & (found.frames == frame))
                if len(place):
                    version = shown_version(history, self, object_id, frame)
                    shown[place] &= found.versions[place] == (version or 0)
        return found.kept(shown)


def _twin(mask: np.ndarray, others: Mapping[int, np.ndarray]) -> int | None:
    """The object whose mask is nearly the same, None where there is none."""
    area = int(mask.sum())
    for object_id, other in others.items():
        beside = int(other.sum())
        if min(area, beside) <= TWIN_IOU * max(area, beside):
            continue
        both = int((mask & other).sum())
        if both > TWIN_IOU * (area + beside - both):
            return object_id
    return None


def _mark(
    object_id: int, frame: int, version: int, found: FoundMask, mask: np.ndarray, twin: int | None
) -> Mark:
    window = bounding_window(mask)
    x = y = 0.0
    if window is not None:
        rows, columns = window
        x, y = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
    area = int(mask.sum())
    return Mark(object_id, frame, version, found.presence, found.score, area, x, y, twin)


def _columns(mark: Mark) -> dict[str, object]:
    return {
        "object": mark.object_id,
        "frame": mark.frame,
        "version": mark.version,
        "presence": mark.presence,
        "score": mark.score,
        "area": mark.area,
        "x": mark.x,
        "y": mark.y,
        "twin": mark.twin,
    }


def _content(found: FoundMask) -> dict[str, object]:
    return {
        "class_name": found.class_name,
        "class_prob": found.class_prob,
        "counts": zlib.compress(found.rle["counts"].encode("ascii")),
    }
