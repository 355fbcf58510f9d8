"""Folders of palette pictures whose pixel is an object's id: DAVIS and YouTube-VOS.

A pixel has one id, from 1 to 254: where objects overlap, the larger id lies on top.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.mask_pictures import result_of_masks
from sam2s.formats.result import (
    UNNAMED,
    ExportOptions,
    Key,
    ObjectMask,
    Result,
    collected,
    frame_number,
)
from sam2s.masklets.annotations import open_annotations
from sam2s.masklets.mask_folders import VideoMasks
from sam2s.masklets.masks import merge_masks, write_index_mask
from sam2s.media.pictures import list_pictures, read_size
from sam2s.typed_json import Ids, read_json

META = "meta.json"


def write_davis(result: Result, out: Path, _options: ExportOptions) -> None:
    """``out/Annotations/<video>/<frame>.png``."""
    _write_pictures(result, out / "Annotations" / result.video)


def write_youtube_vos(result: Result, out: Path, _options: ExportOptions) -> None:
    """``out/Annotations/<video>/<frame>.png`` and ``out/meta.json``, which lists the objects, their
    classes and the frames that show them."""
    _write_pictures(result, out / "Annotations" / result.video)
    shown: dict[int, list[str]] = {i: [] for i in result.ids}
    for frame in result.frames():
        for object_id, found in frame.masks.items():
            if found.mask.any():
                shown[object_id].append(f"{frame.index:05d}")
    objects = {
        str(i): {"category": result.names.get(i, UNNAMED), "frames": on} for i, on in shown.items()
    }
    text = json.dumps({"videos": {result.video: {"objects": objects}}}, indent=1)
    (out / META).write_text(text + "\n", encoding="utf-8")


def _write_pictures(result: Result, folder: Path) -> None:
    folder.mkdir(parents=True)
    for frame in result.frames():
        masks = {i: found.mask for i, found in frame.masks.items()}
        merged = merge_masks(masks)[0] if masks else np.zeros(result.size, np.uint8)
        write_index_mask(folder / f"{frame.index:05d}.png", merged)


def read_palettes(folder: Path) -> Result:
    """A result from one video's palette pictures; ids that no picture shows are not known. Raises
    InputError for other folders, and with the frames for damaged pictures."""
    root = folder / "Annotations"
    videos = [path for path in sorted(root.iterdir()) if path.is_dir()] if root.is_dir() else []
    if len(videos) != 1:
        raise InputError(f"{folder}: expected Annotations/ with the folder of one video")
    masks = open_annotations(videos[0])
    if masks.ids():
        return result_of_masks(VideoMasks(videos[0].name, masks))
    pictures = list_pictures(videos[0])
    if not pictures:
        raise InputError(f"{videos[0]}: holds no pictures")
    nothing: dict[int, dict[Key, ObjectMask]] = {
        frame_number(path.stem) or 0: {} for path in pictures
    }
    return collected(videos[0].name, read_size(pictures[0]), nothing)


@dataclass(frozen=True, slots=True)
class YoutubeVosObject:
    """One object of ``meta.json``."""

    category: str = UNNAMED


@dataclass(frozen=True, slots=True)
class YoutubeVosVideo:
    """One video of ``meta.json``: {object id: what it is}."""

    objects: Mapping[Annotated[int, Ids("object ids")], YoutubeVosObject]


@dataclass(frozen=True, slots=True)
class YoutubeVosMeta:
    """``meta.json``: {name: video}."""

    videos: Mapping[str, YoutubeVosVideo]


def read_youtube_vos(folder: Path) -> Result:
    """As `read_palettes`, with the objects and classes of ``meta.json`` where it is there."""
    result = read_palettes(folder)
    path = folder / META
    videos = read_json(path, YoutubeVosMeta).videos if path.exists() else {}
    if result.video not in videos:
        return result
    objects = videos[result.video].objects
    names: dict[Key, str] = {i: one.category for i, one in objects.items()}
    found: dict[int, dict[Key, ObjectMask]] = {}
    for frame in result.frames():
        found[frame.index] = {int(i): mask for i, mask in frame.masks.items()}
    return collected(result.video, result.size, found, names)
