"""LabelMe: a JSON a frame, beside whose name the picture's is found.

A mask is a PNG of its box (``shape_type`` "mask", LabelMe 5.3 and later), or, as ``polygons``, one
shape a part. ``group_id`` is the object.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.polygons import inside, polygons_of
from sam2s.formats.result import (
    UNNAMED,
    ExportOptions,
    Key,
    ObjectMask,
    Result,
    collected,
    frame_number,
    joined,
)
from sam2s.masklets.masks import bounding_window
from sam2s.masklets.png_bits import encode_bits
from sam2s.media.pictures import MAX_PIXELS, check_pixels, open_picture
from sam2s.typed_json import read_json

VERSION = "5.5.0"
"""Of LabelMe, whose form this is."""


def write_labelme(result: Result, out: Path, options: ExportOptions) -> None:
    """``out/<video>/<picture>.json``."""
    folder = out / result.video
    folder.mkdir()
    for frame in result.frames():
        picture = options.picture_of(frame.index)
        shapes = [
            {"label": result.names.get(i, UNNAMED), "group_id": i, "flags": {}, **shape}
            for i, found in sorted(frame.masks.items())
            for shape in _shapes(found.mask, options.polygons)
        ]
        content: dict[str, Any] = {
            "version": VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": picture,
            "imageData": None,
            "imageHeight": result.size[0],
            "imageWidth": result.size[1],
        }
        text = json.dumps(content, indent=1)
        (folder / f"{Path(picture).stem}.json").write_text(text + "\n", encoding="utf-8")


def _shapes(mask: np.ndarray, polygons: bool) -> Iterator[dict[str, Any]]:
    if polygons:
        for outline in polygons_of(mask):
            yield {"shape_type": "polygon", "points": outline.tolist()}
        return
    window = bounding_window(mask)
    if window is not None:
        rows, columns = window
        corners = [[columns.start, rows.start], [columns.stop - 1, rows.stop - 1]]
        code = base64.b64encode(encode_bits(mask[window])).decode("ascii")
        yield {"shape_type": "mask", "points": corners, "mask": code}


@dataclass(frozen=True, slots=True)
class LabelMeRegion:
    """One shape. ``points`` (x, y) in pixels: the corners of a polygon, or of a mask's box the
    first and the last pixel; ``mask``: a PNG in base 64."""

    label: str
    points: tuple[tuple[float, float], ...]
    shape_type: str = "polygon"
    group_id: int | None = None
    mask: str | None = None


@dataclass(frozen=True, slots=True)
class LabelMePicture:
    """One frame."""

    shapes: tuple[LabelMeRegion, ...]
    height: int = field(metadata={"key": "imageHeight"})
    width: int = field(metadata={"key": "imageWidth"})
    picture: str | None = field(default=None, metadata={"key": "imagePath"})


def read_labelme(folder: Path) -> Result:
    """A result from one folder of LabelMe files (or a folder that holds nothing but it).

    An object is a ``group_id``, or, without one, all shapes of a label. Shapes other than masks and
    polygons are left out. Raises InputError for other files and pictures of different size.
    """
    files = sorted(folder.glob("*.json"))
    inner = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    if not files and len(inner) == 1:
        return read_labelme(inner[0])
    if not files:
        raise InputError(f"{folder}: expected LabelMe's files, one JSON per picture")
    found: dict[int, dict[Key, ObjectMask]] = {}
    labels: dict[Key, str] = {}
    sizes: set[tuple[int, int]] = set()
    for place, path in enumerate(files):
        content = read_json(path, LabelMePicture)
        check_pixels(content.height, content.width, MAX_PIXELS, str(path))
        sizes.add((content.height, content.width))
        if len(sizes) > 1:
            raise InputError(f"{path}: its picture is of another size than those before it")
        masks: dict[Key, ObjectMask] = {}
        for shape in content.shapes:
            if shape.shape_type in ("mask", "polygon"):
                key = shape.label if shape.group_id is None else shape.group_id
                labels[key] = shape.label
                joined(masks, key, _mask_of(shape, (content.height, content.width), path))
        number = frame_number(content.picture or path.stem)
        found[place if number is None else number] = masks
    return collected(folder.name, sizes.pop(), found, labels)


def _mask_of(shape: LabelMeRegion, size: tuple[int, int], path: Path) -> np.ndarray:
    if shape.shape_type == "polygon":
        return inside([np.array(shape.points, float)], size)
    try:
        (left, top), (right, bottom) = np.array(shape.points).astype(int).tolist()
        with open_picture(io.BytesIO(base64.b64decode(shape.mask or "", validate=True))) as picture:
            pixels = np.asarray(picture).astype(bool)
    except (ValueError, binascii.Error) as error:
        raise InputError(f"{path}: a mask of '{shape.label}' cannot be read ({error})") from error
    mask = np.zeros(size, bool)
    place = mask[max(0, top) : bottom + 1, max(0, left) : right + 1]
    if place.shape != pixels.shape:
        raise InputError(f"{path}: a mask of '{shape.label}' is not of its box's size")
    place[:] = pixels
    return mask
