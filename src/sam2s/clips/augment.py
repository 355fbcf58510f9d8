"""Augmentation of clips: flip, affine, colour, grey; the same geometry for picture and masks, all
frames alike.

Geometry and the change to the model's size are one resampling. Source: SAM 2's training transforms
(horizontal flip, rotation 25, shear 20, colour jitter per clip and per frame, grayscale 0.05), with
scale, blur and noise added for training from scratch, on pictures that are sharper than a camera's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.clips.doubles import DoubleConfig
from sam2s.clips.repaint import RepaintConfig
from sam2s.opencv import cv2

GREY_WEIGHTS = (0.299, 0.587, 0.114)
MIN_SIGMA = 0.3
"""In pixels; a narrower Gaussian changes nothing that can be seen."""


@dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the random changes.

    ``degrees`` and ``shear`` in degrees, symmetric; ``scale`` the zoom range (> 1 enlarges the
    picture); ``shift`` a share of the side; ``brightness``, ``contrast``, ``saturation`` relative;
    ``hue`` in turns of the colour circle; the ``frame_`` jitter is drawn separately for every
    frame, the others once a clip. ``blur``: largest standard deviation of a Gaussian, a share of
    the side; ``noise``: largest one of pixel noise, colours are in [0, 1]; each leaves half the
    clips alone. ``repaint``: part of an object in another tone (see `repaint`); ``double``: copies
    of an object elsewhere in its clip (see `doubles`)."""

    hflip: float = 0.5
    affine: float = 1.0
    degrees: float = 25.0
    shear: float = 20.0
    scale: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    brightness: float = 0.1
    contrast: float = 0.03
    saturation: float = 0.03
    hue: float = 0.0
    frame_brightness: float = 0.1
    frame_contrast: float = 0.05
    frame_saturation: float = 0.05
    gray: float = 0.05
    blur: float = 0.0
    noise: float = 0.0
    repaint: RepaintConfig = field(default_factory=RepaintConfig)
    double: DoubleConfig = field(default_factory=DoubleConfig)


@dataclass(frozen=True, eq=False)
class Augmentation:
    """One drawn change of a clip of T frames.

    ``theta`` (2, 3) float32: output position -> input position, both in [-1, 1]; ``colour`` (T, 3,
    3) float32 and ``offset`` (T, 3) act on RGB in [0, 1] as ``colour @ rgb + offset``. ``blur``:
    standard deviation, a share of the side; ``noise``: standard deviation of what ``seed`` draws.
    """

    theta: Tensor
    colour: Tensor
    offset: Tensor
    blur: float = 0.0
    noise: float = 0.0
    seed: int = 0

    @property
    def changes_something(self) -> bool:
        """Whether it is not `identity`."""
        same = torch.equal(self.theta, torch.eye(2, 3)) and not self.offset.any()
        return not same or bool((self.colour != torch.eye(3)).any() or self.blur or self.noise)


def identity(frames: int) -> Augmentation:
    """The change that changes nothing."""
    return Augmentation(torch.eye(2, 3), torch.eye(3).repeat(frames, 1, 1), torch.zeros(frames, 3))


def draw(config: AugmentConfig, frames: int, rng: np.random.Generator) -> Augmentation:
    """Draw a change for a clip of ``frames`` frames."""
    theta = _draw_theta(config, rng)
    clip = _draw_jitter(rng, config.brightness, config.contrast, config.saturation, config.hue)
    gray = rng.random() < config.gray
    colours, offsets = [], []
    for _ in range(frames):
        frame = _draw_jitter(
            rng, config.frame_brightness, config.frame_contrast, config.frame_saturation, 0.0
        )
        colour, offset = frame[0] @ clip[0], frame[0] @ clip[1] + frame[1]
        if gray:
            grey = np.tile(GREY_WEIGHTS, (3, 1))
            colour, offset = grey @ colour, grey @ offset
        colours.append(colour)
        offsets.append(offset)
    drawn = (theta, np.stack(colours), np.stack(offsets))
    moved, colour, offset = (torch.from_numpy(np.asarray(part, np.float32)) for part in drawn)
    blur, noise = (
        max(0.0, rng.uniform(-most, most)) if most else 0.0 for most in (config.blur, config.noise)
    )
    return Augmentation(
        moved, colour, offset, blur, noise, int(rng.integers(2**31)) if noise else 0
    )


