"""Masks as files and as text: binary PNG, palette PNG, COCO run-length encoding."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sam2s.errors import InputError
from sam2s.masklets.png_bits import encode_bits
from sam2s.masklets.shown import NEARLY_BLACK, palette_colours, shown_mask
from sam2s.media.pictures import MAX_PIXELS, read_picture

Rle = dict[str, Any]
"""COCO's compressed run-length code as JSON holds it: ``{"size": [H, W], "counts": str}``,
column-major."""

EIGHT_CONNECTED = np.ones((3, 3), dtype=bool)
"""Pixels that touch at a corner are connected."""

VOID = 255
"""Value of a map of ids that DAVIS-like folders use for "do not score"; an object only where a
catalogue declares it."""
SMALL_IDS = 64
"""Beside 255, larger values are the greys of a soft edge, not ids."""
MAX_PALETTE_ID = 254
"""Largest id a palette file can hold: 0 is background, 255 means void to DAVIS-like readers."""


def encode_rle(mask: np.ndarray) -> Rle:
    """(H, W) bool -> COCO RLE with ``counts`` as text, ready for JSON. Raises InputError when not
    two-dimensional."""
    _check_plane(mask)
    # Here, so that masks can be used where nothing is encoded and pycocotools is not installed.
    from pycocotools import mask as coco

    code = coco.encode(_column_major(mask))
    return {
        "size": [int(mask.shape[0]), int(mask.shape[1])],
        "counts": code["counts"].decode("ascii"),
    }


def _column_major(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool -> the same as uint8, in memory column by column. Turning a whole plane takes as
    long as encoding it, so only what the object spans is turned."""
    plane = np.zeros(mask.shape, np.uint8, order="F")
    window = bounding_window(mask)
    if window is not None:
        plane[window] = mask[window]
    return plane


def decode_rle(rle: Mapping[str, Any]) -> np.ndarray:
    """COCO RLE (compressed text or bytes, or a list of run lengths) -> (H, W) bool.

    The runs are checked before they reach pycocotools, whose C code trusts them. Raises InputError
    when they do not add up to H x W.
    """
    height, width, runs = _parse_rle(rle)
    values = np.zeros(len(runs), dtype=bool)
    values[1::2] = True
    return np.ascontiguousarray(np.repeat(values, runs).reshape((width, height)).T)


def run_lengths(mask: np.ndarray) -> list[int]:
    """(H, W) bool -> COCO's run lengths, column-major, beginning with background."""
    flat = np.asarray(mask, dtype=bool).T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff([0, *changes.tolist(), flat.size]).tolist() if flat.size else []
    return [0, *runs] if flat.size and flat[0] else runs


