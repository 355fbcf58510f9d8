"""Things pasted over a still: instruments and other objects cut out of labelled pictures, and folds
of tissue.

A cut-out keeps its size in the picture it comes from. One that reaches the border of that picture
(a shaft) goes on beyond it, so its cut end must stay out of sight: it slides in and out through
that border and turns about a point outside, as an instrument does in its trocar. One that lies free
is put anywhere and drifts, or, being tissue, sticks to the scene and moves with it. Coordinates as
in `warp`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sam2s.clips.stills.extended import extend, square, square_mask
from sam2s.clips.stills.warp import Bend, Episode, Path, View, draw_path
from sam2s.masklets.catalogue import ObjectInfo
from sam2s.opencv import cv2

Stay = Literal["stays", "leaves", "visits"]
"""``leaves``: out of view during the episode; ``visits``: in view only then."""

SOFT = 0.9
"""Standard deviation, in scene pixels, of a cut-out's edge."""
TOUCH = 0.01
"""Share of a side along which an object must run to count as reaching it."""
HIDDEN = 0.03
"""Least distance, in shares of the side, of a shaft's cut end from the view."""
SIDES = np.array([(-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)])
"""Outward normals of the left, right, upper and lower border."""


@dataclass(frozen=True, eq=False)
class CutOut:
    """``rgba`` (R, R, 4) uint8, colours multiplied by alpha, in the frame of the picture it comes
    from; ``outward`` (2,): the direction in which it leaves, zero for one that lies free; ``pivot``
    (2,): the middle of its cut end, or of all of it; ``reach``: how far it must slide to be gone;
    ``info``: what it is, None for what is never tracked."""

    rgba: np.ndarray
    outward: np.ndarray
    pivot: np.ndarray
    reach: float
    info: ObjectInfo | None

    @property
    def free(self) -> bool:
        """Whether none of it is cut off by the border of its picture."""
        return not self.outward.any()

    @property
    def sticks(self) -> bool:
        """Whether it is part of the scene rather than in front of it."""
        return self.free and self.info is not None and self.info.kind == "tissue"


def cut_out(
    image: np.ndarray,
    mask: np.ndarray,
    info: ObjectInfo | None,
    side: int,
    rng: np.random.Generator,
) -> CutOut | None:
    """The object ``mask`` (H, W) bool of ``image`` (H, W, 3), turned by quarters and mirrored at
    random; None when it spans the picture from one side to the other, since both its ends would be
    cut."""
    picture, plane = square(image, side), square_mask(mask, side)
    turns, mirrored = int(rng.integers(4)), bool(rng.random() < 0.5)
    picture, plane = (np.rot90(p[:, ::-1] if mirrored else p, turns) for p in (picture, plane))
    # In the order of SIDES: left, right, upper, lower.
    edges = [plane[:, 0], plane[:, -1], plane[0], plane[-1]]
    touched = np.array([(edge >= 128).mean() > TOUCH for edge in edges])
    inside = np.argwhere(plane >= 128)
    if not len(inside) or touched[:2].all() or touched[2:].all():
        return None
    # Colours are continued over the edge, or the soft edge would carry a rim of the old background.
    core = cv2.erode(plane, np.ones((3, 3), np.uint8), borderValue=255) == 255
    colours = np.ascontiguousarray(picture)
    colours = extend(colours, core) if core.any() else colours
    alpha = cv2.GaussianBlur(
        np.ascontiguousarray(plane), (0, 0), SOFT, borderType=cv2.BORDER_REPLICATE
    )
    where = (inside[:, ::-1] + 0.5) / side
    outward, pivot, reach = ends(where, touched)
    return CutOut(premultiplied(colours, alpha), outward, pivot, reach, info)


