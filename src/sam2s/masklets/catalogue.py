"""What ``masklets.json`` says of a video and its objects, and its JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from sam2s.errors import InputError

CATALOGUE = "masklets.json"
Kind = Literal["instrument", "tissue", "other"]
"""``other``: things of everyday videos."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a video. ``class_name``: its name in the vocabulary, or None when nobody named
    it."""

    class_name: str | None = None
    kind: Kind = "instrument"


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video. ``source``: the data set it comes from; ``fps``: of its frames as stored; None =
    not known."""

    source: str | None = None
    procedure: str | None = None
    split: str | None = None
    fps: float | None = None
    objects: Mapping[int, ObjectInfo] = field(default_factory=dict)


def info_to_json(info: VideoInfo) -> dict[str, Any]:
    """The entry of one video in ``masklets.json``."""
    objects = {
        str(i): {"class": o.class_name, "kind": o.kind} for i, o in sorted(info.objects.items())
    }
    return {
        "source": info.source,
        "procedure": info.procedure,
        "split": info.split,
        "fps": info.fps,
        "objects": objects,
    }


def info_from_json(entry: Any, where: str) -> VideoInfo:
    """The inverse of ``info_to_json``; missing keys mean unknown. Raises InputError that names
    ``where``."""
    if not isinstance(entry, dict) or not isinstance(entry.get("objects", {}), dict):
        raise InputError(
            f"{where}: expected an object with 'source', 'procedure', 'split', 'fps', 'objects'"
        )
    fps = entry.get("fps")
    if fps is not None and (
        isinstance(fps, bool) or not isinstance(fps, int | float) or not fps > 0
    ):
        raise InputError(f"{where}: fps must be a number above 0 or null, got {fps!r}")
    objects = {}
    for key, value in entry.get("objects", {}).items():
        if not key.isdecimal():
            raise InputError(f"{where}: object ids must be whole numbers, got {key!r}")
        objects[int(key)] = _object_from_json(value, f"{where}, object {key}")
    source, procedure, split = (
        _text(entry, key, where) for key in ("source", "procedure", "split")
    )
    return VideoInfo(source, procedure, split, None if fps is None else float(fps), objects)


def _object_from_json(value: Any, where: str) -> ObjectInfo:
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected {{'class': ..., 'kind': ...}}, got {value!r}")
    kind = value.get("kind", "instrument")
    if kind not in get_args(Kind):
        raise InputError(f"{where}: kind must be 'instrument', 'tissue' or 'other', got {kind!r}")
    return ObjectInfo(_text(value, "class", where), kind)


def _text(entry: Mapping[str, Any], key: str, where: str) -> str | None:
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{where}: {key} must be text or null, got {value!r}")
    return value


def read_catalogue(root: Path) -> dict[str, VideoInfo] | None:
    """The videos of ``root/masklets.json`` in the file's order, or None when there is no such file.

    Raises InputError when the file is not valid JSON or not of the stated form.
    """
    path = root / CATALOGUE
    try:
        catalogue = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    videos = catalogue.get("videos") if isinstance(catalogue, dict) else None
    if not isinstance(videos, dict):
        raise InputError(f"{path}: expected {{'videos': {{name: ...}}}}")
    return {name: info_from_json(entry, f"{path}, video {name}") for name, entry in videos.items()}
