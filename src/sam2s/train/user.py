"""The simulated user of training, for all rows of a batch at once and on their device: clicks and
boxes by the rules of `sam2s.tracking.annotator`, drawn from numbers that the caller brings.

Centres are found at half resolution: the click lies in the cell of two by two pixels, all of the
region, that is farthest from cells that are not; where there is no such cell, in one that the
region touches; of equally good ones in the first in reading order. The same numbers and masks give
the same clicks on every device.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.devices import upload
from sam2s.tracking.annotator import deepest
from sam2s.tracking.row_prompts import FIRST_CORNER, SECOND_CORNER
from sam2s.types import PromptBatch

BOX_JITTER = 0.1
"""A box edge moves by up to this share of the box's side ..."""
BOX_JITTER_LIMIT = 20.0
"""... and never by more than this many pixels (both as in SAM 2's training)."""
NUMBERS = 4
"""Random numbers of one row's click or box."""
TOUCHED = 0.5
"""Squared depth of a region in which no cell lies whole."""
CHUNK = 1 << 26
"""Most numbers in one temporary tensor of `depths`."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What chance decides of one click, or one box, of each of N rows, on their device.

    ``numbers`` (4, N) float32 in [0, 1): of a click, the third says which pixel it hits; of a box,
    they say how its edges move. ``careless`` (N,) bool: drawn from the object instead of the error.
    ``centred`` (C,) int64: the rows that click at a centre.
    """

    numbers: Tensor
    careless: Tensor
    centred: Tensor


def draws(
    rng: np.random.Generator,
    shape: tuple[int, int],
    shares: tuple[float, float],
    device: torch.device,
) -> list[Draw]:
    """Chance for ``shape`` = (clicks or boxes, rows), uploaded at once. ``shares`` of clicks: those
    drawn from the object instead of the error, and those placed at a centre."""
    numbers = torch.from_numpy(rng.random((shape[0], NUMBERS, shape[1]), dtype=np.float32))
    careless, centred = shares
    # Which rows need a centre is decided on the host: the others are spared the search for one.
    rows = [(some < centred).nonzero()[:, 0] for some in numbers[:, 1]]
    there = upload(numbers, device)
    chosen = upload(torch.cat([*rows, torch.zeros(0, dtype=torch.long)]), device)
    found = chosen.split([*map(len, rows), 0])[: len(rows)]
    return [
        Draw(some, some[0] < careless, centre) for some, centre in zip(there, found, strict=True)
    ]


