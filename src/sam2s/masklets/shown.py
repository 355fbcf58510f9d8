"""The mask that a picture shows, whatever numbers it is stored as.

A mask drawn by hand, exported by an editor or saved by a network comes in any mode that pictures
have. What a person sees in it is the object: what is neither black nor transparent, cut at half
where its edge is soft. The numbers of a palette say nothing, unless all its colours are black.
Label maps, whose numbers are ids, are another matter: ``masks.read_index_mask``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
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
WHITE = np.uint8(255)
MOST_COLOURS = 64
"""Dark colours that fill areas: more are in photographs only."""


@dataclass(frozen=True, slots=True)
class _Colours:
    """``planes``: one (H, W) of greys, or of a palette's numbers, or three of red, green and blue;
    ``table``: (256, 3) the palette's colours; ``opacity``: (H, W) of 255, None where all is
    opaque. Kept apart, since a picture may have 64 million pixels."""

    planes: tuple[np.ndarray, ...]
    table: np.ndarray | None = None
    opacity: np.ndarray | None = None

    def brightness(self) -> np.ndarray:
        """(H, W), each pixel's brightest channel."""
        if self.table is not None:
            return self.table.max(axis=1)[self.planes[0]]
        return reduce(np.maximum, self.planes)

    def codes(self) -> np.ndarray:
        """(H, W), one number per colour."""
        if len(self.planes) == 1:
            return self.planes[0]
        codes = self.planes[0].astype(np.uint32)
        for plane in self.planes[1:]:
            codes <<= 8
            codes |= plane
        return codes

    def is_grey(self, code: int) -> bool:
        """Whether the colour with this code has no hue."""
        if self.table is not None:
            channels = self.table[code].tolist()
        elif len(self.planes) == 1:
            return True
        else:
            channels = [code >> 16, code >> 8 & 255, code & 255]
        return max(channels) - min(channels) <= max(channels) // NEARLY_BLACK


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
    probabilities without a clear half), for more colours than anyone paints a mask with, and for
    float pixels other than 0 and 1.
    """
    if picture.mode == "F":
        return to_mask(np.asarray(picture), str(where))
    if picture.mode == "1" and "transparency" not in picture.info:
        return np.asarray(picture)
    colours = _colours(picture)
    if colours.table is not None and colours.opacity is None:
        numbers = colours.planes[0]
        used = np.bincount(numbers.ravel(), minlength=256) > 0
        if not colours.table[used].any():
            return numbers > 0
    values = colours.brightness()
    if colours.opacity is not None:
        seen = colours.opacity >= SEEN
        black = seen & (values == 0)
        whole = seen.all()
        if not whole and (
            np.array_equal(black, seen) or not _solid(black.view(np.uint8), black).size
        ):
            return seen
        values = values if whole else np.where(seen, values, values.dtype.type(0))
    return _bright(values, colours, is_lossy(picture), where)


def is_lossy(picture: Image.Image) -> bool:
    """Whether its pixels went through JPEG, which leaves noise where there was black."""
    return picture.format in ("JPEG", "MPO") or "jpeg" in str(picture.info.get("compression"))


def brightness(picture: Image.Image) -> np.ndarray:
    """(H, W) uint8 or wider: each pixel's brightest channel, by colour, black where it is
    transparent."""
    colours = _colours(picture)
    values = colours.brightness()
    if colours.opacity is None:
        return values
    return np.where(colours.opacity >= SEEN, values, values.dtype.type(0))


def palette_colours(picture: Image.Image) -> np.ndarray:
    """(256, 3) uint8 RGB of a palette picture; numbers beyond its table are black, as Pillow shows
    them."""
    table = np.frombuffer(bytes(picture.getpalette("RGB") or []), dtype=np.uint8)[: 256 * 3]
    return np.pad(table, (0, 256 * 3 - len(table))).reshape(256, 3)


def _colours(picture: Image.Image) -> _Colours:
    """Of a picture of any mode but float."""
    clear = picture.info.get("transparency")
    if picture.mode == "P":
        numbers, opacity = np.asarray(picture), None
        if clear is not None:
            listed = np.full(256, 255, np.uint8)
            if isinstance(clear, int):
                listed[clear] = 0
            else:
                listed[: len(clear)] = np.frombuffer(clear, np.uint8)[:256]
            opacity = listed[numbers]
        return _Colours((numbers,), palette_colours(picture), opacity)
    if picture.mode.startswith("I"):
        values = np.maximum(np.asarray(picture), 0)
        return _Colours((values,), None, None if clear is None else (values != clear) * WHITE)
    bands = picture.convert(_plain_mode(picture.mode, clear)).split()
    planes = [np.asarray(band) for band in bands]
    opacity = planes.pop() if len(planes) in (2, 4) else None
    if len(planes) == 3 and all(np.array_equal(planes[0], plane) for plane in planes[1:]):
        planes = planes[:1]
    return _Colours(tuple(planes), None, opacity)


def _plain_mode(mode: str, clear: Any) -> str:
    """Grey or colour, with opacity where the mode has it or one colour is ``clear``."""
    grey = mode in ("1", "L", "LA", "La")
    if clear is not None or mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return "LA" if grey else "RGBA"
    return "L" if grey else "RGB"


def _bright(values: np.ndarray, colours: _Colours, lossy: bool, where: Any) -> np.ndarray:
    """The object by its brightness, see ``shown_mask``."""
    peak = int(values.max(initial=0))
    bright = values >= (peak + 1) // 2
    if lossy:
        return bright & (peak >= DARK)
    marked = values > 0
    if not (marked & (values != peak)).any():
        return marked
    between = marked & ~bright & (values > peak // NEARLY_BLACK)
    codes = colours.codes() if between.any() else values
    areas = [int(code) for code in _solid(codes, between)]
    if peak <= DARK or any(colours.is_grey(code) for code in areas) or len(areas) > MOST_COLOURS:
        raise InputError(
            f"{where}: is a photograph, or has areas of several greys or of nearly black, so object"
            " and background cannot be told apart; make the mask white on black, one picture per"
            " object"
        )
    for code in areas:
        bright |= between & (codes == code)
    return bright


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
