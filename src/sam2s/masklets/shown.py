"""The mask that a picture shows, whatever numbers it is stored as.

A mask drawn by hand, exported by an editor or saved by a network comes in any mode that pictures
have. What a person sees in it is the object: what is neither black nor transparent, cut at half
where its edge is soft. The numbers of a palette say nothing, unless all its colours are black.
Label maps, whose numbers are ids, are another matter: ``masks.read_index_mask``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from sam2s.arrays import to_mask
from sam2s.errors import InputError

NEARLY_BLACK = 8
"""A value below the brightest one divided by this is background: the black of video (16 of 235), or
of a palette that has no true black."""
DARK = 32
"""A picture without brighter values shows nothing in a lossy file, and ids rather than an edge in a
lossless one."""
SEEN = 128
"""Opacity of 255 from which a pixel is seen."""


def shown_mask(picture: Image.Image, where: Any) -> np.ndarray:
    """A decoded picture -> (H, W) bool.

    - A palette counts by its colours; where every colour in use is black, all but number 0 is the
      object.
    - With transparent parts, the object is what is opaque; but where black parts are opaque too,
      the picture is one of black and another colour, with nothing beyond its border.
    - A pixel is as bright as its brightest channel. Two values: the brighter one is the object.
      More: what is at least half as bright as the brightest pixel, and every colour (not grey) that
      fills an area, since several colours are several parts and not an edge.

    Raises InputError that names ``where`` for several greys that fill areas (a map of ids, or
    probabilities without a clear half) and for float pixels other than 0 and 1.
    """
    if picture.mode == "F":
        return to_mask(np.asarray(picture), str(where))
    if picture.mode == "1" and "transparency" not in picture.info:
        return np.asarray(picture)
    if picture.mode == "P" and "transparency" not in picture.info:
        return _of_palette(picture, where)
    colours, opacity = _layers(picture)
    seen = opacity >= SEEN if opacity is not None else None
    if seen is not None and not seen.all():
        black = seen & (_brightness(colours) == 0)
        if not _solid(black.astype(np.uint8), black).size or (black == seen).all():
            return seen
        colours = np.where(seen[..., None] if colours.ndim == 3 else seen, colours, 0)
    return _bright(colours, is_lossy(picture), where)


def is_lossy(picture: Image.Image) -> bool:
    """Whether its pixels went through JPEG, which leaves noise where there was black."""
    return picture.format in ("JPEG", "MPO") or "jpeg" in str(picture.info.get("compression"))


def brightness(picture: Image.Image) -> np.ndarray:
    """(H, W) uint8 or wider: each pixel's brightest channel, by colour, black where it is
    transparent."""
    colours, opacity = _layers(picture)
    values = _brightness(colours)
    return values if opacity is None else np.where(opacity >= SEEN, values, values.dtype.type(0))


def _of_palette(picture: Image.Image, where: Any) -> np.ndarray:
    numbers, palette = np.asarray(picture), palette_colours(picture)
    used = np.bincount(numbers.ravel(), minlength=256) > 0
    if not palette[used].any():
        return numbers > 0
    values = palette.max(axis=1)
    if len(np.unique(values[used])) <= 2 and not values[used].min():
        return (values > 0)[numbers]
    return _bright(palette[numbers], False, where)


def palette_colours(picture: Image.Image) -> np.ndarray:
    """(256, 3) uint8 RGB of a palette picture; numbers beyond its table are black, as Pillow shows
    them."""
    table = np.frombuffer(bytes(picture.getpalette("RGB") or []), dtype=np.uint8)[: 256 * 3]
    return np.pad(table, (0, 256 * 3 - len(table))).reshape(256, 3)


def _layers(picture: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours (H, W) or (H, W, 3), and opacity (H, W) of 255, None where all is opaque."""
    clear = picture.info.get("transparency")
    if picture.mode.startswith("I"):
        values = np.maximum(np.asarray(picture), 0)
        return values, None if clear is None else (values != clear) * np.uint8(255)
    if picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or clear is not None:
        pixels = np.asarray(picture.convert("RGBA"))
        return pixels[..., :3], pixels[..., 3]
    if picture.mode in ("1", "L"):
        return np.asarray(picture.convert("L")), None
    return np.asarray(picture.convert("RGB")), None


def _brightness(colours: np.ndarray) -> np.ndarray:
    return colours.max(axis=2) if colours.ndim == 3 else colours


def _bright(colours: np.ndarray, lossy: bool, where: Any) -> np.ndarray:
    """The object of an opaque picture, see ``shown_mask``."""
    values = _brightness(colours)
    peak = int(values.max(initial=0))
    half = (peak + 1) // 2
    if lossy:
        return values >= half if peak >= DARK else np.zeros(values.shape, bool)
    marked = values > 0
    if ((values == peak) | ~marked).all():
        return marked
    bright = values >= half
    between = marked & ~bright & (values > peak // NEARLY_BLACK)
    areas = _solid(_codes(colours), between)
    if peak <= DARK or any(_is_grey(int(code), colours.ndim) for code in areas):
        raise InputError(
            f"{where}: shows several greys that fill areas, or nearly black ones, so the object"
            " cannot be told from the rest; make it white on black, or give one picture an object"
        )
    return bright | np.isin(_codes(colours), areas) & between if areas.size else bright


def _codes(colours: np.ndarray) -> np.ndarray:
    """(H, W) one number a colour."""
    if colours.ndim == 2:
        return colours
    red, green, blue = (colours[..., channel].astype(np.uint32) for channel in range(3))
    return red << 16 | green << 8 | blue


def _is_grey(code: int, dimensions: int) -> bool:
    if dimensions == 2:
        return True
    channels = (code >> 16, code >> 8 & 255, code & 255)
    return max(channels) - min(channels) < max(channels) // NEARLY_BLACK + 1


def _solid(codes: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The codes that fill a square of 3 x 3 pixels, none of which lie outside ``among``: painted
    areas, where the steps of a soft edge are narrow."""
    height, width = codes.shape
    if min(height, width) < 3 or not among.any():
        return codes[:0, 0]
    middle = codes[1:-1, 1:-1]
    same = among[1:-1, 1:-1].copy()
    for down in range(3):
        for right in range(3):
            same &= codes[down : height - 2 + down, right : width - 2 + right] == middle
    return np.unique(middle[same])
