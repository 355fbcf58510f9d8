"""ART-Net: stills of laparoscopic hysterectomy, one binary tool mask each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sam2s.convert.sources.base import (
    ReadOptions,
    Region,
    Source,
    SourceInfo,
    SourceVideo,
    instrument,
)
from sam2s.convert.sources.common import still, whole
from sam2s.convert.sources.file_tree import FileTree, pair, unique
from sam2s.convert.sources.label_masks import read_threshold, resize_nearest
from sam2s.media.pictures import read_size

INFO = SourceInfo(
    name="art-net",
    title="ART-Net",
    get="registration form linked in the README of kamruleee51/ART-Net",
    licence="research and academic use with citation (README's wording)",
    holds=(
        "816 stills with a tool and as many without, of 29 laparoscopic hysterectomies; one binary"
        " mask a picture"
    ),
    shape="stills",
    procedure="hysterectomy",
    split="Train and Test in the source; SA-SV trains on the positive pictures of both",
    expected=(
        "Train/Train_Positive/<stem>.png and Train/Train_Positive_Tool_Mask/<stem>_Tool_Mask.png"
        " (and Test/...)"
    ),
)
CLASSES = {"tool": instrument()}


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per picture with a tool; pictures without hold nothing to follow. The mask stays
    one, as SA-SV has it."""
    tree = FileTree(INFO, root)
    pictures, masks = (
        unique(INFO, ((f"{m['part']}/{m['stem']}", path) for m, path in tree.require(pattern)))
        for pattern in (
            r"(?P<part>Train|Test)_Positive/(?P<stem>[^/]+)\.(?:png|jpe?g)",
            r"(?P<part>Train|Test)_Positive_Tool_Mask/(?P<stem>[^/]+?)_Tool_Mask\.(?:png|jpe?g)",
        )
    )
    for key, picture, mask in pair(INFO, pictures, masks):
        yield still(key.split("/")[1], picture, partial(_regions, picture, mask, options), CLASSES)


def _regions(picture: Path, path: Path, options: ReadOptions) -> list[Region]:
    mask, size = read_threshold(path), read_size(picture)
    if mask.shape != size:
        options.note("mask of another size than its picture, resized to the nearest pixel", path)
    return [whole("tool", resize_nearest(mask, size))]


SOURCE = Source(INFO, read)
