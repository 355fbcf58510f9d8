"""The only place where source pixels, model pixels and grid cells convert.

A source picture of (H, W) pixels is resized to an S x S square without padding (SAM 2's rule), so
both axes scale on their own. A pixel's coordinate names its index; its centre lies 0.5 further,
which the prompt encoder adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


def image_to_model(image: np.ndarray, size: int, device: torch.device | str = "cpu") -> Tensor:
    """(H, W, 3) uint8 RGB -> (1, 3, size, size) float32 on ``device``, resized with antialias,
    ImageNet mean and std removed."""
    return normalise(resize_to_model(image, size), device)


def resize_to_model(image: np.ndarray, size: int) -> Tensor:
    """(H, W, 3) uint8 RGB -> (1, 3, size, size) uint8 on the CPU, resized with antialias.

    On the CPU whatever the device: no GPU resamples uint8, where rounding is to the nearest grey
    value as in PIL, and a small picture is quicker to upload than a large one.
    """
    pixels = torch.from_numpy(tensor_ready(image)).permute(2, 0, 1)[None]
    if pixels.shape[-2:] == (size, size):
        return pixels
    return F.interpolate(pixels, (size, size), mode="bilinear", antialias=True, align_corners=False)


def resizes_on(device: torch.device, source: tuple[int, int], size: int) -> bool:
    """Whether `resize_on_device` gives pictures of ``source`` (height, width) pixels the very grey
    values of `resize_to_model`: on CUDA, where they are shrunk by no more than about four."""
    return device.type == "cuda" and all(_taps(n, size).bits <= EXACT_BITS for n in source)


def resize_on_device(pictures: Tensor, size: int) -> Tensor:
    """(B, H, W, 3) uint8 RGB on any device -> (B, 3, size, size) float32 of whole numbers, the grey
    values of `resize_to_model`.

    torch resizes uint8 in whole numbers: weights of a few bits, and rounding after either direction
    (``_upsample_bilinear2d_aa``). Sums of up to 24 bits are exact in float32, so any device can do
    as much.
    """
    planes = pictures.permute(0, 3, 1, 2).float()
    planes = _shrink(planes, size)
    return _shrink(planes.transpose(2, 3), size).transpose(2, 3)


EXACT_BITS = 16
"""Of a weight, with which weighted sums of grey values are exact in float32."""


@dataclass(frozen=True, slots=True)
class _Taps:
    """``index`` and ``weights`` (size, K): what each output pixel is made of, in parts of
    2 ** ``bits``."""

    index: np.ndarray
    weights: np.ndarray
    bits: int


@lru_cache(maxsize=32)
def _taps(length: int, size: int) -> _Taps:
    """The antialiased triangle filter of ``length`` pixels resized to ``size``, as torch rounds
    it."""
    scale = length / size
    reach = max(scale, 1.0)
    centre = scale * (np.arange(size) + 0.5)
    first = np.maximum((centre - reach + 0.5).astype(int), 0)
    counts = np.minimum((centre + reach + 0.5).astype(int), length) - first
    steps = np.arange(counts.max())
    weights = 1.0 - np.abs((first[:, None] + steps - centre[:, None] + 0.5) / reach)
    weights = np.where(steps < counts[:, None], weights.clip(min=0.0), 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    bits = next(b for b in range(23) if int(0.5 + weights.max() * 2 ** (b + 1)) >= 2**15 or b == 22)
    index = np.minimum(first[:, None] + steps, length - 1)
    return _Taps(index, np.floor(weights * 2**bits + 0.5).astype(np.float32), bits)


@lru_cache(maxsize=32)
def _taps_on(device: torch.device, length: int, size: int) -> tuple[Tensor, Tensor]:
    taps = _taps(length, size)
    with torch.inference_mode(False):
        return tuple(torch.from_numpy(a).to(device) for a in (taps.index, taps.weights))  # type: ignore[return-value]


def _shrink(planes: Tensor, size: int) -> Tensor:
    """(..., length) whole numbers in [0, 255] -> (..., size), likewise."""
    length = planes.shape[-1]
    if length == size:
        return planes
    index, weights = _taps_on(planes.device, length, size)
    unit = 2.0 ** _taps(length, size).bits
    sums = (planes[..., index] * weights).sum(dim=-1)
    return ((sums + unit / 2) / unit).floor().clamp(0, 255)


def normalise(pixels: Tensor, device: torch.device | str = "cpu") -> Tensor:
    """(B, 3, size, size) grey values -> float32 on ``device``, ImageNet mean and std removed."""
    return (
        pixels.to(device)
        .float()
        .div(255.0)
        .sub_(_channels(IMAGE_MEAN, device))
        .div_(_channels(IMAGE_STD, device))
    )


@lru_cache
def _channels(values: tuple[float, ...], device: torch.device | str) -> Tensor:
    """(3, 1, 1) constants on a device, uploaded once: an upload waits for the device."""
    with torch.inference_mode(False):
        return torch.tensor(values, device=device).view(-1, 1, 1)


def points_to_model(xy: np.ndarray, source: tuple[int, int], size: int) -> np.ndarray:
    """(..., 2) source pixels (x, y) -> model pixels; ``source`` is (H, W)."""
    height, width = source
    return np.asarray(xy, np.float32) * np.array([size / width, size / height], np.float32)


def mask_to_model(mask: np.ndarray, size: int, device: torch.device | str = "cpu") -> Tensor:
    """(H, W) bool at source size -> (size, size) float32 in {0, 1}: antialiased resize, then a cut
    at one half."""
    plane = torch.from_numpy(tensor_ready(mask)).float()[None, None]
    if plane.shape[-2:] != (size, size):
        # On the CPU, as pictures: a mask that a user gives is then the same on every device.
        plane = F.interpolate(
            plane, (size, size), mode="bilinear", antialias=True, align_corners=False
        )
        plane = (plane >= 0.5).float()
    return plane[0, 0].to(device)


def logits_to_source(logits: Tensor, source: tuple[int, int]) -> Tensor:
    """(N, h, w) mask logits -> (N, H, W) float logits at source size, bilinear."""
    return F.interpolate(logits[:, None].float(), source, mode="bilinear", align_corners=False)[
        :, 0
    ]


def tensor_ready(array: np.ndarray) -> np.ndarray:
    """The array itself, or a copy where torch would refuse its strides or warn that it cannot be
    written to."""
    return np.require(array, requirements=["C", "W"])
