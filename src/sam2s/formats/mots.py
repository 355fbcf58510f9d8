"""MOTS: objects that do not overlap, as pictures of 16-bit ids or as one text file.

An id is class x 1000 + instance; classes are numbered from 1 in alphabetical order, and objects of
a class keep their own number as instance, which therefore ends at 999. Source: the MOTS challenge's
tools.
"""

from __future__ import annotations

from collections import defaultdict
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
)
from sam2s.media.pictures import open_picture

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
    """A result from a MOTS text file; frames that show nothing are not in it."""
    files = [path for path in sorted(folder.glob("*.txt")) if path.name != CLASSES]
    if len(files) != 1:
        raise InputError(f"{folder}: expected one text file beside {CLASSES}")
    by_frame: dict[int, dict[Key, ObjectMask]] = defaultdict(dict)
    names: dict[Key, str] = {}
    classes = _read_classes(folder)
    size = (0, 0)
    for number, line in enumerate(files[0].read_text(encoding="ascii").splitlines(), start=1):
        parts = line.split(" ")
        if len(parts) != 6 or not all(part.isdecimal() for part in parts[:5]):
            raise InputError(f"{files[0]}, line {number}: expected frame, id, class, H, W and RLE")
        frame, name, kind, height, width = (int(part) for part in parts[:5])
        size = (height, width)
        found = ObjectMask({"size": [height, width], "counts": parts[5]})
        by_frame[frame][name % FACTOR] = found
        names[name % FACTOR] = classes.get(kind, UNNAMED)
    return collected(files[0].stem, size, by_frame, names)


def read_mots_png(folder: Path) -> Result:
    """A result from MOTS pictures."""
    videos = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    if len(videos) != 1:
        raise InputError(f"{folder}: expected the folder of one video")
    classes = _read_classes(folder)
    by_frame: dict[int, dict[Key, ObjectMask]] = defaultdict(dict)
    names: dict[Key, str] = {}
    size = (0, 0)
    for path in sorted(videos[0].glob("*.png")):
        with open_picture(path) as picture:
            pixels = np.asarray(picture)
        size = (pixels.shape[0], pixels.shape[1])
        by_frame[int(path.stem)] = {}
        for name in np.unique(pixels[pixels > 0]).tolist():
            by_frame[int(path.stem)][name % FACTOR] = ObjectMask.of(pixels == name)
            names[name % FACTOR] = classes.get(name // FACTOR, UNNAMED)
    return collected(videos[0].name, size, by_frame, names)


def _read_classes(folder: Path) -> dict[int, str]:
    path = folder / CLASSES
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [line.split(" ", 1) for line in lines if " " in line]
    return {int(number): name for number, name in rows if number.isdecimal()}
