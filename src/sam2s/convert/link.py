"""Identity over time for regions that a source labels frame by frame.

Each frame's regions are assigned to the tracks before them, class by class, so that the sum of
scores is largest. A score weighs overlap, nearness and appearance. Where overlap alone leaves no
doubt no picture is read, which is most of the time and most of the cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Protocol

import numpy as np
from scipy.optimize import linear_sum_assignment

from sam2s.masklets.masks import bounding_window

Pixels = Callable[[], np.ndarray]
"""Yields a frame as (H, W, 3) uint8 RGB; called only where appearance decides."""
SURE = 0.5
"""Overlap (IoU) above which two regions are one thing: disjoint regions of one frame cannot both
have it."""
AWAY = 0.8
"""Factor on the score of a track that was not seen on the frame before: going on is likelier than
returning."""
SPREAD = 5
"""Missed frames after which the distance that a thing may have moved grows no further."""
BINS = 4
"""Steps per colour channel of the appearance histogram."""


class Labelled(Protocol):
    """What is linked: a label, a (H, W) bool mask that is not empty, and an identity or None."""

    @property
    def label(self) -> str:
        """Its class; regions of two classes are never linked."""

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool, at least one pixel set."""

    @property
    def track(self) -> str | None:
        """The identity that the source gives; None asks for linking."""


@dataclass(frozen=True, slots=True)
class LinkRules:
    """``max_gap``: annotated frames that a track may miss and still go on. ``min_score``: in [0,
    1], below which two regions are not one thing. ``reach``: how far a thing may move between
    neighbouring frames, in diagonals of its bounding box; every missed frame adds half as much.
    ``keep``: a thing may return anywhere; a track begins only when more things of a class are seen
    at once than it has tracks, whatever the score."""

    max_gap: int = 5
    min_score: float = 0.2
    reach: float = 1.0
    keep: bool = False


RETURNING = LinkRules(max_gap=1_000_000, keep=True)
"""A thing that leaves and comes back is the same object, as in SA-SV, where a video of half an hour
has about eight."""


class _Shape:
    """A region, of which nothing is computed before a score needs it."""

    def __init__(self, mask: np.ndarray, pixels: Pixels) -> None:
        self._mask: np.ndarray | None = mask
        self._pixels = pixels

    @cached_property
    def window(self) -> tuple[int, int, int, int]:
        """First row, first column, end of rows, end of columns."""
        assert self._mask is not None
        window = bounding_window(self._mask)
        assert window is not None, "a region has pixels"
        rows, columns = window
        return rows.start, columns.start, rows.stop, columns.stop

    @cached_property
    def part(self) -> np.ndarray:
        """The mask inside the window; the whole one is not kept."""
        top, left, bottom, right = self.window
        assert self._mask is not None
        part = self._mask[top:bottom, left:right].copy()
        self._mask = None
        return part

    @cached_property
    def area(self) -> int:
        return int(np.count_nonzero(self.part))

    @cached_property
    def diagonal(self) -> float:
        """Of the bounding box."""
        return float(np.hypot(*self.part.shape))

    @cached_property
    def centre(self) -> np.ndarray:
        """(y, x) mean of its pixels."""
        rows, columns = np.nonzero(self.part)
        return np.array([self.window[0] + rows.mean(), self.window[1] + columns.mean()])

    @cached_property
    def look(self) -> np.ndarray:
        """Colour histogram of its pixels, sum 1."""
        top, left, bottom, right = self.window
        colours = self._pixels()[top:bottom, left:right][self.part] // (256 // BINS)
        codes = colours.astype(np.int64) @ np.array([BINS * BINS, BINS, 1])
        return np.bincount(codes, minlength=BINS**3) / len(codes)

    def overlap(self, other: _Shape) -> float:
        """Intersection over union."""
        (top, left, bottom, right), (t, le, b, r) = self.window, other.window
        first, last = max(top, t), min(bottom, b)
        start, end = max(left, le), min(right, r)
        if first >= last or start >= end:
            return 0.0
        mine = self.part[first - top : last - top, start - left : end - left]
        theirs = other.part[first - t : last - t, start - le : end - le]
        common = int(np.count_nonzero(mine & theirs))
        return common / (self.area + other.area - common)

    def nearness(self, other: _Shape, reach: float) -> float:
        """1 at the same centre, 0 from ``reach`` mean diagonals on."""
        distance = float(np.linalg.norm(self.centre - other.centre))
        return max(0.0, 1.0 - distance / (reach * (self.diagonal + other.diagonal) / 2))

    def likeness(self, other: _Shape) -> float:
        """Common part of the two colour histograms, in [0, 1]."""
        return float(np.minimum(self.look, other.look).sum())


