"""J and F against the time since the prompt, as sums per bin of age, so that curves of objects add
up.

Bins grow with age, two to every doubling (1, 2, 3, 4-5, 6-7, 8-11, 12-15, 16-23, ... frames): a few
numbers describe a video of any length, and the first frames after the prompt have bins of their
own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sam2s.metrics.scores import Score


@dataclass(frozen=True, slots=True)
class ScoreOverTime:
    """One object's J and F over time. ``bins``: {bin of age: mean J and F over its frames}."""

    bins: Mapping[int, Score]

    def to_json(self) -> dict[str, Any]:
        """{bin: [J, F, frames]}; `from_json` reads it."""
        return {str(bin): [score.j, score.f, score.frames] for bin, score in self.bins.items()}

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> ScoreOverTime:
        """What `to_json` gave."""
        return ScoreOverTime({int(bin): Score(*values) for bin, values in entry.items()})


@dataclass(frozen=True, slots=True)
class AgeBinScore:
    """Mean over the ``objects`` with frames of ages ``first`` to ``last`` (inclusive, in frames
    since the prompt)."""

    first: int
    last: int
    score: Score
    objects: int


def score_over_time(scores: Iterable[tuple[int, Score]]) -> ScoreOverTime:
    """J and F over time of one object, from (age in frames, score of that frame); ages below 1 are
    left out."""
    found: dict[int, list[Score]] = {}
    for age, score in scores:
        if age >= 1:
            found.setdefault(age_bin(age), []).append(score)
    return ScoreOverTime(
        {bin: _mean(found[bin], sum(s.frames for s in found[bin])) for bin in sorted(found)}
    )


def mean_over_time(courses: Iterable[ScoreOverTime | None]) -> tuple[AgeBinScore, ...]:
    """Unweighted mean over objects, bin by bin; later bins average fewer objects, those of longer
    videos."""
    found: dict[int, list[Score]] = {}
    for one in courses:
        for bin, score in one.bins.items() if one is not None else ():
            found.setdefault(bin, []).append(score)
    return tuple(
        AgeBinScore(
            *bin_ages(bin), _mean(found[bin], sum(s.frames for s in found[bin])), len(found[bin])
        )
        for bin in sorted(found)
    )


def age_bin(age: int) -> int:
    """The bin of an age of 1 or more frames."""
    doublings = age.bit_length() - 1
    return 2 * doublings + (2 * age >= 3 << doublings)


def bin_ages(bin: int) -> tuple[int, int]:
    """First and last age of a bin; bin 1 (between 1 and 2) holds none and is never used."""
    return _edge(bin), _edge(bin + 1) - 1


def _edge(bin: int) -> int:
    half, upper = divmod(bin, 2)
    return (1 << half) if not upper else -(-(3 << half) // 2)


def _mean(scores: list[Score], frames: int) -> Score:
    return Score(
        float(np.mean([s.j for s in scores])), float(np.mean([s.f for s in scores])), frames
    )
