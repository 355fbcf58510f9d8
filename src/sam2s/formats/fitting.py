"""A result made to fit: formats that cannot hold all of it, readers who may not know all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sam2s.formats.result import UNNAMED, ObjectMask, Result, ResultFrame
from sam2s.masklets.vocabulary import is_known
from sam2s.typed_json import read_json

LONGEST_VIDEO = 1e6
"""Seconds; times beyond count from a date."""


def apart(masks: Mapping[int, ObjectMask]) -> dict[int, ObjectMask]:
    """The masks of one frame without overlap: the larger id lies on top."""
    planes = {object_id: found.mask for object_id, found in sorted(masks.items())}
    above = np.zeros(next(iter(planes.values())).shape, bool) if planes else None
    free: dict[int, ObjectMask] = {}
    for object_id, plane in reversed(planes.items()):
        assert above is not None
        free[object_id] = replace(masks[object_id], rle=ObjectMask.of(plane & ~above).rle)
        above |= plane
    return dict(sorted(free.items()))


def without_overlap(result: Result) -> Result:
    """The same objects, the larger number on top where they overlap."""
    return _each_frame(result, lambda frame: replace(frame, masks=apart(frame.masks)))


def renumbered(result: Result) -> Result:
    """The same objects, numbered from 1 in their order."""
    number = {object_id: place for place, object_id in enumerate(result.ids, start=1)}
    names = {number[i]: name for i, name in result.names.items() if i in number}
    return _each_frame(
        replace(result, names=names),
        lambda frame: replace(frame, masks={number[i]: m for i, m in frame.masks.items()}),
    )


def _each_frame(result: Result, change: Callable[[ResultFrame], ResultFrame]) -> Result:
    return replace(result, frames=lambda: map(change, result.frames()))


@dataclass(frozen=True, slots=True)
class NeutralNames:
    """``videos`` and ``classes``: {neutral name: what it stands for}."""

    videos: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)

    def with_result(self, result: Result) -> NeutralNames:
        """The same with names for a result: for its video, and for classes outside the vocabulary
        of surgery, which a person typed. Names that are there stay what they are."""
        typed = sorted({n for n in result.names.values() if not is_known(n) and n != UNNAMED})
        return NeutralNames(
            _counted(self.videos, [result.video], "video_{:04d}"),
            _counted(self.classes, typed, "class_{:03d}"),
        )

    def hide(self, result: Result) -> Result:
        """The result under neutral names, with times that tell no date."""
        videos = {real: neutral for neutral, real in self.videos.items()}
        classes = {real: neutral for neutral, real in self.classes.items()}
        first = next((f.time for f in result.frames() if f.time is not None), 0.0)
        start = first if first > LONGEST_VIDEO else 0.0
        named = replace(
            result,
            video=videos[result.video],
            names={i: classes.get(name, name) for i, name in result.names.items()},
        )
        return _each_frame(
            named,
            lambda frame: replace(frame, time=None if frame.time is None else frame.time - start),
        )


def _counted(known: Mapping[str, str], real: list[str], form: str) -> dict[str, str]:
    """{neutral name: real one} with a new one for each that has none."""
    table = dict(known)
    for name in real:
        if name not in table.values():
            number = 1
            while form.format(number) in table:
                number += 1
            table[form.format(number)] = name
    return table


def read_names(path: Path) -> NeutralNames:
    """What an earlier export wrote down; nothing where there is no such file yet."""
    return read_json(path, NeutralNames) if path.exists() else NeutralNames()
