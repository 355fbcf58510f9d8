"""What is exported: masks of one video by frame and object, read one frame at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sam2s.errors import InputError
from sam2s.export.class_votes import ClassVotes, SeenClass
from sam2s.export.tracks import Tracks, read_tracks
from sam2s.export.writer import TRACKS, folder_name
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


def open_result(path: Path) -> Result:
    """The result that ``sam2s track`` wrote: its folder or its ``tracks.json``. Raises
    ``InputError`` where there is none."""
    file = path / TRACKS if path.is_dir() else path
    if not file.exists():
        raise InputError(f"{path}: holds no {TRACKS}; give the folder that sam2s track wrote")
    tracks = read_tracks(file)
    source = tracks.source

    def frames() -> Iterator[ResultFrame]:
        for frame in tracks.frames:
            masks = {
                i: ObjectMask(found.rle, found.presence, found.score)
                for i, found in sorted(frame.objects.items())
            }
            yield ResultFrame(frame.index, frame.time, masks)

    size = source.height, source.width
    return Result(folder_name(source.name), size, source.fps, _names(tracks), frames)


def _names(tracks: Tracks) -> dict[int, str]:
    """Names that a person gave, and else the class that a track's frames vote for: counted again,
    since files of the first versions do not hold it."""
    votes = ClassVotes()
    for frame in tracks.frames:
        votes = votes.with_frame(
            {
                i: SeenClass(found.class_name, found.class_prob or 0.0, found.presence)
                for i, found in frame.objects.items()
                if found.class_name is not None
            }
        )
    names = {i: one.class_name for i, one in votes.named().items()}
    for row in tracks.run.get("actions", ()):
        if isinstance(row, dict) and row.get("action") == "name":
            names[int(row["object"])] = str(row["name"])
    return names


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