def premultiplied(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """(R, R, 4) uint8."""
    scaled = cv2.multiply(colours, cv2.merge([alpha] * 3), scale=1 / 255)
    return np.dstack([scaled, alpha])


def ends(where: np.ndarray, touched: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Direction out, pivot and reach of an object that covers the positions ``where`` (N, 2)."""
    if not touched.any():
        middle = (where.min(axis=0) + where.max(axis=0)) / 2
        return np.zeros(2), middle, float(np.linalg.norm(where - middle, axis=1).max())
    outward = SIDES[touched].sum(axis=0)
    outward = outward / np.linalg.norm(outward)
    # The cut end: whatever lies within a fiftieth of the side from a border that is touched.
    border = np.abs((where - 0.5) @ SIDES[touched].T - 0.5).min(axis=1) < 0.02
    along = (where - where[border].mean(axis=0)) @ outward
    return outward, where[border].mean(axis=0), float(-along.min() + max(0.0, along.max()))


def fold(image: np.ndarray, side: int, rng: np.random.Generator) -> CutOut:
    """A wavy piece of ``image`` (H, W, 3) that hangs in from a side: tissue that gets in the way,
    never tracked."""
    line = (np.arange(side) + 0.5) / side
    depth = rng.uniform(0.15, 0.5) + sum(
        rng.uniform(0, 0.08)
        * np.sin(2 * math.pi * rng.uniform(0.3, 1.5) * k * line + rng.uniform(0, 2 * math.pi))
        for k in range(1, 4)
    )
    middle, width = rng.uniform(0.2, 0.8), rng.uniform(0.15, 0.5)
    depth = depth * np.sqrt(np.clip(1 - ((line - middle) / width) ** 2, 0, 1))
    mask = line[:, None] < depth[None, :]
    if not mask.any():
        mask[:2, :] = True
    picture = square(image, side)
    alpha = cv2.GaussianBlur(
        mask.astype(np.uint8) * 255, (0, 0), 2 * SOFT, borderType=cv2.BORDER_REPLICATE
    )
    turns = int(rng.integers(4))
    alpha, mask = (np.ascontiguousarray(np.rot90(p, turns)) for p in (alpha, mask))
    where = (np.argwhere(mask)[:, ::-1] + 0.5) / side
    touched = np.zeros(4, bool)
    touched[(2, 0, 3, 1)[turns]] = True  # from the upper side counter-clockwise, by quarters
    outward, pivot, reach = ends(where, touched)
    return CutOut(premultiplied(picture, alpha), outward, pivot, reach, None)


@dataclass(frozen=True, eq=False)
class Layer:
    """A cut-out on its way. ``turn``, ``scale``: how it is placed about its pivot; ``place``: where
    the pivot lies; ``drift``: offset along ``exit``, across it, and a swing in radians; ``far``:
    how far along ``exit`` it is gone."""

    piece: CutOut
    turn: float
    scale: float
    place: np.ndarray
    exit: np.ndarray
    far: float
    drift: Path
    stay: Stay
    episode: Episode | None
    gain: float

    def matrix(self, time: float) -> np.ndarray:
        """(2, 3): position in the cut-out's frame -> position in the view, or in the scene where it
        sticks to that."""
        along, across, swing = self.drift.at(time)
        away = 0.0 if self.episode is None else self.episode.at(time)
        gone = {"stays": 0.0, "leaves": away, "visits": 1.0 - away}[self.stay]
        angle = self.turn + swing
        turn = self.scale * np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        sideways = np.array([-self.exit[1], self.exit[0]])
        place = self.place + self.exit * (along + gone * self.far) + sideways * across
        return np.column_stack([turn, place - turn @ self.piece.pivot])

    def render(self, time: float, size: int, view: View, bend: Bend) -> np.ndarray:
        """The cut-out as seen at ``time``: (size, size, 4) uint8, colours multiplied by alpha."""
        matrix = self.matrix(time)
        if self.piece.sticks:
            # `view_map` looks up the bent place, so what lies at a place is seen where the bend is
            # undone.
            matrix[:, 2] -= bend.at(self.place, time)
            turn = np.linalg.inv(view.matrix()[:, :2])
            matrix = turn @ (matrix - np.column_stack([np.zeros((2, 2)), view.matrix()[:, 2]]))
        side = len(self.piece.rgba)
        # From pixel indices to pixel indices: positions lie half a pixel further than indices.
        turn = matrix[:, :2] * (size / side)
        shift = size * matrix[:, 2] + turn @ np.array([0.5, 0.5]) - 0.5
        return np.asarray(
            cv2.warpAffine(self.piece.rgba, np.column_stack([turn, shift]), (size, size))
        )


def place(
    piece: CutOut, stay: Stay, episode: Episode | None, motion: float, periods: tuple[float, float],
    rng: np.random.Generator,
) -> Layer:  # fmt: skip
    """Draw a way for ``piece``; ``motion`` is how far it drifts to either side, in shares of the
    side."""
    scale = math.exp(rng.uniform(math.log(0.75), math.log(1.25)))
    gain = rng.uniform(0.8, 1.2)
    if piece.sticks:
        still = draw_path((0.0, 0.0, 0.0), periods, rng)
        spot, turn = rng.uniform(0.15, 0.85, 2), rng.uniform(0, 2 * math.pi)
        return Layer(
            piece, turn, scale, spot, np.array([1.0, 0.0]), 0.0, still, "stays", None, gain
        )
    if piece.free:
        spot = rng.uniform(0.15, 0.85, 2)
        heading = rng.uniform(0, 2 * math.pi)
        exit_ = np.array([math.cos(heading), math.sin(heading)])
        far = 1.5 + scale * piece.reach - float((spot - 0.5) @ exit_)
        drift = draw_path((motion, motion, 0.3), periods, rng)
        turn = rng.uniform(0, 2 * math.pi)
        return Layer(piece, turn, scale, spot, exit_, min(far, 1.2), drift, stay, episode, gain)
    sideways = np.array([-piece.outward[1], piece.outward[0]])
    straight = bool((np.abs(piece.outward) == 1).any())
    shift = rng.uniform(-0.25, 0.25) * sideways if straight else np.zeros(2)
    drift = draw_path((motion / 2, motion if straight else motion / 3, 0.08), periods, rng)
    deep = piece.pivot + piece.outward * (motion / 2 + HIDDEN) + shift
    far = scale * piece.reach + 0.1
    return Layer(piece, 0.0, scale, deep, piece.outward, far, drift, stay, episode, gain)


def lay_over(
    picture: np.ndarray, masks: list[np.ndarray], patch: np.ndarray, gain: float, shadow: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lay ``patch`` (S, S, 4) uint8 over ``picture`` (S, S, 3) float32 and cut ``masks`` (each (S,
    S) bool) where it hides them, in place; ``shadow``: how dark it makes what lies next to it, 0 to
    1. The new picture and the patch's own mask (S, S) bool."""
    alpha = patch[..., 3]
    if not alpha.any():
        return picture, np.zeros(alpha.shape, bool)
    cover = alpha >= 128
    for mask in masks:
        mask &= ~cover
    opacity = alpha * np.float32(1 / 255)
    keep = (1 - shadow * _shadow(alpha)) * (1 - opacity)
    picture = cv2.multiply(picture, cv2.merge([keep] * 3))
    return cv2.scaleAdd(patch[..., :3].astype(np.float32), gain, picture), cover


def _shadow(alpha: np.ndarray) -> np.ndarray:
    """(S, S) float32 in [0, 1]: a soft shadow, a little below and beside what throws it."""
    size = len(alpha)
    # An eighth of the size: the shadow is soft, and moved by 0.6 and 0.9 of these pixels.
    small = cv2.resize(alpha, (size // 8, size // 8), interpolation=cv2.INTER_AREA).astype(
        np.float32
    )
    small = cv2.GaussianBlur(small, (0, 0), 1.2)
    step = np.array([[1, 0, 0.6], [0, 1, 0.9]], np.float32)
    small = cv2.warpAffine(small, step, small.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR)) * np.float32(
        1 / 255
    )
