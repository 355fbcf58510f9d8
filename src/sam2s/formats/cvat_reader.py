"""Masks and polygons from CVAT's XML for video 1.1."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import numpy as np
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from sam2s.errors import InputError
from sam2s.formats.cvat import FILE
from sam2s.formats.polygons import inside
from sam2s.formats.result import Key, ObjectMask, Result, collected, joined
from sam2s.masklets.masks import decode_rle
from sam2s.media.pictures import MAX_PIXELS, check_pixels


@dataclass(slots=True)
class _Task:
    """What was read so far."""

    name: str = "video"
    length: int = 0
    size: tuple[int, int] = (0, 0)
    labels: dict[Key, str] = field(default_factory=dict)
    masks: dict[int, dict[Key, ObjectMask]] = field(default_factory=lambda: defaultdict(dict))


def read_cvat(folder: Path) -> Result:
    """A result from a file of CVAT for video 1.1, or from the folder that holds it.

    An object is a group of tracks, or a track without one; the frames are all of the task, and
    those in which nothing is shown are empty. Boxes, points and lines are not masks and are left
    out. Raises InputError for other files, entities, and masks that do not fit their boxes.
    """
    path = folder / FILE if folder.is_dir() else folder
    task = _Task()
    inner: list[str] = []
    try:
        for event, element in iterparse(str(path), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                inner.append(element.tag)
                continue
            inner.pop()
            _take(task, element, inner)
    except (ParseError, DefusedXmlException, LookupError, ValueError, TypeError, OSError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read as CVAT for video 1.1 ({error!r})") from error
    if not task.size[0]:
        raise InputError(f"{path}: expected the size of the video (original_size)")
    frames = range(max([task.length, *(index + 1 for index in task.masks)]))
    found = {index: task.masks.get(index, {}) for index in frames}
    return collected(task.name, task.size, found, task.labels)


def _take(task: _Task, element: Element, inner: list[str]) -> None:
    """Keep what an element says that was read to its end."""
    parent = inner[-1] if inner else ""
    if element.tag == "name" and parent in ("task", "job"):
        task.name = re.sub(r"[^\w.-]+", "_", element.text or "").strip("._") or task.name
    elif element.tag == "size" and parent in ("task", "job"):
        task.length = int(element.text or 0)
    elif element.tag == "original_size":
        height, width = (int(element.findtext(side, "0")) for side in ("height", "width"))
        check_pixels(height, width, MAX_PIXELS, "original_size")
        task.size = height, width
    elif element.tag == "track":
        group = int(element.attrib.get("group_id", 0))
        key: Key = group or f"track {element.attrib['id']}"
        task.labels[key] = element.attrib["label"]
        for shape in element:
            if shape.attrib.get("outside", "0") != "1" and shape.tag in ("mask", "polygon"):
                masks = task.masks[int(shape.attrib["frame"])]
                joined(masks, key, _mask_of(shape.tag, shape.attrib, task.size))
        element.clear()


def _mask_of(tag: str, said: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool of a shape."""
    if tag == "polygon":
        pairs = [[float(v) for v in pair.split(",")] for pair in said["points"].split(";")]
        return inside([np.array(pairs)], size)
    left, top, width, height = (int(said[key]) for key in ("left", "top", "width", "height"))
    if not (left >= 0 and top >= 0 and left + width <= size[1] and top + height <= size[0]):
        raise ValueError(f"a mask's box on frame {said['frame']} leaves the picture")
    runs = [int(run) for run in said["rle"].split(",")]
    mask = np.zeros(size, bool)
    box = decode_rle({"size": [width, height], "counts": runs}).T
    mask[top : top + height, left : left + width] = box
    return mask
