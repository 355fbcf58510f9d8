"""What ``masklets.json`` says of a video and its objects, and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from sam2s.errors import InputError
from sam2s.typed_json import Bounds, FolderName, Ids, OneLine, build, read_json

CATALOGUE = "masklets.json"
UNFINISHED = ".converting"
"""Hidden file in a folder that is being built, or whose building was broken off (see `staging`)."""
VIDEO_BY_VIDEO = "each video is finished on its own\n"
"""What `UNFINISHED` holds where the listed videos may be used before the others are there."""
Kind = Literal["instrument", "tissue", "other"]
"""``other``: things of everyday videos."""
Line = Annotated[str, OneLine()]
ObjectId = Annotated[int, Ids("object ids")]
VideoName = Annotated[str, FolderName()]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object of a video. ``class_name``: its name in the vocabulary, or None when nobody named
    it."""

    class_name: Line | None = field(default=None, metadata={"key": "class"})
    kind: Kind = "instrument"


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """One video. ``source``: the data set it comes from; ``fps``: of its frames as stored; None =
    not known."""

    source: Line | None = None
    procedure: Line | None = None
    split: Line | None = None
    fps: Annotated[float, Bounds(above=0, high=1e6)] | None = None
    objects: Mapping[ObjectId, ObjectInfo] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """``masklets.json``: {name of the video's folder: what is known of it}."""

    videos: Mapping[VideoName, VideoInfo]


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
    """The inverse of ``info_to_json``; missing keys mean unknown. Raises InputError that begins
    with ``where``."""
    return build(entry, VideoInfo, where)


def read_catalogue(root: Path) -> dict[str, VideoInfo] | None:
    """The videos of ``root/masklets.json`` in the file's order, or None when there is no such file.

    Raises InputError when the file is not valid JSON or not of the stated form.
    """
    path = root / CATALOGUE
    if not path.exists():
        return None
    return dict(read_json(path, Catalogue).videos)


def read_finished_catalogue(root: Path) -> dict[str, VideoInfo] | None:
    """As `read_catalogue`, for those who use the folder. Raises InputError as well while it is
    being built, and when its building was broken off: part of its videos would pass for all."""
    catalogue, marker = read_catalogue(root), root / UNFINISHED
    if not marker.exists():
        return catalogue
    try:
        said = marker.read_text("utf-8", errors="replace") if marker.is_file() else ""
    except FileNotFoundError:  # what built it ended just now
        return read_catalogue(root)
    except OSError as error:
        raise InputError(f"{marker}: cannot be read ({error.strerror})") from error
    if said == VIDEO_BY_VIDEO and catalogue is not None:
        return catalogue
    raise InputError(
        f"{root}: is not finished (it holds {UNFINISHED}): the command that writes it is still"
        " running or was interrupted; run it again (data convert, with --skip-bad if a video cannot"
        " be read, or synth)"
    )
