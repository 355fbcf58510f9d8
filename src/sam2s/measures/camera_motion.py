"""How the camera moved, from the background: everything that no mask covers.

Corners of the background are followed from frame to frame (Shi and Tomasi 1994; pyramidal Lucas and
Kanade, there and back), and a similarity (shift, turn, zoom) is fitted to them by RANSAC. Tissue
that moves by itself is background too, so what is subtracted is the motion of most of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from sam2s.errors import InputError
from sam2s.formats.result import Result
from sam2s.media.frames import FrameSource
from sam2s.opencv import cv2, import_opencv

SIDE = 320
"""Pixels of the longer side at which motion is looked for."""
CORNERS, FEWEST = 200, 12
"""Corners that are followed at most, and that must agree at least."""
RETURN = 0.7
"""Pixels by which a corner that is followed there and back may miss its beginning."""
MARGIN = 5
"""Pixels around a mask, at that size, that do not count as background."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraMotion:
    """``steps``: {frame: (2, 3) affine map, places on the frame before -> places on it, source
    pixels (x, y)}; frames whose step could not be told are missing."""

    steps: Mapping[int, np.ndarray]

    def between(self, before: int, after: int) -> np.ndarray | None:
        """The map from places on one frame to places on a later one, None where a step of the way
        is not known."""
        whole = np.eye(3)
        for number in range(before + 1, after + 1):
            step = self.steps.get(number)
            if step is None:
                return None
            whole = np.vstack([step, (0, 0, 1)]) @ whole
        return whole[:2]


def camera_motion(source: FrameSource, result: Result) -> CameraMotion:
    """The camera's motion over the frames of ``result``, which was tracked in ``source``.

    Raises InputError where OpenCV is missing, and where the source is of another size or shorter
    than the result.
    """
    import_opencv()  # says at once what to install
    height, width = result.size
    scale = SIDE / max(height, width)
    masks = {frame.index: frame for frame in result.frames()}
    first, last = min(masks), max(masks)
    steps: dict[int, np.ndarray] = {}
    before: np.ndarray | None = None
    corners: np.ndarray | None = None
    seen = first - 1
    for frame in _frames(source, first, last):
        if frame.image.shape[:2] != result.size:
            raise InputError(
                f"{source.name}: is {frame.image.shape[1]} x {frame.image.shape[0]} pixels, the"
                f" result {width} x {height}; give the video that was tracked"
            )
        size = max(1, round(width * scale)), max(1, round(height * scale))
        grey = cv2.resize(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), size, interpolation=3)
        if before is not None and corners is not None:
            step = _step(before, grey, corners)
            if step is not None:
                step[:, 2] /= scale
                steps[frame.index] = step
        shown = masks.get(frame.index)
        covered = np.zeros(result.size, bool)
        for found in shown.masks.values() if shown is not None else ():
            covered |= found.mask
        corners = _corners(grey, covered)
        before, seen = grey, frame.index
    if seen < last:
        raise InputError(
            f"{source.name}: ends at frame {seen}, the result has frame {last}; give the video that"
            " was tracked"
        )
    return CameraMotion(steps)


def _frames(source: FrameSource, first: int, last: int) -> Iterator[Any]:
    for frame in source.frames(first):
        yield frame
        if frame.index >= last:
            return


def _corners(grey: np.ndarray, covered: np.ndarray) -> np.ndarray | None:
    """(N, 1, 2) float32 corners of the background of a small picture."""
    small = cv2.resize(covered.astype(np.uint8), grey.shape[::-1], interpolation=cv2.INTER_AREA)
    free = ~ndimage.binary_dilation(small > 0, iterations=MARGIN) & (grey > 12)
    free = ndimage.binary_erosion(free, iterations=2)  # the rim of a round view stands still
    found = cv2.goodFeaturesToTrack(grey, CORNERS, 0.01, 5, mask=free.astype(np.uint8))
    return None if found is None or len(found) < FEWEST else found


def _step(before: np.ndarray, after: np.ndarray, corners: np.ndarray) -> Any:
    """(2, 3) float64 similarity from one small picture to the next, None where none is found."""
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None)
    miss = np.hypot(*(back - corners)[:, 0].T)
    good = (found[:, 0] > 0) & (returned[:, 0] > 0) & (miss < RETURN)
    if good.sum() < FEWEST:
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(
        corners[good], there[good], method=cv2.RANSAC, ransacReprojThreshold=1.0
    )
    agreed = 0 if inliers is None else int(inliers.sum())
    return matrix if agreed >= max(FEWEST, good.sum() // 3) else None
