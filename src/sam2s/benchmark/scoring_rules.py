"""The rules that evaluators disagree on, each an option; ``docs/benchmark.md`` says who does what.
Light to import."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar


@dataclass(frozen=True, slots=True)
class ScoringRules:
    """Which objects and frames count, and how means are formed (docs/benchmark.md)."""

    skip_first: Literal["none", "annotated", "prompted"] = "prompted"
    """Leave out of each object's annotated frames: none, the first (DAVIS, SA-V), or all up to the
    first that shows it, which is the prompted one."""
    skip_last: Literal["none", "object", "video"] = "none"
    """Leave out each object's last annotated frame (SA-V), or the video's last annotated frame
    (DAVIS)."""
    absent: Literal["score", "skip"] = "score"
    """Frames on which the object is absent: score 1 for an empty mask and 0 for any other, or leave
    them out."""
    unseen: Literal["score", "skip"] = "score"
    """Leading frames on which neither the true nor the predicted mask has shown the object yet, and
    objects that no scored frame shows: score them like others, or leave them out (SA-V)."""
    unlabelled: Literal["skip", "absent"] = "skip"
    """A frame that is annotated for another object only: leave it out for this one, or take this
    one to be absent."""
    late: Literal["prompt", "drop"] = "prompt"
    """An object that is not on the video's first annotated frame: prompt it where it appears, or
    leave it out (DAVIS)."""
    unit: Literal["object", "video"] = "object"
    """What the mean of a subset is over: objects, or videos with the mean over their objects."""
    mean: Literal["subsets", "all"] = "subsets"
    """The overall mean: over the subsets' means, or over all units at once (DAVIS, SA-V)."""


BENCHMARK = ScoringRules()
"""What ``sam2s benchmark`` goes by."""
EVERY_FRAME = ScoringRules(skip_first="none")
"""The default for folders of masks, which do not say what was prompted."""
DAVIS = ScoringRules(skip_first="annotated", skip_last="video", late="drop", mean="all")
"""DAVIS 2017, semi-supervised."""
SA_V = ScoringRules(skip_first="annotated", skip_last="object", unseen="skip", mean="all")
"""The evaluator of SA-V, val and test."""


def frames_to_score(
    rules: ScoringRules, annotated: Sequence[int], start: int | None, everyone: Sequence[int]
) -> list[int]:
    """The frames of one object that may count, ascending.

    ``annotated``: its annotated frames; ``start``: the first of them that shows it, None if none
    does; ``everyone``: the frames annotated for any object of the video. All ascending.
    """
    frames = list(everyone if rules.unlabelled == "absent" else annotated)
    last = {"none": None, "object": annotated[-1:], "video": everyone[-1:]}[rules.skip_last]
    if rules.skip_first == "annotated":
        frames = frames[1:]
    elif rules.skip_first == "prompted":
        frames = [] if start is None else [frame for frame in frames if frame > start]
    return [frame for frame in frames if not last or frame != last[0]]


def takes_part(rules: ScoringRules, start: int | None, everyone: Sequence[int]) -> bool:
    """Whether an object that first shows on ``start`` counts at all."""
    return rules.late == "prompt" or (start is not None and start == everyone[0])


@dataclass(frozen=True, slots=True)
class Shown:
    """Whether the true and the predicted mask of a frame show the object."""

    truth: bool
    guess: bool


T = TypeVar("T")


def counted(rules: ScoringRules, frames: Sequence[tuple[Shown, T]]) -> list[T]:
    """Of one object's frames to score, in order, those that count by what their masks show."""
    if rules.unseen == "skip":
        if not any(shown.truth for shown, _ in frames):
            return []
        first = next(i for i, (shown, _) in enumerate(frames) if shown.truth or shown.guess)
        frames = frames[first:]
    return [value for shown, value in frames if shown.truth or rules.absent == "score"]
