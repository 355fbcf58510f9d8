"""Datumaro's own format: ``annotations/default.json``, an item a frame, masks as COCO's RLE.

The object is the annotation's ``track_id`` (an attribute, as for videos elsewhere), its group and
its ``object_id``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sam2s.errors import InputError
from sam2s.formats.result import (
    MAX_BYTES,
    UNNAMED,
    ExportOptions,
    Key,
    ObjectMask,
    Result,
    ResultFrame,
    collected,
    frame_number,
    joined,
    write_list,
)
from sam2s.masklets.masks import Rle, decode_rle
from sam2s.media.pictures import MAX_PIXELS, check_pixels
from sam2s.typed_json import read_json

FILE = "annotations/default.json"
IMAGE = 2
"""Datumaro's number of the kind of media."""


def write_datumaro(result: Result, out: Path, options: ExportOptions) -> None:
    """Write ``out/annotations/default.json``."""
    names = sorted({result.names.get(i, UNNAMED) for i in result.ids})
    number = {name: place for place, name in enumerate(names)}
    labels = [{"name": name, "parent": "", "attributes": []} for name in names]
    head = {
        "dm_format_version": "1.0",
        "media_type": IMAGE,
        "infos": {"video": result.video},
        "categories": {"label": {"labels": labels, "attributes": ["track_id", "score"]}},
    }
    (out / FILE).parent.mkdir()
    with open(out / FILE, "w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "items": ')
        write_list(file, (_item(result, frame, number, options) for frame in result.frames()))
        file.write("}\n")


def _item(
    result: Result, frame: ResultFrame, number: Mapping[str, int], options: ExportOptions
) -> dict[str, Any]:
    picture = options.picture_of(frame.index)
    return {
        "id": Path(picture).stem,
        "annotations": list(_annotations(result, frame, number)),
        "attr": {"frame": frame.index},
        "image": {"path": picture, "size": list(result.size)},
    }


def _annotations(
    result: Result, frame: ResultFrame, number: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    for place, (object_id, found) in enumerate(sorted(frame.masks.items())):
        if found.mask.any():
            score = {} if found.score is None else {"score": found.score}
            yield {
                "id": place,
                "type": "mask",
                "attributes": {"track_id": object_id, **score},
                "group": object_id,
                "object_id": object_id,
                "label_id": number[result.names.get(object_id, UNNAMED)],
                "rle": found.rle,
                "z_order": 0,
            }


@dataclass(frozen=True, slots=True)
class DatumaroMask:
    """An annotation; those that are no mask have no ``rle``."""

    type: str
    label_id: int | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    rle: Rle | None = None


@dataclass(frozen=True, slots=True)
class DatumaroImage:
    """A picture's (height, width)."""

    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class DatumaroItem:
    """A picture and what it shows."""

    id: str
    image: DatumaroImage
    annotations: tuple[DatumaroMask, ...] = ()
    attr: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DatumaroLabel:
    """A class."""

    name: str


@dataclass(frozen=True, slots=True)
class DatumaroLabels:
    """Classes, by their place."""

    labels: tuple[DatumaroLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class DatumaroCategories:
    """Kinds of categories, of which there is one here."""

    label: DatumaroLabels = field(default_factory=DatumaroLabels)


@dataclass(frozen=True, slots=True)
class DatumaroFile:
    """``annotations/default.json``."""

    items: tuple[DatumaroItem, ...]
    categories: DatumaroCategories = field(default_factory=DatumaroCategories)
    infos: Mapping[str, Any] = field(default_factory=dict)


def read_datumaro(folder: Path) -> Result:
    """A result from the items of one video.

    An object is a ``track_id``, or, without one, all masks of a label. Annotations that are no
    masks are left out. Raises InputError for other files and pictures of different size.
    """
    path = folder / FILE if folder.is_dir() else folder
    content = read_json(path, DatumaroFile, max_bytes=MAX_BYTES)
    sizes = {item.image.size for item in content.items}
    if len(sizes) != 1:
        raise InputError(f"{path}: expected pictures of one size, got {sorted(sizes)[:3]}")
    size = sizes.pop()
    check_pixels(*size, MAX_PIXELS, str(path))
    classes = [label.name for label in content.categories.label.labels]
    found: dict[int, dict[Key, ObjectMask]] = {}
    labels: dict[Key, str] = {}
    for place, item in enumerate(content.items):
        masks: dict[Key, ObjectMask] = {}
        for one in item.annotations:
            if one.rle is None or tuple(one.rle.get("size", ())) != size:
                continue
            known = one.label_id is not None and 0 <= one.label_id < len(classes)
            label = classes[one.label_id or 0] if known else UNNAMED
            track = one.attributes.get("track_id")
            key: Key = track if isinstance(track, int) else label
            labels[key] = label
            joined(masks, key, decode_rle(one.rle))
        stated = item.attr.get("frame")
        number = stated if isinstance(stated, int) else frame_number(item.id)
        found[place if number is None else number] = masks
    return collected(str(content.infos.get("video", "video")), size, found, labels)
