"""Which objects of which videos are scored: ``--video`` and ``--object``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sam2s.errors import InputError

LISTED = 10


@dataclass(frozen=True, slots=True, order=True)
class ObjectName:
    """An object of one video, or, without ``video``, the object of this number in every video."""

    video: str | None
    object_id: int

    @staticmethod
    def parse(text: str) -> ObjectName:
        """``ID`` or ``VIDEO/ID``, as result files name objects."""
        video, _, number = text.rpartition("/")
        if not number.isdecimal():
            raise InputError(f"--object {text}: expected ID or VIDEO/ID, such as 2 or op1/2")
        return ObjectName(video or None, int(number))

    def __str__(self) -> str:
        return str(self.object_id) if self.video is None else f"{self.video}/{self.object_id}"


@dataclass(frozen=True, slots=True)
class Selection:
    """``videos``: names, () for all; ``objects``: () for all."""

    videos: tuple[str, ...] = ()
    objects: tuple[ObjectName, ...] = ()

    def of(self, there: Mapping[str, Collection[int]]) -> tuple[str, ...]:
        """The videos to score, in order, of {video: its object ids}. ``InputError`` for a video or
        an object that is not there."""
        unknown = sorted(set(self.videos) - set(there))
        if unknown:
            raise InputError(f"no such video: {', '.join(unknown)}; there are {some(there)}")
        names = tuple(self.videos or there)
        for wanted in self.objects:
            if not any(wanted.video in (None, v) and wanted.object_id in there[v] for v in names):
                known = [f"{v}/{i}" for v in names for i in sorted(there[v])]
                raise InputError(f"no such object: {wanted}; there are {some(known)}")
        if not self.objects:
            return names
        return tuple(name for name in names if any(self.takes(name, i) for i in there[name]))

    def takes(self, video: str, object_id: int) -> bool:
        """Whether the object is to be scored, its video being chosen."""
        return not self.objects or any(
            wanted.object_id == object_id and wanted.video in (None, video)
            for wanted in self.objects
        )


def some(names: Iterable[object]) -> str:
    """The first names, and how many more."""
    listed = [str(name) for name in names]
    more = len(listed) - LISTED
    return ", ".join(listed[:LISTED]) + (f" and {more} more" if more > 0 else "")