def _parse_rle(rle: Mapping[str, Any]) -> tuple[int, int, np.ndarray]:
    """Height, width and run lengths of an RLE, checked."""
    try:
        height, width = (int(side) for side in rle["size"])
        counts = rle["counts"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("RLE: expected {'size': [height, width], 'counts': ...}") from error
    runs = np.asarray(
        counts if isinstance(counts, list | tuple) else _unpack_runs(counts), dtype=np.int64
    )
    if (
        height < 0
        or width < 0
        or runs.ndim != 1
        or (runs < 0).any()
        or int(runs.sum()) != height * width
    ):
        raise InputError(
            f"RLE: the runs do not fill {height} x {width} pixels; the text is damaged or of"
            " another size"
        )
    return height, width, runs


def _unpack_runs(text: str | bytes) -> list[int]:
    """COCO's text code -> run lengths. 5 bits a character, low bits first, bit 5 = more follow;
    from the fourth run on, a run is stored as its difference from the one two before (the format of
    cocodataset/cocoapi)."""
    data = text.encode("ascii", "replace") if isinstance(text, str) else text
    runs: list[int] = []
    value = shift = 0
    for byte in data:
        chunk = byte - 48
        if not 0 <= chunk < 64 or shift > 60:
            raise InputError("RLE: 'counts' holds a character outside COCO's code")
        value |= (chunk & 31) << shift
        shift += 5
        if chunk & 32:
            continue
        if chunk & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise InputError("RLE: 'counts' ends in the middle of a number")
    return runs


def read_binary_mask(path: Path | str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """A picture of one object -> (H, W) bool, by what it shows (``shown.shown_mask``), upright as
    frames are. Raises as ``read_picture``, and InputError where it shows no mask."""
    return shown_mask(read_picture(path, max_pixels), path)


def write_binary_mask(path: Path | str, mask: np.ndarray) -> None:
    """(H, W) bool -> 1-bit PNG, white = object."""
    _check_plane(mask)
    Path(path).write_bytes(encode_bits(np.asarray(mask, dtype=bool)))


def read_index_mask(path: Path | str, max_pixels: int = MAX_PIXELS) -> tuple[np.ndarray, bool]:
    """A PNG whose pixel values are object ids -> ((H, W) uint8 ids, whether it has a palette).

    Raises InputError for colour pictures (their pixels are colours, not ids) and ids above 255;
    else as ``read_rgb``.
    """
    picture = read_picture(path, max_pixels)
    mode = picture.mode
    if mode not in ("P", "L", "1", "I", "I;16", "I;16B"):
        raise InputError(f"{path}: a mask of ids must be a palette or grey PNG, this one is {mode}")
    pixels = np.asarray(picture)
    if mode == "P":
        return ids_of_palette(pixels, palette_colours(picture), path), True
    if mode == "1":
        pixels = pixels * np.uint8(255)
    if pixels.dtype != np.uint8:
        if not 0 <= pixels.min(initial=0) <= pixels.max(initial=0) <= 255:
            raise InputError(
                f"{path}: object ids above 255 do not fit; use one folder per object instead"
            )
        pixels = pixels.astype(np.uint8)
    return pixels, False


def ids_of_palette(numbers: np.ndarray, palette: np.ndarray, path: Path | str) -> np.ndarray:
    """The numbers themselves, which are ids, unless a program that saves colours has renumbered
    them: then black is not number 0. Two colours still are one object."""
    used = np.flatnonzero(np.bincount(numbers.ravel(), minlength=256))
    values = palette.max(axis=1)
    dark = values[used] <= values[used].max(initial=0) // NEARLY_BLACK
    if values[0] <= values[used].max(initial=0) // NEARLY_BLACK or not dark.any():
        return numbers
    if len(used) > 2:
        raise InputError(
            f"{path}: its palette begins with a colour and has black elsewhere, so its numbers are"
            " no ids; save it with the palette of the data set, background first"
        )
    return (values > values[used].max() // NEARLY_BLACK)[numbers].astype(np.uint8)


def is_black_and_white(values: Collection[int]) -> bool:
    """Whether the values of grey files, 0 aside, are those of one white object rather than ids: 255
    alone, or with the greys of soft edges. 255 beside small numbers is void."""
    others = [value for value in values if value not in (0, VOID)]
    return VOID in values and (not others or max(others) > SMALL_IDS)


def write_index_mask(path: Path | str, ids: np.ndarray) -> None:
    """(H, W) uint8 object ids -> 8-bit PNG with the DAVIS palette."""
    _check_plane(ids)
    picture = Image.fromarray(np.ascontiguousarray(ids, dtype=np.uint8))
    picture.putpalette(davis_palette().tobytes())
    picture.save(path, format="PNG")


def davis_palette() -> np.ndarray:
    """(256, 3) uint8: the colour table of PASCAL VOC and DAVIS. Bits 0, 1, 2 of the id are the top
    bits of R, G, B."""
    ids = np.arange(256)
    table = np.zeros((256, 3), dtype=np.uint8)
    for level in range(8):
        for channel in range(3):
            table[:, channel] |= (((ids >> (3 * level + channel)) & 1) << (7 - level)).astype(
                np.uint8
            )
    return table


def merge_masks(masks: Mapping[int, np.ndarray]) -> tuple[np.ndarray, int]:
    """{id: (H, W) bool} -> ((H, W) uint8 ids, number of pixels that several objects claimed).

    The declared order is ascending: where objects overlap the largest id lies on top. Raises
    InputError for no masks, masks of different size, or an id outside 1..254.
    """
    shapes = {np.shape(mask) for mask in masks.values()}
    if len(shapes) != 1:
        raise InputError(
            f"masks: expected one or more masks of one size, got sizes {sorted(shapes)}"
        )
    wrong = [object_id for object_id in masks if not 1 <= object_id <= MAX_PALETTE_ID]
    if wrong:
        raise InputError(
            f"object ids {wrong} do not fit a palette (1 to {MAX_PALETTE_ID}); use the sav format"
        )
    merged = np.zeros(shapes.pop(), dtype=np.uint8)
    contested = np.zeros(merged.shape, dtype=bool)
    for object_id in sorted(masks):
        contested |= masks[object_id] & (merged > 0)
        merged[masks[object_id]] = object_id
    return merged, int(contested.sum())


def _check_plane(mask: np.ndarray) -> None:
    if np.ndim(mask) != 2:
        raise InputError(f"mask: expected a (height, width) array, got shape {np.shape(mask)}")


def bounding_window(mask: np.ndarray) -> tuple[slice, slice] | None:
    """The smallest window that holds all of a (H, W) bool mask, None when it is empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
