"""What is exported: masks of one video by frame and object, read one frame at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from sam2s.formats.polygons import without_holes
from sam2s.masklets.masks import Rle, decode_rle, encode_rle


@dataclass(frozen=True, slots=True, eq=False)
class ObjectMask:
    """One object on one frame. ``rle``: COCO's compressed code, all background where the object is
    absent; ``presence`` and ``score`` in [0, 1], None where a format does not hold them."""

    rle: Rle
    presence: float | None = None
    score: float | None = None

    @staticmethod
    def of(mask: np.ndarray) -> ObjectMask:
        """A (H, W) bool mask and nothing else."""
        return ObjectMask(encode_rle(mask))

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool."""
        return decode_rle(self.rle)


@dataclass(frozen=True, slots=True, eq=False)
class ResultFrame:
    """One frame: ``index`` counted from 0, ``time`` in seconds or None, ``masks`` by object id."""

    index: int
    time: float | None
    masks: Mapping[int, ObjectMask]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The masks of one video. ``size``: (height, width) in pixels; ``names`` {object id: class},
    where known; ``frames()`` gives them in ascending order, as often as asked."""

    video: str
    size: tuple[int, int]
    fps: float | None
    names: Mapping[int, str]
    frames: Callable[[], Iterator[ResultFrame]]

    @property
    def ids(self) -> tuple[int, ...]:
        """Every object id, ascending."""
        return tuple(sorted({i for frame in self.frames() for i in frame.masks}))


Key = int | str
"""An object as a file calls it: by its number, or by something else."""


def collected(
    video: str,
    size: tuple[int, int],
    found: Mapping[int, Mapping[Key, ObjectMask]],
    names: Mapping[Key, str] | None = None,
    fps: float | None = None,
    times: Mapping[int, float | None] | None = None,
) -> Result:
    """A result from {frame: {object: mask}}; an object that a frame does not name is absent there.
    ``times`` {frame: seconds}. Objects keep their numbers; those that have none get the numbers
    after the largest, in the order in which they appear."""
    nothing = ObjectMask.of(np.zeros(size, bool))
    keys = dict.fromkeys([*(names or {}), *(key for masks in found.values() for key in masks)])
    numbers = sorted(key for key in keys if isinstance(key, int))
    others = [key for key in keys if isinstance(key, str)]
    first = max([0, *numbers]) + 1
    number_of: dict[Key, int] = {key: key for key in numbers}
    number_of.update({key: number for number, key in enumerate(others, start=first)})

    def frames() -> Iterator[ResultFrame]:
        for index, masks in sorted(found.items()):
            here = {number: masks.get(key, nothing) for key, number in number_of.items()}
            yield ResultFrame(index, times.get(index) if times else None, here)

    known = {number_of[key]: name for key, name in (names or {}).items() if name != UNNAMED}
    return Result(video, size, fps, known, frames)


def joined(
    masks: dict[Key, ObjectMask], key: Key, mask: np.ndarray, score: float | None = None
) -> None:
    """Add another part (H, W) bool of an object to what a frame shows of it."""
    whole = masks[key].mask | mask if key in masks else mask
    masks[key] = ObjectMask(encode_rle(whole), None, score)


UNNAMED = "object"
"""What formats that want a class call an object whose class is not known."""
MAX_BYTES = 2**32
"""Largest JSON file of another tool that is read."""


def frame_number(name: str) -> int | None:
    """The number at the end of a picture's name, as in ``00012.jpg``; None without one."""
    found = re.search(r"(\d+)(?:\.\w+)?$", name)
    return int(found[1]) if found else None


def write_list(file: TextIO, rows: Iterable[Any]) -> None:
    """A JSON list, a row a line, as the rows come."""
    file.write("[")
    for number, row in enumerate(rows):
        file.write((",\n" if number else "\n") + json.dumps(row, allow_nan=False))
    file.write("\n]")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a result holds that some formats cannot: ``overlapping`` frames, how many ``objects``
    and the ``smallest_id`` and ``largest_id``, ``absent`` masks, masks with holes (``holed``,
    counted where asked for), and masks that are ``missing``: of objects that a frame says nothing
    of."""

    overlapping: int = 0
    objects: int = 0
    smallest_id: int = 1
    largest_id: int = 1
    absent: int = 0
    frames: int = 0
    holed: int = 0
    missing: int = 0


def contents_of(result: Result, *, holes: bool = False) -> Contents:
    """One pass over the result; ``holes``: count masks that have some."""
    overlapping = absent = frames = holed = given = 0
    ids: set[int] = set()
    for frame in result.frames():
        frames += 1
        given += len(frame.masks)
        ids |= frame.masks.keys()
        count = np.zeros(result.size, np.uint16)
        for found in frame.masks.values():
            mask = found.mask
            count += mask
            absent += not mask.any()
            holed += holes and bool((without_holes(mask) != mask).any())
        overlapping += bool((count > 1).any())
    missing = len(ids) * frames - given
    smallest, largest = min(ids, default=1), max(ids, default=1)
    return Contents(overlapping, len(ids), smallest, largest, absent, frames, holed, missing)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write. ``polygons``: outlines instead of run lengths, where a format knows both;
    ``compressed``: COCO's text code instead of lists of run lengths; ``picture``: how pictures of
    frames are called, with {index}; ``pictures``: the source that was tracked, for formats that
    hold its pictures; ``anonymise``: no name and no date of the source may be told."""

    polygons: bool = False
    compressed: bool = True
    picture: str = field(default="{index:05d}.jpg")
    pictures: Path | None = None
    anonymise: bool = False

    def picture_of(self, index: int) -> str:
        """The file name of a frame's picture."""
        return self.picture.format(index=index)
