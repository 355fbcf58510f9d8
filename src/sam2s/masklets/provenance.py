"""Where the videos of a converted folder come from: ``sources.json``, beside ``masklets.json``.

::

    {"sources": {title: {"reader", "frames", "options", "licence", "get", "without_objects":
    [video]}},
     "videos": {name: {"source", "recording", "ids": "source" | "derived", "labelled": [class],
                       "frames": {frame: {"source_frame", "time_s"}}}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sam2s.masklets.catalogue import Line, VideoName
from sam2s.typed_json import read_json

SOURCES = "sources.json"


@dataclass(frozen=True, slots=True)
class FrameOrigin:
    """One frame: its number in the source, and its true time there in seconds; None = unknown."""

    source_frame: int | None = None
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class VideoOrigin:
    """One video. ``recording``: what it was cut from, equal for all parts of one recording;
    ``ids``: whether identities over time are the source's or were derived by linking;
    ``labelled``: classes that were annotated, seen or not; ``frames``: {frame name: its origin}."""

    source: Line | None = None
    recording: Line | None = None
    ids: Literal["source", "derived"] = "derived"
    labelled: tuple[Line, ...] = ()
    frames: Mapping[str, FrameOrigin] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """How a source was converted. ``without_objects``: its videos that hold nothing and were left
    out."""

    reader: Line | None = None
    frames: Line | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    get: str | None = None
    without_objects: tuple[VideoName, ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """``sources.json``: {title: settings} and {video: origin}."""

    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    videos: Mapping[VideoName, VideoOrigin] = field(default_factory=dict)


NOWHERE = VideoOrigin()
"""A video of which nothing is known."""


def read_provenance(root: Path) -> Provenance:
    """The content of ``sources.json``, empty where there is none. Raises InputError when it is
    damaged."""
    path = root / SOURCES
    return read_json(path, Provenance) if path.exists() else Provenance()
