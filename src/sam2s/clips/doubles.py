"""Doubles: an object's own cut-out pasted elsewhere in the same clip, so that what it looks like is
not enough to tell which one is meant.

A model that has seen each thing once a picture answers by colour, wherever that is. Here the
object has a double of the same pixels, mirrored, moved, relit; either of the two is tracked, and
the double may leave the view while the object stays. A double moves as its object does, mirrored,
and drifts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam2s.clips.stills.warp import Episode, Path, draw_episode, draw_path
from sam2s.opencv import cv2

AREAS = (0.002, 0.2)
"""Least and largest share of the picture of an object that gets a double."""
TRIES = 12
"""Places tried before the clip does without a double."""
SHOWN = 0.6
"""Least share of the double that is in view on the first frame."""
APART = 0.25
"""Largest share of the double that lies on its object on the first frame."""
WHOLE = 0.5
"""Share of its area on the first frame below which an object is too hidden to be copied from."""
EDGE = 0.8
"""Standard deviation, in pixels, of the pasted edge."""
PERIODS = (10.0, 60.0)
"""Ticks that the double's drift takes for a turn."""


@dataclass(frozen=True)
class DoubleConfig:
    """``share``: of the clips that get a double; ``leaving``: of these, how many in which the
    double leaves the view for a while, or, in the share ``gone`` of these, for good; ``ahead``: in
    how many it passes in front of its object.
    ``scale``, ``gain``: ranges of size and brightness against the object's; ``tint``: largest
    change of a colour; ``motion``: drift to either side, in shares of the picture's shorter
    side."""

    share: float = 0.0
    leaving: float = 0.4
    gone: float = 0.0
    ahead: float = 0.3
    scale: tuple[float, float] = (0.8, 1.25)
    gain: tuple[float, float] = (0.8, 1.25)
    tint: float = 0.05
    motion: float = 0.15


@dataclass(frozen=True, eq=False)
class _Plan:
    """How one double is laid. ``turn`` (2, 2) and ``shift`` (2,): a place in the object's frame ->
    its place in the double's, before the drift; ``gains`` (3,)."""

    turn: np.ndarray
    shift: np.ndarray
    drift: Path
    way: np.ndarray
    episode: Episode | None
    gains: np.ndarray
    ahead: bool

    def matrix(self, time: float, first: float) -> np.ndarray:
        """(2, 3): pixel of the object's frame -> pixel of the double's."""
        moved = self.drift.at(time) - self.drift.at(first)
        away = 0.0 if self.episode is None else self.episode.at(time)
        return np.column_stack([self.turn, self.shift + moved + away * self.way])


def add_double(
    images: np.ndarray,
    masks: np.ndarray,
    times: Sequence[int],
    config: DoubleConfig,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, int] | None:
    """A clip with a double of one of its objects.

    ``images`` (T, H, W, 3) uint8, ``masks`` (T, O, H, W) bool, ``times``: T clock positions. The
    answer: images, masks (T, O + 1, H, W) with the double last, and which object it doubles. None
    where no object has the size for it, or no place was found.
    """
    share = masks[0].mean(axis=(1, 2))
    able = np.flatnonzero((share >= AREAS[0]) & (share <= AREAS[1]))
    if len(able) == 0:
        return None
    number = int(rng.choice(able))
    plan = _plan(masks[0, number], times, config, rng)
    if plan is None:
        return None
    pictures, planes = [], []
    source, mask = images[0], masks[0, number]
    for image, seen, time in zip(images, masks, times, strict=True):
        # While the object is (mostly) hidden, the double keeps the look that it had before.
        if seen[number].sum() >= WHOLE * masks[0, number].sum():
            source, mask = image, seen[number]
        picture, plane = _paste(image, seen, number, (source, mask), plan, (time, times[0]))
        pictures.append(picture)
        planes.append(plane)
    return np.stack(pictures), np.stack(planes), number


def _plan(
    mask: np.ndarray, times: Sequence[int], config: DoubleConfig, rng: np.random.Generator
) -> _Plan | None:
    """A place for the double of ``mask`` (H, W) bool, and how it moves."""
    height, width = mask.shape
    size = np.array([width, height], float)
    motion = config.motion * min(height, width)
    episode = None
    if len(times) > 1 and rng.random() < config.leaving:
        episode = draw_episode(tuple(times), rng, config.gone)
    heading = rng.uniform(0, 2 * math.pi)
    gains = rng.uniform(*config.gain) * (1 + rng.uniform(-config.tint, config.tint, 3))
    drift = draw_path((motion / 2, motion / 2), PERIODS, rng)
    ahead = bool(rng.random() < config.ahead)
    for _ in range(TRIES):
        turn, shift = _place(mask, size, config, rng)
        laid = cv2.warpAffine(
            mask.astype(np.uint8), np.column_stack([turn, shift]), mask.shape[::-1]
        )
        area = mask.sum() * abs(np.linalg.det(turn))
        if laid.sum() >= SHOWN * area and (laid & mask).sum() <= APART * area:
            # Far enough to be out of view from wherever it lies.
            way = np.array([math.cos(heading), math.sin(heading)]) * 1.5 * size.max()
            return _Plan(turn, shift, drift, way, episode, gains.astype(np.float32), ahead)
    return None


def _place(
    mask: np.ndarray, size: np.ndarray, config: DoubleConfig, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Turn (2, 2) and shift (2,) of one try. An object that reaches the border is mirrored with the
    whole picture, so that its cut end stays at a border; any other is mirrored or turned in place
    and put anywhere."""
    edges = (mask[:, 0], mask[:, -1], mask[0], mask[-1])
    if any(edge.any() for edge in edges):
        flip = [(-1, 1), (1, -1), (-1, -1)][int(rng.integers(3))]
        turn = np.diag(np.array(flip, float))
        middle = size / 2
        slide = rng.uniform(-0.15, 0.15, 2) * size
        return turn, middle - turn @ middle + slide  # turned about the picture's middle
    where = np.argwhere(mask)[:, ::-1]  # (row, column) to (x, y)
    angle, scale = rng.uniform(-0.6, 0.6), math.exp(rng.uniform(*np.log(config.scale)))
    turn = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    if rng.random() < 0.5:
        turn = turn @ np.diag([-1.0, 1.0])
    middle = (where.min(axis=0) + where.max(axis=0)) / 2
    return turn, rng.uniform(0.1, 0.9, 2) * size - turn @ middle


def _paste(
    image: np.ndarray,
    seen: np.ndarray,
    number: int,
    cut: tuple[np.ndarray, np.ndarray],
    plan: _Plan,
    clock: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """One frame with its double: picture (H, W, 3), masks (O + 1, H, W). ``cut``: picture and mask
    that the double is copied from; ``clock``: time now and on the first frame."""
    source, mask = cut
    height, width = mask.shape
    matrix = plan.matrix(*clock)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), EDGE)
    alpha = cv2.warpAffine(soft, matrix, (width, height))
    cover = cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, (width, height)) >= 128
    hidden = np.zeros_like(cover) if plan.ahead else seen[number]
    cover &= ~hidden
    alpha = np.where(hidden, 0, alpha)[..., None]
    colours = cv2.warpAffine(source, matrix, (width, height)) * plan.gains
    picture = np.clip(image * (1 - alpha) + colours * alpha, 0, 255).astype(np.uint8)
    return picture, np.concatenate([seen & ~cover, cover[None]])
