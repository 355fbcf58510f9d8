"""Videos that a user has arranged: pictures and masks of ids side by side, and a table of what the
ids are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from sam2s.convert.sources.base import (
    Picture,
    ReadOptions,
    Region,
    Source,
    SourceFrame,
    SourceInfo,
    SourceVideo,
)
from sam2s.convert.sources.file_tree import FileTree, pair, trailing_number, unique
from sam2s.errors import InputError
from sam2s.masklets.catalogue import Kind, Line, ObjectInfo
from sam2s.masklets.masks import read_index_mask
from sam2s.masklets.vocabulary import is_known, kind_of
from sam2s.typed_json import Ids, read_json

EXPECTED = (
    "<video>/frames/<stem>.jpg, <video>/masks/<stem>.png (pixel = object id) and"
    " <video>/objects.json"
)
OPTIONS = {
    "fps": "frames per second of the listed frames (default: unknown)",
    "split": "default test",
}
FORM = '{"1": {"class": "grasper", "kind": "instrument"}}'


PaletteId = Annotated[int, Ids("object ids")]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What objects.json says of an id."""

    class_name: Line | None = field(default=None, metadata={"key": "class"})
    kind: Kind | None = None


def folder_source(info: SourceInfo) -> Source:
    """A source in the layout ``EXPECTED``; ids of the masks are identities over time."""
    return Source(info, partial(_read, info))


def _read(info: SourceInfo, root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per folder. A frame without a mask is not annotated; an id that a mask lacks is
    absent."""
    tree = FileTree(info, root)
    place = r"(?P<video>[^/]+)/{}/(?P<stem>[^/]+)\.{}"
    pictures, masks = (
        unique(
            info,
            (
                (f"{m['base']}{m['video']}/{m['stem']}", path)
                for m, path in tree.require(place.format(*part))
            ),
        )
        for part in (("frames", "(?:jpe?g|png|tiff?|bmp)"), ("masks", "png"))
    )
    pair(info, pictures, masks, unmasked="skip")
    videos: dict[str, list[str]] = {}
    for key in pictures:
        videos.setdefault(key.rpartition("/")[0], []).append(key)
    for place_of, keys in videos.items():
        files = {key: (pictures[key], masks.get(key)) for key in keys}
        try:
            yield _video(info, root, place_of, files, options)
        except InputError as error:  # its table is damaged; the other videos may be well
            yield SourceVideo(Path(place_of).name, [], {}, "test", place_of, problem=str(error))


def _video(
    info: SourceInfo,
    root: Path,
    place: str,
    files: dict[str, tuple[Path, Path | None]],
    options: ReadOptions,
) -> SourceVideo:
    objects = _objects(info, root / place, root)
    rate = options.number("fps", 0) or None
    frames = []
    for position, (key, (picture, mask)) in enumerate(files.items()):
        number = trailing_number(picture.stem)
        regions = None if mask is None else partial(_regions, mask, frozenset(objects), options)
        time_s = None if rate is None else position / rate
        frames.append(
            SourceFrame(
                Path(key).name,
                Picture(picture),
                position if number is None else number,
                time_s,
                regions,
                () if mask is None else (mask,),
            )
        )
    classes = {str(object_id): known for object_id, known in objects.items()}
    split, name = options.get("split", "test"), Path(place).name
    return SourceVideo(name, frames, classes, split, f"{info.name}:{name}", rate, "source")


def _objects(info: SourceInfo, folder: Path, root: Path) -> dict[int, ObjectInfo]:
    """The ids of a video from its own objects.json, else from the root's."""
    path = next((p for p in (folder / "objects.json", root / "objects.json") if p.is_file()), None)
    if path is None:
        raise InputError(
            f"{info.title}: {folder / 'objects.json'}: expected this file, such as {FORM}; found"
            " none"
        )
    entries = read_json(path, dict[PaletteId, _Entry], form=FORM)
    return {object_id: _object(path, entry) for object_id, entry in entries.items()}


def _object(path: Path, entry: _Entry) -> ObjectInfo:
    name, kind = entry.class_name, entry.kind
    if kind is None and name is not None and is_known(name):
        kind = kind_of(name)
    if kind is None:
        raise InputError(
            f"{path}: class {name!r}: kind must be 'instrument' or 'tissue', got {kind!r}"
        )
    return ObjectInfo(name, kind)


def _regions(path: Path, ids: frozenset[int], options: ReadOptions) -> list[Region]:
    pixels, _ = read_index_mask(path)
    regions = []
    for value in np.flatnonzero(np.bincount(pixels.ravel(), minlength=256)):
        if int(value) in ids:
            regions.append(Region(str(value), pixels == value, track=str(value)))
        elif value != 0:
            options.note(f"id {value} is not in objects.json, left out", path)
    return regions
