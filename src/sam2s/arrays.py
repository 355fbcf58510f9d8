"""What callers give as numbers (lists, NumPy arrays, tensors of any device, Pillow pictures), as
NumPy arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from sam2s.errors import Doubt, InputError

WHITE = (1, 255)
"""What a float array may hold for True: masks that arithmetic has turned into numbers."""


def to_array(value: Any, what: str) -> np.ndarray:
    """``value`` as an array of bools, integers or floats; bfloat16 and smaller become float32.

    Raises InputError that names ``what`` for everything else: text, ragged lists, palette pictures
    (they hold numbers of colours, not colours).
    """
    if isinstance(value, Image.Image) and value.mode in ("P", "PA"):
        raise InputError(
            f"{what}: a palette picture holds numbers of colours; give picture.convert('RGB'), or"
            " an array"
        )
    try:
        if isinstance(value, Tensor):
            # NumPy knows neither gradients, nor devices, nor bfloat16.
            value = value.detach().cpu()
            small = value.is_floating_point() and value.element_size() < 4
            value = (value.float() if small else value).numpy()
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError, OSError) as error:
        raise InputError(f"{what}: expected an array of numbers ({error})") from error
    if array.dtype.kind not in "biuf":
        kind = type(value).__name__ if array.ndim == 0 else f"{array.dtype} values"
        raise InputError(f"{what}: expected an array of numbers, got {kind}")
    return array


def doubt_whole(mask: np.ndarray, what: str) -> None:
    """A ``Doubt`` where a given mask (H, W) covers everything: it may be meant, but is more often
    an inverted or misread one."""
    if mask.size and mask.all():
        warnings.warn(f"{what}: the mask covers the whole picture", Doubt, stacklevel=3)


def to_mask(value: Any, what: str) -> np.ndarray:
    """(H, W) of two values, 0 and one above it, as bool.

    Raises InputError for another shape, and for what is no mask: probabilities, logits, soft edges,
    maps of several ids.
    """
    array = to_array(value, what)
    if array.ndim != 2:
        raise InputError(f"{what}: expected a (height, width) array, got shape {array.shape}")
    if array.dtype == bool or array.size == 0:
        return array.astype(bool)
    low, high = array.min(), array.max()
    shown = array == high if high else np.zeros(array.shape, bool)
    two = low >= 0 and bool((shown | (array == 0)).all())
    if not two or (array.dtype.kind == "f" and high not in (0, *WHITE)):
        raise InputError(
            f"{what}: expected True and False (or 0 and 1), got {array.dtype} values from"
            f" {low:g} to {high:g}; cut probabilities at 0.5, logits at 0, and take one id of a map"
            " of ids"
        )
    return shown
