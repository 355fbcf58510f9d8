"""Masks of one video from COCO files, our own and those of other tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.coco import FILE
from sam2s.formats.polygons import inside
from sam2s.formats.result import (
    MAX_BYTES,
    UNNAMED,
    Key,
    ObjectMask,
    Result,
    collected,
    frame_number,
    joined,
)
from sam2s.masklets.masks import decode_rle
from sam2s.media.pictures import MAX_PIXELS, check_pixels
from sam2s.typed_json import read_json


@dataclass(frozen=True, slots=True)
class CocoVideo:
    """One entry of ``videos``."""

    name: str = "video"
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class CocoFrame:
    """One entry of ``images``. ``frame_id``: its number in the video, ``time`` in seconds."""

    id: int | str
    height: int
    width: int
    file_name: str = ""
    frame_id: int | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True)
class CocoMask:
    """One entry of ``annotations``. ``track_id`` may stand among CVAT's ``attributes``."""

    image_id: int | str
    category_id: int | str | None = None
    segmentation: Any = None
    track_id: int | None = None
    score: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CocoClass:
    """One entry of ``categories``."""

    id: int | str
    name: str


@dataclass(frozen=True, slots=True)
class CocoTrack:
    """One entry of ``tracks``, which lists objects that no frame shows as well."""

    id: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class CocoVideoFile:
    """A COCO file of the frames of one video."""

    images: tuple[CocoFrame, ...]
    annotations: tuple[CocoMask, ...] = ()
    categories: tuple[CocoClass, ...] = ()
    videos: tuple[CocoVideo, ...] = (CocoVideo(),)
    tracks: tuple[CocoTrack, ...] = ()


def read_coco(folder: Path) -> Result:
    """A result from a COCO file, or from the folder that holds ``annotations.json``.

    An object is a ``track_id``, or, without one, all masks of a category. A frame's number is its
    ``frame_id``, else the number that its file name ends in, else its place. Annotations without a
    segmentation are left out. Raises InputError for other files, several videos, and pictures of
    different size.
    """
    path = folder / FILE if folder.is_dir() else folder
    content = read_json(path, CocoVideoFile, max_bytes=MAX_BYTES)
    size = _size(content, path)
    number = {image.id: _number(image, place) for place, image in enumerate(content.images)}
    if len(set(number.values())) < len(content.images):
        raise InputError(f"{path}: two images are the same frame by their frame_id or file name")
    classes = {one.id: one.name for one in content.categories}
    names: dict[Key, str] = {track.id: track.name or UNNAMED for track in content.tracks}
    found: dict[int, dict[Key, ObjectMask]] = {index: {} for index in number.values()}
    for place, one in enumerate(content.annotations):
        if one.image_id not in number:
            raise InputError(f"{path}: annotations[{place}] is of an image that is not listed")
        if not one.segmentation:
            continue
        label = UNNAMED if one.category_id is None else classes.get(one.category_id, UNNAMED)
        track = one.attributes.get("track_id") if one.track_id is None else one.track_id
        key: Key = track if isinstance(track, int) else label
        if not content.tracks:
            names[key] = label
        masks = found[number[one.image_id]]
        mask = _mask(one.segmentation, size, f"{path}: annotations[{place}]")
        joined(masks, key, mask, one.score)
    video = content.videos[0]
    times = {number[image.id]: image.time for image in content.images}
    return collected(video.name, size, found, names, video.fps, times)


def _size(content: CocoVideoFile, path: Path) -> tuple[int, int]:
    if len(content.videos) != 1:
        raise InputError(f"{path}: holds {len(content.videos)} videos, expected one")
    sizes = {(image.height, image.width) for image in content.images}
    if len(sizes) != 1:
        raise InputError(f"{path}: expected images of one size, got {sorted(sizes)[:3]}")
    size = sizes.pop()
    check_pixels(*size, MAX_PIXELS, str(path))
    return size


def _number(image: CocoFrame, place: int) -> int:
    number = frame_number(image.file_name) if image.frame_id is None else image.frame_id
    return place if number is None else number


def _mask(segmentation: Any, size: tuple[int, int], where: str) -> np.ndarray:
    """(H, W) bool of run lengths, text or list, or of polygons."""
    try:
        if isinstance(segmentation, Mapping):
            mask = decode_rle(segmentation)
        else:
            outlines = [np.array(outline, float).reshape(-1, 2) for outline in segmentation]
            mask = inside(outlines, size)
    except (ValueError, TypeError) as error:  # InputError is a ValueError
        raise InputError(f"{where}: its segmentation cannot be read ({error})") from error
    if mask.shape != size:
        raise InputError(f"{where}: its mask is {mask.shape}, the image {size}")
    return mask
