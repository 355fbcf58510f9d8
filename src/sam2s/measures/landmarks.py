"""Where one mask is: its centroid, the place an instrument enters by, its tip, and the width of its
shaft."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sam2s.masklets.masks import EIGHT_CONNECTED, bounding_window

SPECK = 0.05
"""Parts smaller than this share of a mask say nothing about where its tip is."""
TIP_DEPTH = 0.06
"""The tip is the mean of the pixels within this share of the reach from the farthest one, so that
neither a single pixel nor one of two open jaws decides."""
SHAFT = (0.1, 0.45)
"""Where the shaft is measured, in shares of the way from entry to tip."""
SLICES = 5
"""Pieces of that in which its width is looked for."""
SLENDER = 2.0
"""An instrument shows its shaft when it reaches at least this many shaft widths into the view."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """``area`` in pixels; ``centroid``, ``entry``, ``tip`` (2,) float (x, y) pixels;
    ``on_border``: the mask touches the picture's border, where ``entry`` is then; ``shaft_width``
    in pixels, NaN where no shaft shows."""

    area: int
    centroid: np.ndarray
    entry: np.ndarray
    tip: np.ndarray
    on_border: bool
    shaft_width: float


def find_landmarks(mask: np.ndarray, previous: Landmarks | None = None) -> Landmarks | None:
    """The landmarks of a (H, W) bool mask, None where it is empty.

    An instrument enters by the border that its mask touches; of several contacts the one nearest
    to the ``previous`` entry counts, else the longest. Without a contact the previous one stands,
    and else the mask's pixel farthest from the picture's centre, which is where the round view of
    an endoscope cuts a shaft off. The tip is the far end from there.
    """
    window = bounding_window(mask)
    if window is None:
        return None
    origin = np.array([window[1].start, window[0].start], float)
    whole = _places(mask[window]) + origin
    points = _places(_without_specks(mask[window])) + origin
    entry, on_border = _entry(points, mask.shape, previous)
    far = np.hypot(*(points - entry).T)
    reach = float(far.max())
    tip = points[far >= reach - max(1.0, TIP_DEPTH * reach)].mean(axis=0)
    width = _shaft_width(points, entry, tip)
    return Landmarks(len(whole), whole.mean(axis=0), entry, tip, on_border, width)


def _places(part: np.ndarray) -> np.ndarray:
    """(N, 2) float (x, y) of the True pixels."""
    rows, columns = np.nonzero(part)
    return np.stack([columns, rows], axis=1).astype(float)


def _without_specks(part: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(part, EIGHT_CONNECTED)
    if count < 2:
        return part
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return (sizes >= SPECK * sizes.sum())[labels]


def _entry(
    points: np.ndarray, shape: tuple[int, ...], previous: Landmarks | None
) -> tuple[np.ndarray, bool]:
    """Where the instrument comes in, and whether that is at the border."""
    last = np.array([shape[1] - 1, shape[0] - 1], float)
    contact = points[((points == 0) | (points == last)).any(axis=1)]
    if len(contact):
        return _one_contact(contact, last, previous), True
    if previous is not None and previous.on_border:
        return previous.entry, True
    return points[np.argmax(np.hypot(*(points - last / 2).T))], False


def _one_contact(contact: np.ndarray, last: np.ndarray, previous: Landmarks | None) -> np.ndarray:
    """The middle of one of the runs that a mask has along the border."""
    contact = contact[np.argsort(_along_border(contact, last))]
    apart = np.hypot(*(contact - np.roll(contact, 1, axis=0)).T) > 2
    if apart.any():
        contact = np.roll(contact, -int(np.argmax(apart)), axis=0)
        apart = np.hypot(*np.diff(contact, axis=0).T) > 2
        runs = np.split(contact, np.flatnonzero(apart) + 1)
    else:
        runs = [contact]
    longest = max(runs, key=len)
    middles = [run.mean(axis=0) for run in runs if 4 * len(run) >= len(longest)]
    if previous is None or not previous.on_border:
        return longest.mean(axis=0)
    return min(middles, key=lambda middle: float(np.hypot(*(middle - previous.entry))))


def _along_border(points: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The way along the border, clockwise from the upper left corner, in pixels."""
    (x, y), (wide, high) = points.T, last
    lower = np.where(y == high, wide + high + (wide - x), 2 * wide + high + (high - y))
    return np.where(y == 0, x, np.where(x == wide, wide + y, lower))


def _shaft_width(points: np.ndarray, entry: np.ndarray, tip: np.ndarray) -> float:
    """Across the shaft, in pixels: the median area of equal slices across the way from entry to
    tip over their thickness, turned by the angle at which the shaft's own middle line runs to it.

    Slices of one pixel would hold one or two rows of a slanting shaft's pixels, by chance. A pixel
    between two slices counts in each by what lies in it.
    """
    way = tip - entry
    reach = float(np.hypot(*way))
    thickness = (SHAFT[1] - SHAFT[0]) * reach / SLICES
    if thickness < 1:
        return np.nan
    along = (points - entry) @ (way / reach)
    across = (points - entry) @ (np.array([-way[1], way[0]]) / reach)
    bounds = SHAFT[0] * reach + thickness * np.arange(SLICES + 1)
    before = np.array([np.clip(bound - along + 0.5, 0.0, 1.0).sum() for bound in bounds])
    areas = np.diff(before)
    areas = areas[areas >= 1]  # what covers the shaft takes slices out
    inside = (along >= bounds[0]) & (along < bounds[-1])
    along, across = along[inside], across[inside]
    if len(areas) < 2:
        return np.nan
    spread = along - along.mean()
    slope = float((spread * across).sum() / (spread**2).sum())
    width = float(np.median(areas)) / thickness / np.hypot(1.0, slope)
    return width if reach >= SLENDER * width else np.nan
