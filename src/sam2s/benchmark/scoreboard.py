"""Scores of many objects and every mean of them that a paper's table shows.

The unit is one object in one video, scored over its frames. A **subset** is one source's objects of
one kind, named ``source`` or, where a source holds both kinds, ``source/instrument`` and
``source/tissue`` (as SAM2S's benchmark counts EndoVis18 twice); a suite names its subsets itself. A
subset's score is the mean over its objects, the overall ``mean`` is the mean over subsets, so that
a source with many objects does not outvote the others; ``mean_over_objects`` counts every object
once, as DAVIS does. ``Means`` holds the other choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sam2s.metrics import Score, mean_score
from sam2s.metrics.behaviour import Behaviour, total
from sam2s.metrics.calibration import Calibration, total_calibration
from sam2s.metrics.score_over_time import AgeBinScore, ScoreOverTime, mean_over_time


@dataclass(frozen=True, slots=True)
class ObjectScore:
    """One object's score; ``score`` is None when it has no frame to score. ``first``: index of its
    prompted frame.

    ``behaviour``: swaps and recovery; ``course``: J and F over the time since the prompt;
    ``calibration``: boundary pixels of the model's logits. None where there was nothing to measure.
    """

    video: str
    object_id: int
    source: str
    kind: str
    procedure: str | None = None
    class_name: str | None = None
    first: int | None = None
    score: Score | None = None
    behaviour: Behaviour | None = None
    course: ScoreOverTime | None = None
    calibration: Calibration | None = None

    def to_json(self) -> dict[str, Any]:
        """All fields; `from_json` reads them."""
        plain = ("video", "object_id", "source", "kind", "procedure", "class_name", "first")
        parts = {name: getattr(self, name) for name in _PARTS}
        return {
            **{name: getattr(self, name) for name in plain},
            "score": None if self.score is None else asdict(self.score),
            **{name: None if part is None else part.to_json() for name, part in parts.items()},
        }

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> ObjectScore:
        """What `to_json` gave."""
        given = dict(entry)
        if given["score"] is not None:
            given["score"] = Score(**given["score"])
        for name, read in _PARTS.items():
            if given.get(name) is not None:
                given[name] = read(given[name])
        return ObjectScore(**given)


_PARTS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "behaviour": Behaviour.from_json,
    "course": ScoreOverTime.from_json,
    "calibration": Calibration.from_json,
}
SubsetOf = Callable[[ObjectScore], str]


@dataclass(frozen=True, slots=True)
class Means:
    """How means are formed. ``unit``: a subset's mean is over objects, or over videos with the mean
    over their objects; ``over``: the overall mean is over subsets, or over ``all`` units;
    ``subset``: names an object's subset, None: by source and kind."""

    unit: Literal["object", "video"] = "object"
    over: Literal["subsets", "all"] = "subsets"
    subset: SubsetOf | None = None


