"""Where in a frame a finding of ``check`` is: rectangles to be drawn on it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

from sam2s.curation.check_sheet import Rectangle
from sam2s.curation.check_video import SPECK, Finding
from sam2s.masklets.masklets import MaskletVideo
from sam2s.masklets.masks import EIGHT_CONNECTED, bounding_window


def marks(finding: Finding, video: MaskletVideo, frame: str) -> tuple[Rectangle, ...]:
    """What to look at on one of the finding's frames: its specks, the objects that it names, the
    place where a missing one was, or, where it is about no place, the whole frame."""
    index = video.frame_names.index(frame)
    found: list[Rectangle] = []
    for object_id in (finding.object_id, finding.other_id):
        mask = None if object_id is None else video.mask(object_id, index)
        if mask is not None and mask.any():
            found += _specks(mask) if finding.kind == "specks" else _around(mask)
    if not found and finding.object_id is not None and finding.kind == "flicker":
        before = video.mask(finding.object_id, video.frame_names.index(finding.frames[0]))
        found = [] if before is None else _around(before)
    height, width = video.size
    return tuple(found) or ((0, 0, width, height),)


def _around(mask: np.ndarray) -> list[Rectangle]:
    window = bounding_window(mask)
    return [] if window is None else [_rectangle(window)]


def _specks(mask: np.ndarray) -> list[Rectangle]:
    """Around every tiny part of the mask, by the rule of ``check``."""
    labels, count = ndimage.label(mask, EIGHT_CONNECTED)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    places: Iterable[tuple[slice, slice]] = ndimage.find_objects(labels)
    small = areas < SPECK * areas.max()
    return [_rectangle(place) for place, tiny in zip(places, small, strict=True) if tiny]


def _rectangle(window: tuple[slice, slice]) -> Rectangle:
    rows, columns = window
    return columns.start, rows.start, columns.stop, rows.stop
