"""MOTS: objects that do not overlap, as pictures of 16-bit ids or as one text file.

An id is class x 1000 + instance; classes are numbered from 1 in alphabetical order, and objects of
a class keep their own number as instance, which therefore ends at 999. Source: the MOTS challenge's
tools.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from sam2s.errors import InputError
from sam2s.formats.fitting import apart
from sam2s.formats.result import (
    UNNAMED,
    ExportOptions,
    Key,
    ObjectMask,
    Result,
    collected,
    frame_number,
)
from sam2s.media.pictures import MAX_PIXELS, check_pixels, read_picture

FACTOR = 1000
CLASSES = "classes.txt"


def write_mots_txt(result: Result, out: Path, _options: ExportOptions) -> None:
    """``out/<video>.txt``: frame, id, class, height, width and RLE of each object in view."""
    numbers = _class_numbers(result, out)
    height, width = result.size
    with open(out / f"{result.video}.txt", "w", encoding="ascii") as file:
        for frame in result.frames():
            for object_id, found in apart(frame.masks).items():
                if found.mask.any():
                    number, counts = numbers[object_id], found.rle["counts"]
                    name = number * FACTOR + object_id
                    file.write(f"{frame.index} {name} {number} {height} {width} {counts}\n")


def write_mots_png(result: Result, out: Path, _options: ExportOptions) -> None:
    """``out/<video>/<frame>.png``, 16 bits a pixel, 0 background."""
    numbers = _class_numbers(result, out)
    folder = out / result.video
    folder.mkdir(parents=True)
    for frame in result.frames():
        picture = np.zeros(result.size, np.uint16)
        for object_id, found in sorted(frame.masks.items()):  # the larger id lies on top
            picture[found.mask] = numbers[object_id] * FACTOR + object_id
        Image.fromarray(picture).save(folder / f"{frame.index:06d}.png")


def _class_numbers(result: Result, out: Path) -> dict[int, int]:
    """{object id: number of its class}; the names go into ``classes.txt``."""
    names = sorted({result.names.get(i, UNNAMED) for i in result.ids})
    text = "".join(f"{number} {name}\n" for number, name in enumerate(names, start=1))
    (out / CLASSES).write_text(text, encoding="utf-8")
    return {i: names.index(result.names.get(i, UNNAMED)) + 1 for i in result.ids}


def read_mots_txt(folder: Path) -> Result:
    """A result from a MOTS text file; frames that show nothing are not in it. Raises InputError for
    other files."""
    files = [path for path in sorted(folder.glob("*.txt")) if path.name != CLASSES]
    if len(files) != 1:
        raise InputError(f"{folder}: expected one text file beside {CLASSES}")
    found: dict[int, dict[int, ObjectMask]] = defaultdict(dict)
    sizes: set[tuple[int, int]] = set()
    for number, line in enumerate(_lines(files[0]), start=1):
        parts = line.split(" ")
        if len(parts) != 6 or not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts[:5]):
            raise InputError(f"{files[0]}, line {number}: expected frame, id, class, H, W and RLE")
        frame, name, _, height, width = (int(part) for part in parts[:5])
        sizes.add((height, width))
        found[frame][name] = ObjectMask({"size": [height, width], "counts": parts[5]})
    return _result(files[0].stem, files[0], sizes, found, _read_classes(folder))


def read_mots_png(folder: Path) -> Result:
    """A result from MOTS pictures. Raises InputError for other files."""
    videos = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    if len(videos) != 1:
        raise InputError(f"{folder}: expected the folder of one video")
    found: dict[int, dict[int, ObjectMask]] = {}
    sizes: set[tuple[int, int]] = set()
    for place, path in enumerate(sorted(videos[0].glob("*.png"))):
        pixels = np.asarray(read_picture(path))
        if pixels.ndim != 2 or not np.issubdtype(pixels.dtype, np.integer):
            raise InputError(f"{path}: expected a grey picture of 16 bits, whose pixels are ids")
        sizes.add((pixels.shape[0], pixels.shape[1]))
        number = frame_number(path.stem)
        shown = np.unique(pixels[pixels > 0]).tolist()
        found[place if number is None else number] = {
            name: ObjectMask.of(pixels == name) for name in shown
        }
    return _result(videos[0].name, videos[0], sizes, found, _read_classes(folder))


def _result(
    video: str,
    path: Path,
    sizes: set[tuple[int, int]],
    found: Mapping[int, Mapping[int, ObjectMask]],
    classes: Mapping[int, str],
) -> Result:
    """``found``: {frame: {MOTS id: mask}}. An object's number is its instance, where no two classes
    have instances of one number, else the whole id."""
    if len(sizes) != 1:
        raise InputError(f"{path}: expected masks of one size, got {sorted(sizes)[:3]}")
    size = sizes.pop()
    check_pixels(*size, MAX_PIXELS, str(path))
    ids = {name for masks in found.values() for name in masks}
    unique = len({name % FACTOR for name in ids}) == len(ids)
    key: dict[int, Key] = {name: name % FACTOR if unique else name for name in ids}
    names = {key[name]: classes.get(name // FACTOR, UNNAMED) for name in ids}
    by_frame = {
        index: {key[name]: mask for name, mask in masks.items()} for index, masks in found.items()
    }
    return collected(video, size, by_frame, names)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read as text ({error.reason})") from error


def _read_classes(folder: Path) -> dict[int, str]:
    path = folder / CLASSES
    rows = [line.split(" ", 1) for line in (_lines(path) if path.exists() else ())]
    return {int(row[0]): row[1] for row in rows if len(row) == 2 and row[0].isdecimal()}