OF_SUBSETS = Means()
"""Over the objects of a subset, then over subsets."""


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """The scores of one method on all objects of a benchmark."""

    objects: tuple[ObjectScore, ...]
    means: Means = OF_SUBSETS

    @property
    def mean(self) -> Score | None:
        """The overall mean; over the subsets' means unless ``means`` says otherwise."""
        return (
            mean_score(self.subsets.values())
            if self.means.over == "subsets"
            else self._mean(self.objects)
        )

    @property
    def mean_over_objects(self) -> Score | None:
        """Every object counts once, as in DAVIS."""
        return mean_score(o.score for o in self.objects)

    @property
    def mean_over_videos(self) -> Score | None:
        """The mean over videos of the mean over their objects."""
        return _over_videos(self.objects)

    @property
    def sources(self) -> dict[str, Score | None]:
        """{data set: its mean}."""
        return self._grouped(lambda o: o.source)

    @property
    def subsets(self) -> dict[str, Score | None]:
        """{subset: its mean}; see `Means.subset`."""
        return {name: self._mean(objects) for name, objects in self.by_subset().items()}

    @property
    def procedures(self) -> dict[str, Score | None]:
        """{procedure: its mean}."""
        return self._grouped(lambda o: o.procedure or "unknown")

    @property
    def classes(self) -> dict[str, Score | None]:
        """{class: its mean}; see `class_of`."""
        return self._grouped(class_of)

    @property
    def videos(self) -> dict[str, Score | None]:
        """{video: its mean}."""
        return self._grouped(lambda o: o.video)

    def by_subset(self) -> dict[str, list[ObjectScore]]:
        """{subset: its objects}."""
        kinds: dict[str, set[str]] = {}
        for scored in self.objects:
            kinds.setdefault(scored.source, set()).add(scored.kind)

        def by_kind(scored: ObjectScore) -> str:
            return (
                scored.source
                if len(kinds[scored.source]) == 1
                else f"{scored.source}/{scored.kind}"
            )

        return _groups(self.objects, self.means.subset or by_kind)

    @property
    def behaviour(self) -> Behaviour:
        """Swaps, recovery and presence of all objects together."""
        return total(o.behaviour for o in self.objects)

    @property
    def calibration(self) -> Calibration | None:
        """Boundary pixels of all objects together; None when the method has no logits."""
        return total_calibration(o.calibration for o in self.objects)

    @property
    def course(self) -> tuple[AgeBinScore, ...]:
        """J and F since the prompt, mean over objects."""
        return mean_over_time(o.course for o in self.objects)

    def of(self, objects: Iterable[ObjectScore]) -> Scoreboard:
        """Some of the objects, with the same means."""
        return Scoreboard(tuple(objects), self.means)

    def _grouped(self, key: SubsetOf) -> dict[str, Score | None]:
        return {name: self._mean(objects) for name, objects in _groups(self.objects, key).items()}

    def _mean(self, objects: Iterable[ObjectScore]) -> Score | None:
        return (
            _over_videos(objects)
            if self.means.unit == "video"
            else mean_score(o.score for o in objects)
        )

    def to_json(self) -> dict[str, Any]:
        """Every mean, in percent, under its name."""
        groups = {
            name: getattr(self, name)
            for name in ("subsets", "sources", "procedures", "classes", "videos")
        }
        return {
            "mean": percent(self.mean),
            "mean_over_objects": percent(self.mean_over_objects),
            "mean_over_videos": percent(self.mean_over_videos),
            **{
                name: {key: percent(score) for key, score in group.items()}
                for name, group in groups.items()
            },
            "objects": {
                f"{o.video}/{o.object_id:03d}": {
                    **(percent(o.score) or {"j": None, "f": None, "jf": None, "frames": 0}),
                    "class": o.class_name,
                    "kind": o.kind,
                    "first": o.first,
                }
                for o in self.objects
            },
        }


def class_of(scored: ObjectScore) -> str:
    """The object's class, or its kind where nobody named it."""
    return scored.class_name or f"{scored.kind} (no type)"


def _groups(objects: Iterable[ObjectScore], key: SubsetOf) -> dict[str, list[ObjectScore]]:
    groups: dict[str, list[ObjectScore]] = {}
    for scored in objects:
        groups.setdefault(key(scored), []).append(scored)
    return groups


def _over_videos(objects: Iterable[ObjectScore]) -> Score | None:
    videos = _groups(objects, lambda o: o.video)
    return mean_score(mean_score(o.score for o in group) for group in videos.values())


def percent(score: Score | None) -> dict[str, float] | None:
    """A score as JSON shows it: J, F and J&F in percent, and how many frames it is over; None
    where there is none."""
    if score is None:
        return None
    return {
        "j": round(100 * score.j, 6),
        "f": round(100 * score.f, 6),
        "jf": round(100 * score.jf, 6),
        "frames": score.frames,
    }


def merge(boards: Iterable[Scoreboard]) -> Scoreboard:
    """One scoreboard of all objects."""
    return Scoreboard(tuple(o for board in boards for o in board.objects))
