"""Where to click, and in which parts of a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from sam2s.errors import InputError

WHOLE = 512 / 1500
"""Overlap of crops as a share of the picture's shorter side (SAM's)."""


@dataclass(frozen=True, slots=True, eq=False)
class EverythingConfig:
    """How to look for everything.

    ``points_per_side``: clicks along each side of the picture, or ``point_grids``: (P, 2) places in
    [0, 1] for each layer of crops; ``points_per_batch``: clicks decoded at a time. ``min_iou``,
    ``min_stability``: predicted IoU, and share of a mask that stays when its cut is moved up
    instead of down by ``stability_offset`` logits; ``threshold``: logits above it are the mask.
    ``multimask``: three candidates a click, else one. ``refine``: each mask is decoded once more
    with itself as a prompt. ``max_overlap``: of two that overlap by more, as boxes or as masks
    (``overlap_of``), the better one stays. ``crop_layers``: layer k looks at 4^k overlapping crops,
    with ``crop_points_factor``^k times fewer clicks a side; ``crop_overlap``: as a share of the
    shorter side; ``max_crop_overlap``: as ``max_overlap``, between crops. ``min_region``: holes and
    specks of fewer pixels are filled and removed.
    """

    points_per_side: int | None = 32
    points_per_batch: int = 64
    min_iou: float = 0.8
    min_stability: float = 0.95
    stability_offset: float = 1.0
    threshold: float = 0.0
    multimask: bool = True
    refine: bool = False
    max_overlap: float = 0.7
    overlap_of: Literal["box", "mask"] = "box"
    crop_layers: int = 0
    crop_points_factor: int = 1
    crop_overlap: float = WHOLE
    max_crop_overlap: float = 0.7
    min_region: float = 0
    point_grids: tuple[np.ndarray, ...] | None = None

    def __post_init__(self) -> None:
        if (self.points_per_side is None) == (self.point_grids is None):
            raise InputError("points_per_side and point_grids: give one of them, and only one")
        for name, low in (
            ("points_per_side", 1),
            ("points_per_batch", 1),
            ("crop_layers", 0),
            ("crop_points_factor", 1),
        ):
            value = getattr(self, name)
            if value is not None and value < low:
                raise InputError(f"{name}: expected {low} or more, got {value}")
        if self.point_grids is not None:
            if len(self.point_grids) <= self.crop_layers:
                raise InputError(
                    f"point_grids: {len(self.point_grids)} given, but crop_layers="
                    f"{self.crop_layers} needs {self.crop_layers + 1}"
                )
            for grid in self.point_grids:
                places = grid.ndim == 2 and grid.shape[1] == 2
                if not places or not ((grid >= 0) & (grid <= 1)).all():
                    raise InputError("point_grids: expected arrays (P, 2) of numbers in [0, 1]")

    def points(self, layer: int) -> np.ndarray:
        """(P, 2) places (x, y) in [0, 1] to click in each crop of a layer."""
        if self.point_grids is not None:
            return self.point_grids[layer]
        assert self.points_per_side is not None, "checked above"
        side = max(1, int(self.points_per_side / self.crop_points_factor**layer))
        places = (np.arange(side) + 0.5) / side
        return np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of a picture: pixels, ends exclusive; ``layer`` 0 is the whole."""

    left: int
    top: int
    right: int
    bottom: int
    layer: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left


def crops_of(size: tuple[int, int], config: EverythingConfig) -> list[Crop]:
    """The picture of ``size`` (height, width), and its crops in layers: 2 x 2 of them, 4 x 4, ...
    that overlap."""
    height, width = size
    crops = [Crop(0, 0, width, height, 0)]
    for layer in range(1, config.crop_layers + 1):
        count = 2**layer
        overlap = int(config.crop_overlap * min(size) * 2 / count)
        tall, wide = (math.ceil((side + overlap * (count - 1)) / count) for side in size)
        for row, column in product(range(count), repeat=2):
            top, left = row * (tall - overlap), column * (wide - overlap)
            right, bottom = min(left + wide, width), min(top + tall, height)
            crops.append(Crop(left, top, right, bottom, layer))
    return crops
