"""From semantic masks to things: connected components, and instruments out of their parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sam2s.masklets.masks import bounding_window


def components(mask: np.ndarray, min_fraction: float = 0.0005, bridge: int = 0) -> list[np.ndarray]:
    """The connected parts (8-neighbours) of a (H, W) bool mask, largest first.

    ``min_fraction``: of the picture's pixels; smaller parts are specks and are left out.
    ``bridge``: gaps of up to twice this many pixels do not separate. A mask that is one part is
    given back as it is, not copied.
    """
    window = bounding_window(mask)
    if window is None:
        return []
    inside = mask[window]
    runs = runs_of(inside)
    count, owner = connected_components(_joined(runs, reach=2 * bridge + 1), directed=False)
    if count == 1:
        return [mask] if runs.lengths.sum() >= min_fraction * mask.size else []
    areas = np.bincount(owner, runs.lengths)
    order = [i for i in np.argsort(-areas, kind="stable") if areas[i] >= min_fraction * mask.size]
    return [_place(part, window, mask.shape) for part in _parts(inside, runs, owner, order)]


@dataclass(frozen=True, slots=True)
class Runs:
    """A mask as its horizontal runs, in reading order: (R,) int arrays. ``ends`` lie one column
    past the last pixel."""

    rows: np.ndarray
    starts: np.ndarray
    ends: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """(R,) number of pixels of each run."""
        return self.ends - self.starts


def runs_of(mask: np.ndarray) -> Runs:
    """The runs of a (H, W) bool mask: hundreds of numbers instead of hundreds of thousands of
    pixels."""
    height, width = mask.shape
    # One empty column keeps the rows apart, and one pixel in front lets the first run begin.
    line = np.zeros(height * (width + 1) + 1, dtype=bool)
    line[1:].reshape(height, width + 1)[:, :width] = mask
    edges = np.flatnonzero(line[1:] != line[:-1])
    rows, starts = np.divmod(edges[::2], width + 1)
    return Runs(rows, starts, edges[1::2] - rows * (width + 1))


def _joined(runs: Runs, reach: int) -> coo_array:
    """(R, R) graph of the runs that have pixels at most ``reach`` apart in both directions."""
    # Runs as intervals on one line, with so much room between the rows that none reaches into the
    # next.
    room = int(runs.ends.max()) + 2 * reach
    first, last = runs.rows * room + runs.starts, runs.rows * room + runs.ends - 1
    pairs = []
    for down in range(min(reach, int(runs.rows[-1])) + 1):
        begin = np.searchsorted(last, first + (down * room - reach))
        stop = np.searchsorted(first, last + (down * room + reach), side="right")
        counts = np.maximum(stop - begin, 0)
        mine = np.repeat(np.arange(len(counts)), counts)
        theirs = np.arange(len(mine)) + np.repeat(begin - np.cumsum(counts) + counts, counts)
        pairs.append((mine, theirs))
    rows, columns = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return coo_array(
        (np.ones(len(rows), dtype=bool), (rows, columns)), shape=(len(first), len(first))
    )


def _parts(
    inside: np.ndarray, runs: Runs, owner: np.ndarray, order: Sequence[int]
) -> Iterator[np.ndarray]:
    """The masks of the components ``order``. ``owner``: (R,) component of each run."""
    labels: np.ndarray | None = None
    for component in order:
        mine = (
            runs.rows[owner == component],
            runs.starts[owner == component],
            runs.ends[owner == component],
        )
        rows, columns = (
            slice(int(mine[0][0]), int(mine[0][-1]) + 1),
            slice(int(mine[1].min()), int(mine[2].max())),
        )
        beside = (runs.rows < rows.stop) & (runs.rows >= rows.start)
        beside &= (runs.starts < columns.stop) & (runs.ends > columns.start) & (owner != component)
        part = np.zeros_like(inside)
        if beside.any():
            if labels is None:
                labels = np.full(inside.shape, -1)
                labels[inside] = np.repeat(owner, runs.lengths)
            np.equal(labels, component, out=part)
        else:  # alone in its window: no other pixel to tell apart
            part[rows, columns] = inside[rows, columns]
        yield part


def widened(mask: np.ndarray, reach: int) -> np.ndarray:
    """The mask grown by ``reach`` pixels in all eight directions."""
    for _ in range(reach):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        mask = grown.copy()
        mask[:, 1:] |= grown[:, :-1]
        mask[:, :-1] |= grown[:, 1:]
    return mask


def instruments(parts: dict[str, np.ndarray], min_fraction: float = 0.0005) -> list[np.ndarray]:
    """Whole instruments out of the masks of their parts ("shaft", "wrist", "clasper"; missing ones
    may be left out).

    The parts are united and split into components. A component in which several shafts reach wrists
    of their own is two crossing tools: its pixels go to the nearest such shaft.
    """
    present = [mask for mask in parts.values() if mask.any()]
    if not present:
        return []
    whole = np.logical_or.reduce(present)
    found: list[np.ndarray] = []
    for tool in components(whole, min_fraction, bridge=1):
        found += _uncross(tool, parts.get("shaft"), parts.get("wrist"), min_fraction)
    return found


def _uncross(
    tool: np.ndarray, shaft: np.ndarray | None, wrist: np.ndarray | None, min_fraction: float
) -> list[np.ndarray]:
    if shaft is None or wrist is None:
        return [tool]
    shafts = components(tool & shaft, min_fraction)
    wrists = components(tool & wrist, min_fraction / 4)
    if len(shafts) < 2 or len(wrists) < 2:
        return [tool]
    # Whether a shaft comes within two pixels of a wrist.
    near = np.array([[bool((widened(s, 2) & w).any()) for w in wrists] for s in shafts])
    rows, columns = linear_sum_assignment(~near)
    seeds = [shafts[row] for row, column in zip(rows, columns, strict=True) if near[row, column]]
    if len(seeds) < 2:
        return [tool]
    distances = np.stack([ndimage.distance_transform_edt(~seed) for seed in seeds])
    owner = distances.argmin(axis=0)
    return [tool & (owner == i) for i in range(len(seeds))]


def _place(part: np.ndarray, window: tuple[slice, slice], shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[window] = part
    return mask
