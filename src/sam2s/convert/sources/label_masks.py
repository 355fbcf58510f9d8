"""Masks in the encodings of public data sets: codes, colours, thresholds, LabelMe polygons, COCO
segmentations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from sam2s.errors import InputError
from sam2s.masklets.masks import decode_rle, ids_of_palette
from sam2s.masklets.shown import brightness, is_lossy, palette_colours, shown_mask
from sam2s.media.pictures import MAX_PIXELS, read_picture, read_rgb
from sam2s.typed_json import shown

Colour = tuple[int, int, int]
FAR = 1e5
"""Pixels from a picture's corner within which the points of a polygon must lie: their number of
steps is the time and memory that drawing takes."""


def read_codes(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """(H, W) uint8: the stored numbers, of the first channel where there are several (sets write
    the code three times).

    A palette picture yields its indices, never its colours. Raises InputError for codes above 255;
    else as ``read_rgb``.
    """
    picture = read_picture(path, max_pixels)
    codes = np.asarray(picture.getchannel(0) if len(picture.getbands()) > 1 else picture)
    if codes.dtype != np.uint8:
        if codes.dtype.kind == "f":
            raise InputError(f"{path}: expected class codes, found floating-point pixels")
        if codes.max(initial=0) > 255:
            raise InputError(
                f"{path}: expected class codes from 0 to 255, found {int(codes.max())}"
            )
        codes = codes.astype(np.uint8)
    return codes


def read_ids(path: Path) -> np.ndarray:
    """(H, W) uint8: the stored numbers, of one whose palette was renumbered by its colours
    (``masks.ids_of_palette``). Raises as ``read_codes``."""
    picture = read_picture(path)
    if picture.mode != "P":
        return read_codes(path)
    return ids_of_palette(np.asarray(picture), palette_colours(picture), path)


def read_colours(path: Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """(H, W, 3) uint8 RGB; a palette is applied, transparency is dropped."""
    return read_rgb(path, max_pixels)


def read_threshold(path: Path, threshold: int = 127) -> np.ndarray:
    """(H, W) bool, True where the brightest channel is above the threshold: for masks that lossy
    compression has blurred.

    Palettes and transparency count by what they show. Lossless pictures of 0 and 1 are taken as
    they are; in a JPEG a 1 is noise.
    """
    picture = read_picture(path)
    if picture.mode == "P" or "transparency" in picture.info:
        return shown_mask(picture, path)
    values = brightness(picture)
    exact = not is_lossy(picture) and values.max(initial=0) <= 1
    return values > (0 if exact else threshold)


def code_masks(
    codes: np.ndarray, table: Mapping[int, str], usual: Collection[int] = (0, 255)
) -> tuple[dict[str, np.ndarray], dict[int, int]]:
    """Codes -> ({label: (H, W) bool} of the labels present, {code: pixels} of codes outside
    ``table``).

    Several codes of one label (the parts of a tool) are united. ``usual``: codes outside the table
    that are to be expected; the answer does not depend on them, only its speed.
    """
    masks: dict[str, np.ndarray] = {}
    left = codes.size
    for code, label in table.items():
        mask = codes == code
        if mask.any():
            left -= int(np.count_nonzero(mask))
            masks[label] = masks[label] | mask if label in masks else mask
    return masks, _strays(codes, table, usual, left)


def _strays(
    codes: np.ndarray, table: Mapping[int, str], usual: Collection[int], left: int
) -> dict[int, int]:
    """{code: pixels} of the ``left`` pixels outside the table. Trying a few codes is faster than
    counting all."""
    strays: dict[int, int] = {}
    for code in sorted(usual):
        if left and code not in table:
            count = int(np.count_nonzero(codes == code))
            strays |= {code: count} if count else {}
            left -= count
    if left:
        counts = Image.fromarray(codes).histogram()
        strays |= {code: int(n) for code, n in enumerate(counts) if n and code not in table}
    return dict(sorted(strays.items()))


def colour_codes(
    colours: np.ndarray, table: Sequence[Colour]
) -> tuple[np.ndarray, dict[Colour, int]]:
    """(H, W, 3) uint8 -> ((H, W) uint8 place in ``table``, 255 elsewhere; {colour: pixels} outside
    the table)."""
    packed = colours.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    codes = np.full(packed.shape, 255, dtype=np.uint8)
    for place, (red, green, blue) in enumerate(table):
        codes[packed == (red << 16 | green << 8 | blue)] = place
    values, counts = np.unique(packed[codes == 255], return_counts=True)
    strays = {
        (int(v) >> 16, int(v) >> 8 & 255, int(v) & 255): int(n)
        for v, n in zip(values, counts, strict=True)
    }
    return codes, strays


def draw_polygons(polygons: Sequence[Any], size: tuple[int, int]) -> np.ndarray:
    """LabelMe polygons ([[x, y], ...] each, source pixels) -> (H, W) bool union, outline included
    as LabelMe draws it.

    Polygons of fewer than three points enclose nothing and are left out.
    """
    canvas = Image.new("1", (size[1], size[0]))
    draw = ImageDraw.Draw(canvas)
    for points in polygons:
        if len(points) >= 3:
            draw.polygon([(float(x), float(y)) for x, y in points], fill=1, outline=1)
    return np.asarray(canvas)


def decode_coco(segmentation: Any, size: tuple[int, int], where: str) -> np.ndarray:
    """COCO ``segmentation`` (polygons, run lengths, compressed or not) -> (H, W) bool.

    Raises InputError that names ``where`` when it is of no such form or of another size.
    """
    try:
        if isinstance(segmentation, dict):
            # Before it is decoded: a few characters can stand for any number of pixels.
            _check_size(tuple(segmentation["size"]), size, where)
            mask = decode_rle(segmentation)
        else:
            flat = [[float(v) for v in polygon] for polygon in segmentation if len(polygon) >= 6]
            if any(not abs(v) <= FAR for polygon in flat for v in polygon):
                raise InputError(f"{where}: a polygon leaves the picture by more than {FAR:g}")
            rles = coco.frPyObjects(flat, *size) if flat else []
            mask = decode_rle(coco.merge(rles)) if rles else np.zeros(size, dtype=bool)
    except _OtherSize:
        raise
    except (InputError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: expected a COCO segmentation ({error})") from error
    return mask


class _OtherSize(InputError):
    """A segmentation of another size than its picture."""


def _check_size(found: tuple[Any, ...], size: tuple[int, int], where: str) -> None:
    if found != size:
        raise _OtherSize(
            f"{where}: its segmentation is {' x '.join(map(shown, reversed(found)))}, expected"
            f" {size[1]} x {size[0]}"
        )


def resize_nearest(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) bool -> (H, W) bool; the only resampling that makes no new labels."""
    if mask.shape == size:
        return mask
    rows = (np.arange(size[0]) + 0.5) * mask.shape[0] / size[0]
    columns = (np.arange(size[1]) + 0.5) * mask.shape[1] / size[1]
    return mask[rows.astype(int)[:, None], columns.astype(int)]