@dataclass(slots=True)
class _Track:
    name: int
    label: str
    shape: _Shape
    seen: int


class Linker:
    """Assigns track numbers (from 1, in order of appearance) to the regions of one video, frame by
    frame.

    A region whose ``track`` is given keeps that identity for ever; the others continue a track of
    their own label that no region of this frame has, or begin one. A track that missed more than
    ``max_gap`` frames is not continued.
    """

    def __init__(self, rules: LinkRules | None = None) -> None:
        self.rules = rules or LinkRules()
        self._tracks: dict[int, _Track] = {}
        self._given: dict[tuple[str, str], int] = {}
        self._count = 0
        self._now = -1

    def step(self, regions: Sequence[Labelled], pixels: Pixels) -> list[int]:
        """Track numbers of the next frame's regions, in their order. Regions with one given track
        share a number."""
        self._now += 1
        self._forget()
        shapes = [_Shape(region.mask, pixels) for region in regions]
        names = [0] * len(regions)
        for i, region in enumerate(regions):
            if region.track is not None:
                names[i] = self._continue_given(region.label, region.track, shapes[i])
        # Sorted, so that identities do not depend on the order in which a reader lists regions.
        open_ones = sorted(
            (i for i in range(len(regions)) if regions[i].track is None),
            key=lambda i: _rank(regions[i], shapes[i]),
        )
        for label, group in groupby(open_ones, key=lambda i: regions[i].label):
            members = list(group)
            for i, name in zip(
                members, self._assign(label, [shapes[i] for i in members]), strict=True
            ):
                names[i] = name
        return names

    def _continue_given(self, label: str, given: str, shape: _Shape) -> int:
        name = self._given.get((label, given))
        if name is None:
            name = self._given[label, given] = self._begin(label, shape)
        else:
            self._tracks[name] = _Track(name, label, shape, self._now)
        return name

    def _begin(self, label: str, shape: _Shape) -> int:
        self._count += 1
        self._tracks[self._count] = _Track(self._count, label, shape, self._now)
        return self._count

    def _forget(self) -> None:
        """Drop what is kept of tracks that can no longer be continued by linking; given names live
        on."""
        oldest = self._now - self.rules.max_gap - 1
        for name, track in list(self._tracks.items()):
            if track.seen < oldest:
                del self._tracks[name]

    def _assign(self, label: str, shapes: list[_Shape]) -> list[int]:
        """Track numbers of one class's regions of this frame."""
        tracks = [t for t in self._tracks.values() if t.label == label and t.seen < self._now]
        match = self._match(tracks, shapes)
        names = []
        for i, shape in enumerate(shapes):
            if i in match:
                track = tracks[match[i]]
                track.shape, track.seen = shape, self._now
                names.append(track.name)
            else:
                names.append(self._begin(label, shape))
        return names

    def _match(self, tracks: list[_Track], shapes: list[_Shape]) -> dict[int, int]:
        """{place in shapes: place in tracks}, each at most once."""
        if not tracks or not shapes:
            return {}
        overlap = np.array([[track.shape.overlap(shape) for track in tracks] for shape in shapes])
        sure = overlap > SURE
        match = {
            int(i): int(j)
            for i, j in zip(*np.nonzero(sure), strict=True)
            if sure[i].sum() == 1 and sure[:, j].sum() == 1
        }
        if self.rules.keep and not match and len(shapes) == len(tracks) == 1:
            return {0: 0}
        rows = [i for i in range(len(shapes)) if i not in match]
        columns = [j for j in range(len(tracks)) if j not in match.values()]
        if rows and columns:
            scores = np.array(
                [[self._score(overlap[i, j], tracks[j], shapes[i]) for j in columns] for i in rows]
            )
            for row, column in zip(*linear_sum_assignment(-scores), strict=True):
                if self.rules.keep or scores[row, column] >= self.rules.min_score:
                    match[rows[row]] = columns[column]
        return match

    def _score(self, overlap: float, track: _Track, shape: _Shape) -> float:
        missed = self._now - track.seen - 1
        near = track.shape.nearness(shape, self.rules.reach * (1 + min(missed, SPREAD) / 2))
        if overlap == 0 and near == 0 and not self.rules.keep:
            return 0.0
        score = 0.5 * overlap + 0.25 * near + 0.25 * track.shape.likeness(shape)
        return AWAY * score if missed else score


def _rank(region: Labelled, shape: _Shape) -> tuple[str, int, int, int, bytes]:
    return region.label, -shape.area, shape.window[1], shape.window[0], shape.part.tobytes()