@torch.no_grad()
def clicks(truth: Tensor, predicted: Tensor | None, draw: Draw) -> PromptBatch:
    """The next click of N rows with masks ``truth`` (N, S, S) bool, of which ``predicted`` was the
    answer; without one all of the object is missed.

    A perfect answer is confirmed at the object's centre by a row that clicks at centres, and
    answered on the background by another (on the object where there is no background); of an
    object that is not in view the background is clicked.
    """
    seen = torch.zeros_like(truth) if predicted is None else predicted
    seen = seen & ~draw.careless[:, None, None]
    wrong = truth ^ seen
    perfect = ~wrong.flatten(1).any(1)
    background = ~truth
    whole = truth.flatten(1).all(1)
    other = torch.where(whole[:, None, None], truth, background)
    anywhere = torch.where(perfect[:, None, None], other, wrong)
    place = nth_pixel(anywhere, _rank(anywhere, draw.numbers[2])[:, None])[:, 0]
    if len(draw.centred):
        present = truth.flatten(1).any(1)
        alone = torch.where(present[:, None, None], truth, background)
        missed = torch.where(perfect[:, None, None], alone, truth & ~seen)
        false = seen & ~truth
        rows = draw.centred
        place = place.index_copy(
            0, rows, centres(missed.index_select(0, rows), false.index_select(0, rows))
        )
    side = truth.shape[-1]
    positive = truth.flatten(1).gather(1, place[:, None])
    xy = torch.stack([place % side, place // side], dim=1)
    return PromptBatch(xy[:, None].float(), positive.long())


@torch.no_grad()
def boxes(truth: Tensor, draw: Draw) -> PromptBatch:
    """An imprecise box around each of N masks (N, S, S) bool, none of them empty: see
    `annotator.box_around`."""
    (left, right), (top, bottom) = _extents(truth.any(1)), _extents(truth.any(2))
    first, last = torch.stack([left, top]), torch.stack([right, bottom])
    reach = ((last - first) * BOX_JITTER).clamp(max=BOX_JITTER_LIMIT)
    # (4, N) -> (2, 2, N): how the first and the second corner move, in x and y.
    moves = (2 * draw.numbers - 1).unflatten(0, (2, 2))
    edge = truth.shape[-1] - 1
    first = (first + moves[0] * reach).clamp(0, edge)
    last = torch.maximum((last + moves[1] * reach).clamp(0, edge), first + 1)
    # (2 corners, 2, N) -> (N, 2 corners, 2)
    corners = torch.stack([first, last]).permute(2, 0, 1)
    labels = torch.stack(
        [torch.full_like(left, kind, dtype=torch.long) for kind in (FIRST_CORNER, SECOND_CORNER)],
        dim=1,
    )
    return PromptBatch(corners, labels)


def nth_pixel(region: Tensor, rank: Tensor) -> Tensor:
    """Where in reading order the pixel number ``rank`` (M, P) int64 of M regions (M, h, w) bool
    lies: (M, P) int64 in [0, h w). A rank that a region does not have gives some place within the
    picture."""
    counts = region.sum(2)
    upto = counts.cumsum(1)
    # The first row with more pixels up to it than the rank.
    row = (upto[:, None] <= rank[..., None]).sum(2).clamp(max=region.shape[1] - 1)
    within = rank - (upto - counts).gather(1, row)
    # (M, P, w): the pixels of that row.
    line = region.gather(1, row[..., None].expand(-1, -1, region.shape[2]))
    column = (line.cumsum(2) <= within[..., None]).sum(2).clamp(max=region.shape[2] - 1)
    return row * region.shape[2] + column


def centres(missed: Tensor, false: Tensor) -> Tensor:
    """Where the deeper of two regions of N rows, each (N, S, S) bool, is deepest; ``false`` where
    both are equally deep. (N,) int64 in [0, S S)."""
    cell, depth = _deepest(torch.cat([missed, false]))
    deeper = depth[: len(missed)] > depth[len(missed) :]
    cell = torch.where(deeper, cell[: len(missed)], cell[len(missed) :])
    region = torch.where(deeper[:, None, None], missed, false)
    side = region.shape[-1]
    width = side // 2
    corner = 2 * (cell // width) * side + 2 * (cell % width)
    # (N, 4): the four pixels of the cell, the first one of the region among them.
    four = torch.stack([corner, corner + 1, corner + side, corner + side + 1], dim=1)
    first = region.flatten(1).gather(1, four).int().argmax(1, keepdim=True)
    return four.gather(1, first)[:, 0]


def _deepest(regions: Tensor) -> tuple[Tensor, Tensor]:
    """The deepest cell of M regions (M, S, S) bool, by its place in reading order, and its squared
    depth in cells, each (M,): `TOUCHED` where the region only touches cells, 0 where there is
    none."""
    quarters = [regions[:, y::2, x::2] for y in (0, 1) for x in (0, 1)]
    upper, lower = quarters[0] & quarters[1], quarters[2] & quarters[3]
    touched = (quarters[0] | quarters[1] | quarters[2] | quarters[3]).flatten(1)
    filled = upper & lower
    if regions.device.type == "cpu":
        place, squared = _deepest_by_one(filled)
    else:
        squared, place = depths(filled).flatten(1).max(1)
    # An argmax over bools is the first cell that is touched, or cell 0.
    thin, first = touched.int().max(1)
    return torch.where(squared > 0, place, first), torch.where(squared > 0, squared, TOUCHED * thin)


def _deepest_by_one(regions: Tensor) -> tuple[Tensor, Tensor]:
    """The same of M regions (M, h, w) by an algorithm that a CPU is quicker with."""
    best = [deepest(region) for region in regions.numpy()]
    width = regions.shape[2]
    places = [y * width + x for (x, y), _ in best]
    return torch.tensor(places), torch.tensor([depth for _, depth in best]).square().round()


def depths(regions: Tensor) -> Tensor:
    """Squared Euclidean distance, in cells, of every cell of M regions (M, h, w) bool to the
    nearest outside of its region, beyond the picture included; 0 outside: (M, h, w) float32, exact.

    Felzenszwalb and Huttenlocher 2012 separate it: distances down the columns, then in every row
    the smallest sum of a squared column distance and the squared way there. The row's minimum is
    taken over all ways that can be the shortest, half the picture's width at most.
    """
    height, width = regions.shape[1:]
    down = torch.arange(height, device=regions.device)[:, None]
    outside = ~regions
    above = torch.where(outside, down, -1).cummax(1).values
    below = torch.where(outside, down, height).flip(1).cummin(1).values.flip(1)
    column = torch.minimum(down - above, below - down).float().square()
    reach = (width + 1) // 2
    ways = torch.arange(-reach, reach + 1, device=regions.device).float().square()
    padded = F.pad(column, (reach, reach))
    some = max(1, CHUNK // (height * width * len(ways)))
    # (m, h, w + 2 reach) -> (m, h, w, ways)
    parts = [(part.unfold(2, len(ways), 1) + ways).amin(3) for part in padded.split(some)]
    return torch.cat(parts)


def _rank(region: Tensor, number: Tensor) -> Tensor:
    """The number of one pixel of each region (N, S, S), from ``number`` (N,) in [0, 1): (N,)
    int64."""
    count = region.flatten(1).sum(1)
    return torch.minimum((number * count).long(), count - 1).clamp(min=0)


def _extents(touched: Tensor) -> tuple[Tensor, Tensor]:
    """First and last place that is touched, of N rows (N, S) bool: each (N,) float32."""
    places = torch.arange(touched.shape[1], device=touched.device, dtype=torch.float32)
    first = torch.where(touched, places, float(touched.shape[1])).amin(1)
    return first, torch.where(touched, places, -1.0).amax(1)