def _draw_theta(config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """(2, 3), from output to input: so a zoom divides, and the factors act on the picture from left
    to right, the flip first."""
    flip = -1.0 if rng.random() < config.hflip else 1.0
    matrix = np.diag([flip, 1.0])
    shift = np.zeros((2, 1))
    if rng.random() < config.affine:
        angle, shear = np.deg2rad(rng.uniform(-1, 1, 2) * (config.degrees, config.shear))
        zoom = math.exp(rng.uniform(*np.log(config.scale)))
        rotation = np.array(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        matrix = matrix @ rotation @ np.array([[1.0, math.tan(shear)], [0.0, 1.0]]) / zoom
        shift = rng.uniform(-1, 1, (2, 1)) * 2 * config.shift
    return np.concatenate([matrix, shift], axis=1)


def _draw_jitter(
    rng: np.random.Generator, brightness: float, contrast: float, saturation: float, hue: float
) -> tuple[np.ndarray, np.ndarray]:
    """Brightness, contrast about mid-grey, saturation and hue as one affine map of RGB: (3, 3) and
    (3,)."""
    light, spread, colourful = 1 + rng.uniform(-1, 1, 3) * (brightness, contrast, saturation)
    grey = np.tile(GREY_WEIGHTS, (3, 1))
    # Contrast turns about mid-grey: x -> 0.5 + spread (x - 0.5), which is where the offset is from.
    matrix = light * spread * (colourful * np.eye(3) + (1 - colourful) * grey)
    matrix = matrix @ _hue_rotation(2 * math.pi * rng.uniform(-1, 1) * hue)
    return matrix, np.full(3, 0.5 * (1 - spread))


def _hue_rotation(angle: float) -> np.ndarray:
    """Rotation of RGB space about its grey diagonal."""
    # Rodrigues' formula for the axis (1, 1, 1) / sqrt(3).
    third, root = (1 - math.cos(angle)) / 3, math.sin(angle) / math.sqrt(3)
    around = np.array([[0.0, -root, root], [root, 0.0, -root], [-root, root, 0.0]])
    return math.cos(angle) * np.eye(3) + third * np.ones((3, 3)) + around


def fit(images: np.ndarray, masks: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A clip resized, as the tracker does it: ``images`` (T, H, W, 3) uint8 RGB and ``masks`` (T,
    O, H, W) bool -> (T, size, size, 3) uint8 and (T, O, size, size) bool."""
    if images.shape[1:3] == (size, size):
        return images, masks
    # (T, H, W, 3) to (T, 3, H, W) and back; masks become grey pictures, so that both are resampled
    # alike and a mask's border stays where the picture's is.
    pixels = _resized(torch.tensor(images).permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)
    planes = _resized(torch.from_numpy(masks).to(torch.uint8) * 255, size)
    return pixels.numpy(), (planes >= 128).numpy()


def _resized(planes: Tensor, size: int) -> Tensor:
    return F.interpolate(planes, (size, size), mode="bilinear", antialias=True, align_corners=False)


def apply(
    change: Augmentation, images: np.ndarray, masks: np.ndarray, size: int
) -> tuple[Tensor, Tensor]:
    """Resample a clip to ``size`` and change it.

    ``images`` (T, H, W, 3) uint8 RGB, ``masks`` (T, O, H, W) bool -> pictures (T, 3, size, size)
    uint8 RGB, as a camera would have given them, masks (T, O, size, size) bool. What moves in from
    outside the picture is black and belongs to no object. Needs OpenCV where something changes.
    """
    pixels, planes = fit(images, masks, size)
    if change.changes_something:
        pixels, planes = _changed(change, pixels, planes)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(planes)


def _changed(
    change: Augmentation, pixels: np.ndarray, planes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``change`` of a clip at its final size: (T, S, S, 3) uint8 and (T, O, S, S) bool in and
    out."""
    size, objects = pixels.shape[1], planes.shape[1]
    groups = math.ceil((3 + objects) / 4)
    # Colours, then masks as grey pictures, by four channels, which OpenCV warps fastest.
    stack = np.zeros((groups, *pixels.shape[:3], 4), np.uint8)
    stack[0, ..., :3] = pixels
    for row in range(objects):
        group, channel = divmod(3 + row, 4)
        np.multiply(planes[:, row], 255, out=stack[group, ..., channel], casting="unsafe")
    matrix = _pixel_matrix(change.theta.numpy().astype(float), size)
    shades = np.empty_like(pixels)
    moved = np.empty_like(planes)
    noise = _draw_noise(change, size)
    colours = [(m, 255 * shift) for m, shift in zip(change.colour, change.offset, strict=True)]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for time, (colour, offset) in enumerate(colours):
        warped = [cv2.warpAffine(part[time], matrix, (size, size), flags=flags) for part in stack]
        # (3, 5): the three colours, nothing of the mask beside them, and what is added.
        mixing = np.column_stack([colour, np.zeros(3), offset])
        shades[time] = _camera(cv2.transform(warped[0], mixing), change, noise)
        for row in range(objects):
            group, channel = divmod(3 + row, 4)
            np.greater_equal(warped[group][..., channel], 128, out=moved[time, row])
    return shades, moved


def _pixel_matrix(theta: np.ndarray, size: int) -> np.ndarray:
    """``theta`` (2, 3) of positions in [-1, 1] as a matrix (2, 3) of pixel indices, which lie half
    a pixel before positions."""
    turn, shift = theta[:, :2], theta[:, 2]
    half = size / 2
    return np.column_stack([turn, turn @ np.full(2, 0.5 - half) + (shift + 1) * half - 0.5])


def _draw_noise(change: Augmentation, size: int) -> tuple[np.ndarray, np.random.Generator] | None:
    """Noise of the sensor (R, R, 3) int16 in grey values, wider than a frame, of which every frame
    takes another part, and the generator that says which."""
    if not change.noise:
        return None
    side = size + size // 2
    wide = np.empty((side, 3 * side), np.int16)
    cv2.setRNGSeed(change.seed)
    cv2.randn(wide, 0, 255 * change.noise)
    return wide.reshape(side, side, 3), np.random.default_rng(change.seed)


def _camera(
    picture: np.ndarray,
    change: Augmentation,
    noise: tuple[np.ndarray, np.random.Generator] | None,
) -> np.ndarray:
    """Out of focus, then noise of the sensor: (S, S, 3) uint8 in and out."""
    size = len(picture)
    sigma = change.blur * size
    if sigma >= MIN_SIGMA:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    if noise is not None:
        wide, rng = noise
        down, across = rng.integers(0, len(wide) - size + 1, 2)
        part = wide[down : down + size, across : across + size]
        picture = cv2.add(picture, part, dtype=cv2.CV_8U)
    return np.asarray(picture)
