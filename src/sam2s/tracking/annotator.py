"""The simulated user: where someone who knows the true mask would click, or draw a box.

Training and benchmark ask the same user. The evaluation rule is SAM 2's (RITM's, of interactive
segmentation): the first click lies at the centre of the object, each further one at the centre of
the largest error region; a missed region gets a positive click, a false one a negative click.
*Centre* is the pixel with the largest Euclidean distance to the outside of its region, where
everything beyond the picture's border counts as outside. Training also draws clicks uniformly and
jitters boxes (`sam2s.train.user`).

Masks are bool (H, W); clicks and boxes are in pixels of that mask, (x, y), a coordinate naming a
pixel's index. Deterministic: of several equally good centres the first in reading order is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sam2s.errors import InputError
from sam2s.masklets.masks import bounding_window
from sam2s.types import Box, Points


@dataclass(frozen=True, slots=True)
class Click:
    """One click at pixel column ``x`` and row ``y``; ``positive``: include (True) or exclude
    (False)."""

    x: int
    y: int
    positive: bool


def to_points(clicks: Sequence[Click]) -> Points:
    """All clicks on one object, in their order, as the prompt a tracker takes."""
    return Points(
        np.array([(c.x, c.y) for c in clicks], np.float32).reshape(-1, 2),
        np.array([c.positive for c in clicks], np.int64),
    )


def center_click(mask: np.ndarray, predicted: np.ndarray | None = None) -> Click:
    """The next click by the evaluation rule: at the centre of the largest error of ``predicted``
    against ``mask``.

    Without a prediction that is the object's own centre (the first click). When both errors reach
    equally deep the click is negative, as in SAM 2. A perfect prediction leaves nothing to correct:
    the object's centre is confirmed, or, where the object is absent, the centre of the background
    is clicked negative (SAM 2: negative on pixel (0, 0)).
    """
    missed, false = _errors(mask, predicted)
    miss_xy, miss_depth = deepest(missed)
    false_xy, false_depth = deepest(false)
    if miss_depth > false_depth:
        return Click(*miss_xy, positive=True)
    if false_depth > 0:
        return Click(*false_xy, positive=False)
    present = bool(mask.any())
    return Click(*deepest(mask if present else ~mask)[0], positive=present)


def box_around(mask: np.ndarray) -> Box:
    """The box from the first to the last row and column that the mask touches. A side of one pixel
    is drawn one pixel long, since a box must not be empty. Raises InputError for an empty mask."""
    window = bounding_window(mask)
    if window is None:
        raise InputError("box: the mask is empty, so there is nothing to draw a box around")
    rows, cols = window
    edges = np.array([cols.start, rows.start, cols.stop - 1, rows.stop - 1], np.float64)
    edges[2:] = np.maximum(edges[2:], edges[:2] + 1)
    return Box(edges)


def deepest(region: np.ndarray) -> tuple[tuple[int, int], float]:
    """((x, y), depth) of the region's centre; depth is its distance in pixels to the outside, 0 for
    an empty region.

    The exact distance transform is slow on a whole picture, so a fast one narrows it down: the
    chessboard distance c and the Euclidean distance e of a pixel satisfy c <= e <= sqrt(2) c, so
    only pixels with sqrt(2) c >= max(c) can win, and their nearest outside pixel is at most sqrt(2)
    max(c) away.
    """
    if not region.any():
        return (0, 0), 0.0
    padded = np.pad(region, 1)
    chessboard = ndimage.distance_transform_cdt(padded, metric="chessboard")
    reach = float(np.sqrt(2.0)) * float(chessboard.max())
    contenders = chessboard * 2.0 >= reach - 1e-6
    margin = int(np.ceil(reach)) + 1
    window = bounding_window(contenders)
    assert window is not None, "the deepest pixel itself contends"
    rows, cols = (slice(max(part.start - margin, 0), part.stop + margin) for part in window)
    depth = ndimage.distance_transform_edt(padded[rows, cols])
    depth[~contenders[rows, cols]] = 0.0
    y, x = divmod(int(np.argmax(depth)), depth.shape[1])
    return (x + cols.start - 1, y + rows.start - 1), float(depth[y, x])


def _errors(mask: np.ndarray, predicted: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """(missed, false) pixels; without a prediction the whole object is missed."""
    if predicted is None:
        return mask, np.zeros_like(mask)
    return mask & ~predicted, predicted & ~mask
