"""Scores of a video as they stand in journals and shards: read again after a run was cut off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from sam2s.benchmark.video_scores import VideoScores
from sam2s.errors import InputError
from sam2s.metrics.calibration import BINS
from sam2s.typed_json import Bounds, Ids, OneLine, build, parse_json

Count = Annotated[int, Bounds(low=0)]
Amount = Annotated[float, Bounds(low=0)]
Fraction = Annotated[float, Bounds(0, 1)]
Line = Annotated[str, OneLine()]


@dataclass(frozen=True, slots=True)
class _Score:
    j: Fraction
    f: Fraction
    frames: Count = 1


@dataclass(frozen=True, slots=True)
class _Behaviour:
    objects: Count
    frames: Count
    swaps: Count
    on_other: Count
    absent: Count
    false_present: Count
    missed: Count
    returns: tuple[tuple[Count, Amount | None, bool], ...]


@dataclass(frozen=True, slots=True)
class _Reliability:
    count: tuple[Amount, ...]
    confidence: tuple[Amount, ...]
    positive: tuple[Amount, ...]

    def __post_init__(self) -> None:
        sums = (self.count, self.confidence, self.positive)
        if any(len(values) != BINS for values in sums):
            raise InputError(f"expected {BINS} bins")


@dataclass(frozen=True, slots=True)
class _Calibration:
    every: _Reliability
    found: _Reliability


@dataclass(frozen=True, slots=True)
class _Object:
    video: Line
    object_id: Count
    source: Line
    kind: Line
    procedure: Line | None
    class_name: Line | None
    first: Count | None
    score: _Score | None
    behaviour: _Behaviour | None = None
    course: Mapping[Annotated[int, Ids("bins of age")], tuple[Fraction, Fraction, Count]] | None = (
        None
    )
    calibration: _Calibration | None = None


@dataclass(frozen=True, slots=True)
class _Video:
    video: Line
    methods: Mapping[Line, tuple[_Object, ...]]
    prompted: tuple[_Object, ...]
    frames: Count
    object_frames: Count
    seconds: Amount
    skipped: tuple[Count, ...]


def read_scores(text: str | bytes, where: str) -> VideoScores:
    """The scores that ``VideoScores.to_json`` gave. Raises InputError that begins with ``where``
    and names the field."""
    entry = parse_json(text, dict[str, Any], where)
    build(entry, _Video, where)
    return VideoScores.from_json(entry)
