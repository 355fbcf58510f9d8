"""SurgAI3.8k: the uterus in gynaecologic laparoscopy. Its layout is not published: the user states
it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from sam2s.convert.sources.base import (
    Picture,
    ReadOptions,
    Region,
    Source,
    SourceFrame,
    SourceInfo,
    SourceVideo,
    tissue,
)
from sam2s.convert.sources.common import whole
from sam2s.convert.sources.file_tree import FileTree, pair, unique
from sam2s.convert.sources.label_masks import read_codes
from sam2s.errors import InputError
from sam2s.media.pictures import PICTURE_SUFFIXES

EXAMPLE = (
    r"'images=(?P<video>\d+)/images/(?P<frame>\d+)\.png'"
    r" 'masks=(?P<video>\d+)/masks/(?P<frame>\d+)\.png'"
)
INFO = SourceInfo(
    name="surgai3.8k",
    title="SurgAI3.8k",
    get=(
        "surgai3.8k_v1p0.zip on the code-and-datasets page of the EnCoV group (Universite Clermont"
        " Auvergne)"
    ),
    licence="unconfirmed",
    holds=(
        "3,800 pictures of 79 laparoscopies by its paper, 3,817 frames of 51 videos in SA-SV;"
        " uterus masks"
    ),
    shape="video",
    procedure="gynaecology",
    split="SA-SV tests on 51 videos",
    expected="pictures and masks at the places that the options 'images' and 'masks' state",
    options={
        "images": "regular expression of the pictures' paths, with the groups video and frame",
        "masks": "regular expression of the masks' paths, with the same groups",
        "value": "mask value of the uterus: above0 (default) or a number",
    },
)
CLASSES = {"uterus": tissue("uterus")}


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video a value of the group ``video``; the uterus is one track."""
    tree = FileTree(INFO, root)
    if not options.get("images", "") or not options.get("masks", ""):
        raise InputError(
            f"{INFO.title}: its layout is not published; state it by two options, such as"
            f" {EXAMPLE}. {probe(root)}"
        )
    tables = [_numbered(tree, name, options) for name in ("images", "masks")]
    value = options.get("value", "above0")
    if value != "above0" and not value.isdecimal():
        raise InputError(f"option value={value}: expected above0 or a number from 1 to 255")
    videos: dict[str, list[SourceFrame]] = {}
    for key, picture, mask in pair(INFO, tables[0], tables[1], unmasked="skip"):
        video, number = key.rsplit("/", 1)
        frame = SourceFrame(
            f"{int(number):06d}",
            Picture(picture),
            int(number),
            None,
            partial(_regions, mask, value),
            (mask,),
        )
        videos.setdefault(video, []).append(frame)
    for video, frames in videos.items():
        yield SourceVideo(video, frames, CLASSES, "test", f"surgai:{video}")


def _numbered(tree: FileTree, option: str, options: ReadOptions) -> dict[str, Path]:
    pattern = options.get(option, "")
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise InputError(
            f"option {option}={pattern}: not a regular expression ({error})"
        ) from error
    if not {"video", "frame"} <= set(groups):
        raise InputError(
            f"option {option}={pattern}: expected the groups (?P<video>...) and (?P<frame>...)"
        )
    found = tree.match(pattern)
    if not found:
        raise tree.unlike(f"no path matches {option}={pattern}")
    if any(not m["frame"].isdecimal() for m, _ in found):
        raise InputError(f"option {option}={pattern}: the group 'frame' must match digits only")
    return unique(INFO, ((f"{m['video']}/{int(m['frame'])}", path) for m, path in found))


def _regions(path: Path, value: str) -> list[Region]:
    codes = read_codes(path)
    return [whole("uterus", codes > 0 if value == "above0" else codes == int(value))]


def probe(root: Path, samples: int = 3) -> str:
    """What lies below ``root``, in one line: folders with their number of pictures, and the values
    of a few pictures with few values, which are masks by all likelihood."""
    tree = FileTree(INFO, root)
    pictures = [path for path in tree.paths if Path(path).suffix.lower() in PICTURE_SUFFIXES]
    folders = Counter(str(Path(path).parent) for path in pictures)
    listed = "; ".join(
        f"{folder}: {count} pictures, such as {_first(pictures, folder)}"
        for folder, count in folders.most_common(8)
    )
    values = []
    for folder in folders:
        found = np.unique(read_codes(root / folder / _first(pictures, folder)))
        if len(found) <= 16:
            values.append(f"{folder}: {', '.join(map(str, found))}")
    masks = (
        f" Mask-like values in {' | '.join(values[:samples])}."
        if values
        else " No mask-like picture was found."
    )
    return f"Found {listed or 'no pictures'}.{masks}"


def _first(pictures: list[str], folder: str) -> str:
    return next(Path(path).name for path in pictures if str(Path(path).parent) == folder)


SOURCE = Source(INFO, read)
