"""Sets of frames as sorted, disjoint stretches: where an object is locked, or marked absent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sam2s.errors import InputError


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames ``first`` to ``last``, both included, counted from 0; ``InputError`` otherwise."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise InputError(
                f"frames {self.first} to {self.last}: expected a first frame from 0 on and a last"
                " one that is not before it"
            )

    def __len__(self) -> int:
        return self.last - self.first + 1

    def __contains__(self, frame: int) -> bool:
        return self.first <= frame <= self.last

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))


@dataclass(frozen=True, slots=True)
class Stretches:
    """A set of frames. ``parts`` are sorted, do not overlap and do not touch, so equal sets compare
    equal."""

    parts: tuple[Stretch, ...] = ()

    @staticmethod
    def of(parts: Iterable[Stretch]) -> Stretches:
        """The union of stretches in any order, overlapping or not."""
        merged: list[Stretch] = []
        for part in sorted(parts, key=lambda part: part.first):
            if merged and part.first <= merged[-1].last + 1:
                merged[-1] = Stretch(merged[-1].first, max(merged[-1].last, part.last))
            else:
                merged.append(part)
        return Stretches(tuple(merged))

    def __contains__(self, frame: int) -> bool:
        return any(frame in part for part in self.parts)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __iter__(self) -> Iterator[int]:
        return (frame for part in self.parts for frame in part)

    def plus(self, part: Stretch) -> Stretches:
        """The set with ``part`` added."""
        return Stretches.of((*self.parts, part))

    def minus(self, part: Stretch) -> Stretches:
        """The set without the frames of ``part``."""
        left: list[Stretch] = []
        for mine in self.parts:
            if mine.last < part.first or mine.first > part.last:
                left.append(mine)
                continue
            if mine.first < part.first:
                left.append(Stretch(mine.first, part.first - 1))
            if mine.last > part.last:
                left.append(Stretch(part.last + 1, mine.last))
        return Stretches(tuple(left))

    def without(self, other: Stretches) -> Stretches:
        """The set without the frames of another."""
        left = self
        for part in other.parts:
            left = left.minus(part)
        return left

    def next_from(self, frame: int) -> int | None:
        """The first frame of the set at or after ``frame``; None where there is none."""
        return next((max(frame, p.first) for p in self.parts if p.last >= frame), None)

    def last_until(self, frame: int) -> int | None:
        """The last frame of the set at or before ``frame``; None where there is none."""
        return next((min(frame, p.last) for p in reversed(self.parts) if p.first <= frame), None)


NO_FRAMES = Stretches()
"""The empty set of frames."""
