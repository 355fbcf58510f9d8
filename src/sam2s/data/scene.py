"""A still as a scene that a camera can move over: the picture, what lies beyond its border, and its masks.

Beyond the border the picture is mirrored, but without the labelled objects: their places are first filled from around
them, or else unlabelled twins would come into view. A dark surround (the round or cut-off picture of an endoscope)
belongs to the screen, not to the scene: it is filled as well, and laid over every frame where it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sam2s.data.opencv import cv2
from sam2s.data.warp import sample_planes

DETAIL = 1.25
"""Pixels of the scene per pixel of the frames: a little zoom costs no sharpness."""
DARK = 22
"""Grey value below which a pixel can belong to the dark surround of an endoscopic picture."""
SURROUND = (0.01, 0.6)
"""Share of the picture that a dark region at its border takes up to count as surround."""
GRAIN_RADIUS = 0.02
"""Radius, in shares of the side, of what counts as texture when a filled place is given some."""


@dataclass(frozen=True, eq=False)
class Scene:
    """``picture`` (P, P, 3) uint8 with the still of ``side`` pixels in its middle; ``masks`` (side, side, O) uint8, 0
    or 255; ``surround`` (side, side) uint8, 255 where the screen is dark, or None."""

    picture: np.ndarray
    side: int
    masks: np.ndarray
    surround: np.ndarray | None

    @property
    def plain(self) -> np.ndarray:
        """(side, side, 3) uint8: the still itself, its surround filled."""
        margin = (len(self.picture) - self.side) // 2
        return self.picture[margin : margin + self.side, margin : margin + self.side]

    def render(self, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The scene seen at ``where`` (S, S, 2), see `warp.view_map`: picture (S, S, 3) uint8, masks (S, S, O) uint8
        between 0 and 255."""
        pixels = where * np.float32(self.side) - np.float32(0.5)
        margin = np.float32((len(self.picture) - self.side) // 2)
        picture = sample_planes(self.picture, pixels + margin, mirror=True)
        if not self.masks.shape[-1]:
            return picture, np.zeros((*pixels.shape[:2], 0), np.uint8)
        return picture, sample_planes(self.masks, pixels, mirror=False)


def build_scene(image: np.ndarray, masks: np.ndarray, size: int) -> Scene:
    """The scene of ``image`` (H, W, 3) uint8 with ``masks`` (O, H, W) bool, for frames of ``size`` pixels a side."""
    side = round(size * DETAIL)
    picture, planes = square(image, side), np.stack([square_mask(mask, side) for mask in masks], axis=-1)
    surround = _find_surround(picture)
    if surround is not None:
        planes[surround > 0] = 0
        picture = fill(picture, cv2.dilate(surround, np.ones((5, 5), np.uint8)) > 0)
    margin = side // 2
    objects = cv2.dilate(planes.max(axis=-1), np.ones((5, 5), np.uint8)) > 0
    beyond = fill(picture, objects) if objects.any() else picture
    padded = cv2.copyMakeBorder(beyond, margin, margin, margin, margin, cv2.BORDER_REFLECT_101)
    padded[margin : margin + side, margin : margin + side] = picture
    return Scene(padded, side, planes, surround)


def square(image: np.ndarray, side: int) -> np.ndarray:
    """``image`` (H, W, 3) uint8 squeezed to (side, side, 3), as the model sees pictures."""
    smaller = min(image.shape[:2]) > side
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR))


def square_mask(mask: np.ndarray, side: int) -> np.ndarray:
    """``mask`` (H, W) bool squeezed likewise: (side, side) uint8, 0 or 255."""
    smaller = min(mask.shape) > side
    grey = cv2.resize(
        mask.astype(np.uint8) * 255, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
    return np.where(grey >= 128, np.uint8(255), np.uint8(0))


def _find_surround(picture: np.ndarray) -> np.ndarray | None:
    """The dark regions that touch the picture's border, if they are large enough and not most of it."""
    dark = (picture.max(axis=-1) < DARK).astype(np.uint8)
    if not SURROUND[0] < dark.mean():
        return None
    _, labels = cv2.connectedComponents(dark)
    edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    surround = np.isin(labels, edge[edge > 0])
    return surround.astype(np.uint8) * 255 if SURROUND[0] < surround.mean() < SURROUND[1] else None


def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """``picture`` (R, R, 3) uint8 with ``hole`` (R, R) bool filled smoothly from around it, and given texture from the
    picture's mirror image. A picture that is all hole comes back as it is."""
    if hole.all():
        return picture
    known = (~hole).astype(np.float32)[..., None]
    smooth = _spread(picture * known, known)
    radius = GRAIN_RADIUS * len(picture)
    blurred = cv2.blur(smooth * hole[..., None] + picture * known, (2 * round(radius) + 1,) * 2)
    texture = ((picture - blurred) * known)[::-1, ::-1]
    return np.where(hole[..., None], np.clip(smooth + texture, 0, 255).astype(np.uint8), picture)


def _spread(colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Colours spread from where ``weight`` is 1 to where it is 0: averages of ever larger surroundings (pull-push).

    ``colour`` (R, R, 3) float32, already multiplied by ``weight`` (R, R, 1) float32.
    """
    side = len(colour)
    if side <= 2:
        return np.broadcast_to(colour.sum((0, 1)) / max(weight.sum(), 1e-6), colour.shape).astype(np.float32)
    half = (side + 1) // 2
    joined = cv2.resize(np.concatenate([colour, weight], axis=-1), (half, half), interpolation=cv2.INTER_AREA)
    coarse = _spread(joined[..., :3], joined[..., 3:])
    above = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR)
    return colour + (1 - weight) * above
