"""A still as a scene that a camera can move over: the picture, what lies beyond its border, and its
masks.

Beyond the border the picture is mirrored, ever more distorted with distance so that it looks like
more of the same tissue rather than like a mirror. An object that reaches the border goes on there
and stays labelled; its twins, and those of all others, are filled from around them, or else
unlabelled twins would come into view. A dark surround (the round or cut-off picture of an
endoscope) belongs to the screen, not to the scene: it is filled as well, and laid over every frame
where it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sam2s.clips.stills.warp import sample_planes
from sam2s.opencv import cv2

DETAIL = 1.25
"""Pixels of the scene per pixel of the frames: a little zoom costs no sharpness."""
RIM = 0.01
"""Share of a still that is cut off on every side: many have a dark or torn line there."""
MARGIN = 0.5
"""How far the scene goes on beyond the still, in shares of its side; still further out it is
mirrored once more."""
DISTORTION = 0.15
"""How far the mirrored picture is displaced, in shares of the side, where it is most distorted."""
DARK = 34
"""Grey value below which a pixel can belong to the dark surround of an endoscopic picture."""
SURROUND = (0.01, 0.6)
"""Share of the picture that the dark corners take up to count as surround."""
GRAIN_RADIUS = 0.02
"""Radius, in shares of the side, of what counts as texture when a filled place is given some."""
COARSE = 64
"""Side of the grid on which the distortion beyond the border is computed before it is enlarged."""


@dataclass(frozen=True, eq=False)
class ExtendedStill:
    """``picture`` (P, P, 3) and ``masks`` (P, P, O) uint8, with the still of ``side`` pixels in the
    middle. A mask is where at least 128 of 255 are: its border is soft, so that it is resampled as
    the picture is. ``surround`` (side, side) uint8, 255 where the screen is dark, or None."""

    picture: np.ndarray
    masks: np.ndarray
    side: int
    surround: np.ndarray | None

    @property
    def margin(self) -> int:
        """Pixels around the still on every side."""
        return (len(self.picture) - self.side) // 2

    def seen(self) -> list[int]:
        """Numbers of the objects of which a pixel is left: a thin one can vanish when the still is
        resized, or lie in its rim or under its dark surround."""
        return np.flatnonzero((self.masks >= 128).any(axis=(0, 1))).tolist()

    def extent(self, number: int) -> np.ndarray:
        """(2, 2): least and largest x, y of object ``number``, in shares of the still's side; of
        the whole still where nothing is left of the object."""
        plane = self.masks[..., number] >= 128
        if not plane.any():
            return np.array([[0.0, 0.0], [1.0, 1.0]])
        lines = [np.flatnonzero(plane.any(axis=axis)) for axis in (0, 1)]
        ends = np.array([(line[0], line[-1] + 1) for line in lines]).T
        return (ends - self.margin) / self.side

    def render(self, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The scene seen at ``where`` (S, S, 2), see `warp.view_map`: picture (S, S, 3) uint8,
        masks (S, S, O) uint8 between 0 and 255."""
        # From shares of the still to indices of the scene, which lie half a pixel before positions.
        pixels = where * np.float32(self.side) + np.float32(self.margin - 0.5)
        return sample_planes(self.picture, pixels, mirror=True), sample_planes(
            self.masks, pixels, mirror=False
        )


def extend_still(
    image: np.ndarray, masks: np.ndarray, size: int, rng: np.random.Generator
) -> ExtendedStill:
    """The scene of ``image`` (H, W, 3) uint8 with ``masks`` (O, H, W) bool, one or more and none of
    them empty, for frames of ``size`` pixels a side."""
    side = round(size * DETAIL)
    picture, planes = (
        square(image, side),
        np.stack([square_mask(mask, side) for mask in masks], axis=-1),
    )
    surround = _find_surround(picture)
    if surround is not None:
        planes[surround > 0] = 0
        picture = fill(picture, _wider(surround) > 0)
    return ExtendedStill(*_continue(picture, planes, rng), side, surround)


