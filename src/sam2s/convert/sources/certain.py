"""Identity over time where only what is certain counts: the other rule beside `sam2s.convert.link`.

A label says what a region is, not which thing it is. `link` gives every region an identity, which
is what a public set as a whole needs; a benchmark rather leaves a frame out than trusts a guess.
Here a frame is *not annotated* for an object when it cannot be known which region it is:

1. A component (8-connected) below ``speck`` of the picture is dropped; a frame on which a label has
   nothing but specks is not annotated for it.
2. A label that is one thing is one masklet, absent where the label is absent. A frame whose second
   largest component has more than ``ambiguous`` of the largest one's area is not annotated.
3. Of a label that may be several things, components are linked from frame to frame by best total
   overlap (Hungarian), at an IoU of ``min_iou`` or more. Before such a chain begins and once it has
   ended, frames that show the label at all are not annotated for it, since any of its regions could
   be this very thing; frames without the label say that it is absent.
4. A masklet that is seen on fewer than ``fewest_frames`` frames is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from scipy.optimize import linear_sum_assignment

from sam2s.convert.sources.regions import components
from sam2s.metrics import jaccard


class Count(Enum):
    """How many things of a label a video can show."""

    ONE = "one, however many pieces of it are seen"
    ONE_UNLESS_SEVERAL = "one, unless some frame shows several components"
    SEVERAL = "several"


@dataclass(frozen=True, slots=True)
class CertainRules:
    """The rules' constants. ``counts``: {label: how many things of it there can be}, in the order
    in which objects are numbered; ``speck`` and ``ambiguous``: shares of areas; ``min_iou``: in
    [0, 1]."""

    counts: Mapping[str, Count]
    speck: float = 0.001
    ambiguous: float = 0.1
    min_iou: float = 0.1
    fewest_frames: int = 4


@dataclass(frozen=True, slots=True, eq=False)
class CertainTrack:
    """One object. ``masks``, one for each frame: (H, W) bool, all False where it is absent; None
    where the frame is not annotated for it."""

    label: str
    masks: Sequence[np.ndarray | None]

    @property
    def seen(self) -> int:
        """On how many frames it is in view."""
        return sum(mask is not None and bool(mask.any()) for mask in self.masks)


def certain_tracks(
    frames: Sequence[Mapping[str, np.ndarray]], rules: CertainRules
) -> list[CertainTrack]:
    """The objects of one video, label by label, the one that is seen longest first. ``frames``:
    {label: (H, W) bool mask of all its regions} of each annotated frame, every label on each."""
    tracks: list[CertainTrack] = []
    for label, count in rules.counts.items():
        regions = [frame[label] for frame in frames]
        parts = [components(region, rules.speck) for region in regions]
        one = count is Count.ONE or (
            count is Count.ONE_UNLESS_SEVERAL and all(len(pieces) <= 1 for pieces in parts)
        )
        masks = [_one_thing(regions, parts, rules)] if one else _chains(regions, parts, rules)
        found = [CertainTrack(label, track) for track in masks]
        kept = [track for track in found if track.seen >= rules.fewest_frames]
        tracks += sorted(kept, key=lambda track: -track.seen)
    return tracks


def _one_thing(
    regions: Sequence[np.ndarray], parts: Sequence[Sequence[np.ndarray]], rules: CertainRules
) -> list[np.ndarray | None]:
    """Rule 2: the whole label is the object, where it is one connected thing."""
    track: list[np.ndarray | None] = []
    for region, pieces in zip(regions, parts, strict=True):
        if not pieces:
            track.append(None if region.any() else region)
        elif len(pieces) > 1 and pieces[1].sum() > rules.ambiguous * pieces[0].sum():
            track.append(None)
        else:
            track.append(np.logical_or.reduce(pieces))
    return track


def _chains(
    regions: Sequence[np.ndarray], parts: Sequence[Sequence[np.ndarray]], rules: CertainRules
) -> list[list[np.ndarray | None]]:
    """Rule 3: chains of overlapping components; each is {frame: component}."""
    chains: list[dict[int, np.ndarray]] = []
    for frame, pieces in enumerate(parts):
        open_chains = [chain for chain in chains if frame - 1 in chain]
        match = _match([chain[frame - 1] for chain in open_chains], pieces, rules.min_iou)
        for place, piece in enumerate(pieces):
            if place in match:
                open_chains[match[place]][frame] = piece
            else:
                chains.append({frame: piece})
    return [
        [
            chain[frame] if frame in chain else None if region.any() else region
            for frame, region in enumerate(regions)
        ]
        for chain in chains
    ]


def _match(
    old: Sequence[np.ndarray], new: Sequence[np.ndarray], min_iou: float
) -> Mapping[int, int]:
    """{place in new: place in old} of the pairs that overlap enough."""
    if not old or not new:
        return {}
    overlap = np.array([[jaccard(a, b) for b in old] for a in new])
    pairs = zip(*linear_sum_assignment(-overlap), strict=True)
    return {int(i): int(j) for i, j in pairs if overlap[i, j] >= min_iou}
