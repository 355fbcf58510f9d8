"""The nouns of source readers: what a public data set is, and what a reader says about its videos.

A reader lists; it does not decode. Frames name their picture and hold a function that yields their
labelled regions, so that a set of tens of thousands of frames costs a few megabytes until each
frame's turn comes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np

from sam2s.convert.link import RETURNING, LinkRules
from sam2s.convert.sources.certain import CertainRules
from sam2s.errors import InputError
from sam2s.masklets.catalogue import ObjectInfo

_COUNTING = Lock()
"""Masks are decoded on several threads."""
EXTRA = "extra"
"""Split of videos that SA-SV does not use; they are converted with the option ``subset=all``
only."""


def instrument(name: str | None = None) -> ObjectInfo:
    """An instrument by its unified name; None where the source names no type."""
    return ObjectInfo(name, "instrument")


def tissue(name: str) -> ObjectInfo:
    """A tissue by its unified name."""
    return ObjectInfo(name, "tissue")


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a user must know of a public data set before the download.

    ``expected``: the layout, as error messages print it. ``options``: {name: what it does and its
    default}.
    """

    name: str
    title: str
    get: str
    licence: str
    holds: str
    shape: Literal["video", "stills"]
    procedure: str
    split: str
    expected: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Picture:
    """Where the pixels of a frame are: a picture file, or frame ``index`` of a video file, and the
    part of it to keep.

    ``crop``: (x, y, width, height) in pixels of the file, for sources with borders.
    """

    path: Path
    index: int | None = None
    crop: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One labelled region of one frame. ``label``: the source's own name of the class; ``mask``:
    (H, W) bool, of the picture's size after its crop; ``track``: its identity in the video where
    the source or a rule gives one, None where it must be linked."""

    label: str
    mask: np.ndarray
    track: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One frame. ``number``: its number in the source; ``time_s``: true time in that video, None =
    unknown; ``regions``: decodes the labels, None = not annotated; a class of the video without a
    region is absent here; ``labels``: mask pictures that must be of the picture's size (before or
    after its crop), also where they show nothing."""

    name: str
    picture: Picture
    number: int
    time_s: float | None
    regions: Callable[[], list[Region]] | None
    labels: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceVideo:
    """One sequence of a source (a still image is a sequence of length one).

    ``classes``: the labels annotated here and their meaning; a class that is missing was not
    annotated, which is not the same as absent. ``split``: its part in SA-SV, or ``EXTRA``. ``fps``:
    of the listed frames, None = unknown or uneven. ``key``: the recording it comes from, equal for
    sequences of one recording, also across sources. ``ids``: whether identities over time are the
    source's or derived: by linking, with ``rules``, or by ``certain``, which holds all masks of the
    video in memory; each label of a frame is then one region, however many pieces it has.
    ``problem``: why the video cannot be converted, where that is known without its frames.
    """

    name: str
    frames: Sequence[SourceFrame]
    classes: Mapping[str, ObjectInfo]
    split: str
    key: str
    fps: float | None = None
    ids: Literal["source", "derived"] = "derived"
    rules: LinkRules = RETURNING
    certain: CertainRules | None = None
    procedure: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a source. ``values``: the source's own options as text; ``strict``: unknown codes
    and names are errors; ``notes`` counts everything that the user should hear of once, whatever
    its number."""

    values: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    notes: Counter[str] = field(default_factory=Counter)

    def get(self, name: str, default: str, allowed: Sequence[str] = ()) -> str:
        """Option ``name``. Raises InputError when ``allowed`` is given and does not hold it."""
        value = self.values.get(name, default)
        if allowed and value not in allowed:
            raise InputError(f"option {name}={value}: expected one of {', '.join(allowed)}")
        return value

    def number(self, name: str, default: float) -> float:
        """Option ``name`` as a number. Raises InputError when it is not one."""
        text = self.values.get(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0:
            raise InputError(f"option {name}={text}: expected a number, not below 0")
        return value

    def everything(self) -> bool:
        """Whether videos outside SA-SV are wanted too."""
        return self.get("subset", "sa-sv", ("sa-sv", "all")) == "all"

    def note(self, what: str, where: Path | str) -> None:
        """Count a doubt about the data, which ``strict`` makes an error."""
        if self.strict:
            raise InputError(f"{where}: {what} (an error because of strict)")
        with _COUNTING:
            self.notes[what] += 1


Read = Callable[[Path, ReadOptions], Iterator[SourceVideo]]


@dataclass(frozen=True, slots=True)
class Source:
    """A data set and its reader: ``read(root, options)`` yields its videos, in a fixed order.

    It raises InputError before the first video when ``root`` does not hold the expected layout.
    """

    info: SourceInfo
    read: Read