def _continue(
    picture: np.ndarray, planes: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Picture (R, R, 3) and masks (R, R, O) with what lies beyond the border."""
    side = len(picture)
    beyond = _beyond(side, rng)
    outer, masks = (sample_planes(part, beyond, mirror=True) for part in (picture, planes))
    middle = slice((len(outer) - side) // 2, (len(outer) - side) // 2 + side)
    masks[middle, middle] = planes
    # A mirrored object that hangs together with the one in the still is the same object going on; a
    # part of the mask that does not touch the still is a twin, and is painted over.
    twins = np.zeros(outer.shape[:2], np.uint8)
    for number in range(masks.shape[-1]):
        count, parts = cv2.connectedComponents(
            (masks[..., number] > 0).astype(np.uint8), connectivity=4
        )
        apart = np.ones(count, bool)
        apart[parts[middle, middle]] = False
        apart[0] = False
        twin = apart[parts]
        masks[twin, number] = 0
        twins[twin] = 255
    if twins.any():
        twins = _wider(twins)
        x, y, width, height = cv2.boundingRect(twins)
        part = (slice(y, y + height), slice(x, x + width))
        filled = sample_planes(
            fill(picture, _wider(planes.max(axis=-1)) > 0), beyond[part], mirror=True
        )
        outer[part] = np.where(twins[part][..., None] > 0, filled, outer[part])
    outer[middle, middle] = picture
    return outer, masks


def _beyond(side: int, rng: np.random.Generator) -> np.ndarray:
    """(P, P, 2) float32: which pixel of the still, before mirroring, is seen at each pixel of the
    scene."""
    margin = round(side * MARGIN)
    whole = side + 2 * margin
    # On a coarse grid over the scene, in shares of the still's side: 0 to 1 is the still itself.
    line = ((np.arange(COARSE) + 0.5) / COARSE * whole - margin) / side
    outside = np.maximum(0.0, np.abs(line - 0.5) - 0.5)
    distance = np.hypot(outside[None, :], outside[:, None])
    # None at the border, where picture and mirror image must fit; all of it a third further out.
    strength = DISTORTION * np.clip((distance - 0.04) / 0.3, 0, 1)
    x, y = np.meshgrid(line, line)
    waves = np.zeros((COARSE, COARSE, 2))
    for fineness in (1.0, 1.7, 2.9):
        heading, phase = rng.uniform(0, 2 * math.pi, 2), rng.uniform(0, 2 * math.pi, 2)
        angles = (
            2
            * math.pi
            * fineness
            * (x[..., None] * np.cos(heading) + y[..., None] * np.sin(heading))
            + phase
        )
        waves += np.sin(angles) / (2 * fineness)
    moved = (side * strength[..., None] * waves).astype(np.float32)
    pixels = cv2.resize(moved, (whole, whole), interpolation=cv2.INTER_LINEAR)
    at = np.arange(whole, dtype=np.float32) - margin
    pixels[..., 0] += at[None, :]
    pixels[..., 1] += at[:, None]
    return np.asarray(pixels)


def _wider(plane: np.ndarray) -> np.ndarray:
    """``plane`` (H, W) uint8 grown by two pixels."""
    return np.asarray(cv2.dilate(plane, np.ones((5, 5), np.uint8)))


def square(image: np.ndarray, side: int) -> np.ndarray:
    """``image`` (H, W, 3) uint8 without its rim, squeezed to (side, side, 3) as the model sees
    pictures."""
    return _squeeze(image, side)


def square_mask(mask: np.ndarray, side: int) -> np.ndarray:
    """``mask`` (H, W) bool treated the same way: (side, side) uint8, 255 inside, less where a pixel
    lies on the border."""
    return _squeeze(mask.astype(np.uint8) * 255, side)


def _squeeze(picture: np.ndarray, side: int) -> np.ndarray:
    height, width = picture.shape[:2]
    down, across = int(RIM * height), int(RIM * width)
    inner = picture[down : height - down, across : width - across]
    way = cv2.INTER_AREA if min(inner.shape[:2]) > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inner, (side, side), interpolation=way))


def _find_surround(picture: np.ndarray) -> np.ndarray | None:
    """The dark regions around the picture's corners, if at least three are dark and they are not
    most of it."""
    side = len(picture)
    dark = (cv2.blur(picture, (5, 5)).max(axis=-1) < DARK).astype(np.uint8)
    if dark.mean() < SURROUND[0]:
        return None
    # Its edge is smooth: thin tongues of shadow that reach into the picture are cut off, frayed
    # parts evened out.
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * (side // 40) + 1,) * 2)
    dark = cv2.morphologyEx(cv2.morphologyEx(dark, cv2.MORPH_CLOSE, round_), cv2.MORPH_OPEN, round_)
    _, labels = cv2.connectedComponents(dark, connectivity=4)
    corners = labels[[2, 2, -3, -3], [2, -3, 2, -3]]  # two pixels in: the very edge may be torn
    if (corners > 0).sum() < 3:
        return None
    around = np.zeros(labels.max() + 1, bool)
    around[corners[corners > 0]] = True
    surround = around[labels]
    if not SURROUND[0] < surround.mean() < SURROUND[1]:
        return None
    return _wider(_wider(surround.astype(np.uint8) * 255))


def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """``picture`` (R, R, 3) uint8 with ``hole`` (R, R) bool filled smoothly from around it, and
    given texture from the picture's mirror image. Where nothing is left to fill from, the picture
    comes back unchanged."""
    if hole.all():
        return picture
    known = np.where(hole, np.float32(0), np.float32(1))
    smooth = _spread(cv2.merge([*cv2.split(picture * known[..., None]), known]))
    blurred = cv2.blur(picture, (2 * round(GRAIN_RADIUS * len(picture)) + 1,) * 2)
    # In texels next to the hole what was there still shows; they are few, and lie elsewhere in the
    # mirror image.
    texture = cv2.subtract(picture, blurred, dtype=cv2.CV_32F)
    texture[hole] = 0
    filled = picture.copy()
    filled[hole] = np.clip(smooth[hole] + texture[::-1, ::-1][hole], 0, 255).astype(np.uint8)
    return filled


def _spread(known: np.ndarray) -> np.ndarray:
    """Colours spread from where they are known to where not, as averages of ever larger
    surroundings (pull-push).

    ``known`` (R, R, 4) float32: colours times weight, and the weight, 1 = known. The answer: (R, R,
    3) float32.
    """
    side = len(known)
    colour, weight = known[..., :3], known[..., 3:]
    if side <= 2:
        mean = colour.sum((0, 1)) / max(float(weight.sum()), 1e-6)
        return np.broadcast_to(mean, colour.shape).astype(np.float32)
    half = (side + 1) // 2
    # Pull: at half the size a pixel knows what any of its four knew. Push: that, enlarged, fills
    # what this level does not know.
    coarse = _spread(cv2.resize(known, (half, half), interpolation=cv2.INTER_AREA))
    above = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR)
    above *= 1 - weight
    above += colour
    return np.asarray(above)


def extend(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``picture`` (R, R, 3) uint8 with the colours of ``known`` (R, R) bool continued a few pixels
    beyond it."""
    inside = known.astype(np.float32)
    size = (9, 9)
    # Mean of the known pixels around: the blurred colours over the blurred weight.
    weight = cv2.blur(inside, size)
    around = cv2.blur(picture * inside[..., None], size) / np.maximum(weight, 1e-3)[..., None]
    rim = ~known & (weight > 1e-3)
    extended = picture.copy()
    extended[rim] = np.clip(around[rim], 0, 255).astype(np.uint8)
    return extended
