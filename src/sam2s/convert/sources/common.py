"""What several readers share: stills, polyps, parts of a class table, doubts about codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from sam2s.convert.link import RETURNING
from sam2s.convert.sources.base import (
    Picture,
    ReadOptions,
    Region,
    SourceFrame,
    SourceVideo,
    tissue,
)
from sam2s.convert.sources.label_masks import read_ids, read_threshold
from sam2s.convert.sources.regions import components
from sam2s.masklets.catalogue import ObjectInfo
from sam2s.masklets.masks import VOID, is_black_and_white

SUBSET = "sa-sv (default): the videos that SA-SV uses; all: the others too, with split 'extra'"
FAST_CAMERA = replace(RETURNING, reach=4.0)
"""For flexible endoscopes: neighbouring frames of the public sets often show a thing in quite
another place, and there are few things."""
IDENTITIES = (
    "linked (default): every region gets an identity; certain: frames on which it cannot be known"
    " which region an object is are left unannotated, objects seen on fewer than 4 frames left out"
)
"""The option ``identities`` of sources that label classes and not things."""
POLYP: Mapping[str, ObjectInfo] = {"polyp": tissue("polyp")}
THING: Mapping[str, ObjectInfo] = {"thing": ObjectInfo(None, "other")}
"""Whatever an everyday video shows; nobody says what it is."""


@dataclass(frozen=True, slots=True)
class StillOrigin:
    """What a still image was taken from: the recording ``key`` (empty = unknown), the number of the
    frame there, and its time in that recording in seconds (None = unknown)."""

    key: str = ""
    number: int = 0
    time_s: float | None = None


def certain(options: ReadOptions) -> bool:
    """Whether ``identities=certain`` was asked for."""
    return options.get("identities", "linked", ("linked", "certain")) == "certain"


def still(
    name: str,
    picture: Path,
    regions: Callable[[], list[Region]],
    classes: Mapping[str, ObjectInfo],
    origin: StillOrigin | None = None,
    *,
    split: str = "train",
    labels: tuple[Path, ...] = (),
) -> SourceVideo:
    """A still image as a sequence of length one. ``regions`` decodes its labels; ``labels`` are the
    mask pictures that must be of the picture's size."""
    taken = origin or StillOrigin()
    frame = SourceFrame(
        f"{taken.number:06d}", Picture(picture), taken.number, taken.time_s, regions, labels
    )
    return SourceVideo(name, [frame], classes, split, taken.key or name, ids="derived")


def whole(label: str, mask: np.ndarray) -> Region:
    """A class with one instance: its whole mask, one identity in the video."""
    return Region(label, mask, track=label)


def things(
    label: str, mask: np.ndarray, min_fraction: float = 0.0005, bridge: int = 0
) -> list[Region]:
    """A class with several instances: its connected components, to be linked."""
    return [Region(label, part) for part in components(mask, min_fraction, bridge)]


def instances(path: Path, options: ReadOptions, label: str = "thing") -> list[Region]:
    """The things of a mask whose pixel values are their identities. A mask of 0 and 255 alone
    (soft edges and JPEG noise aside) shows one thing, the first."""
    lossy = path.suffix.lower() in (".jpg", ".jpeg")
    codes = np.zeros((1, 1), np.uint8) if lossy else read_ids(path)
    values = np.flatnonzero(np.bincount(codes.ravel(), minlength=VOID + 1))
    values = values[values > 0]
    if lossy or is_black_and_white(values.tolist()):
        mask = read_threshold(path)
        return [Region(label, mask, track="1")] if mask.any() else []
    if VOID in values:
        options.note(f"value {VOID} beside object numbers, taken as void", path)
    return [
        Region(label, codes == value, track=str(value)) for value in values.tolist() if value < VOID
    ]


def polyps(path: Path, min_fraction: float = 0.0005) -> list[Region]:
    """The polyps of a black-and-white mask, JPEG or not."""
    return things("polyp", read_threshold(path), min_fraction)


def polyp_region(path: Path) -> list[Region]:
    """All polyps of a black-and-white mask as one region."""
    return [Region("polyp", read_threshold(path))]


def polyp_frames(
    numbered: Sequence[tuple[int, Path, Path]],
    decode: Callable[[Path], list[Region]] = polyps,
) -> list[SourceFrame]:
    """Frames of an endoscopic sequence out of (number, picture, mask), in the order of the
    numbers; ``decode`` gives the regions of a mask."""
    ordered = sorted(numbered)
    distinct = len({number for number, _, _ in ordered}) == len(ordered)
    return [
        SourceFrame(
            f"{n if distinct else i:06d}",
            Picture(picture),
            n,
            None,
            partial(decode, mask),
            (mask,),
        )
        for i, (n, picture, mask) in enumerate(ordered)
    ]


def note_strays(
    strays: Mapping[int, int], path: Path, options: ReadOptions, known: frozenset[int]
) -> None:
    """Report codes that no table explains; ``known``: those which stand for background, borders and
    the like."""
    for code in sorted(set(strays) - known):
        options.note(f"unknown code {code} in a mask, left out", path)


def excluded(options: ReadOptions) -> frozenset[str]:
    """The option ``exclude``: comma-separated names or numbers."""
    return frozenset(part.strip() for part in options.get("exclude", "").split(",") if part.strip())
