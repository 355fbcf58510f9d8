"""What is exported: masks of one video by frame and object, read one frame at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

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


@dataclass(frozen=True, slots=True)
class Contents:
    """What a result holds that some formats cannot: ``overlapping`` frames, the ``largest_id``,
    ``absent`` masks."""

    overlapping: int = 0
    largest_id: int = 0
    absent: int = 0
    frames: int = 0


def contents_of(result: Result) -> Contents:
    """One pass over the result."""
    overlapping = largest = absent = frames = 0
    for frame in result.frames():
        frames += 1
        count = np.zeros(result.size, np.uint16)
        for object_id, found in frame.masks.items():
            mask = found.mask
            count += mask
            largest = max(largest, object_id)
            absent += not mask.any()
        overlapping += bool((count > 1).any())
    return Contents(overlapping, largest, absent, frames)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write. ``polygons``: outlines instead of run lengths, where a format knows both;
    ``compressed``: COCO's text code instead of lists of run lengths; ``picture``: how pictures of
    frames are called, with {index}."""

    polygons: bool = False
    compressed: bool = True
    picture: str = field(default="{index:05d}.jpg")

    def picture_of(self, index: int) -> str:
        """The file name of a frame's picture."""
        return self.picture.format(index=index)
