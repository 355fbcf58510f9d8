"""Scores of many objects and every mean of them that a paper's table shows.

The unit is one object in one video, scored over its frames. A **subset** is one source's objects of one kind, named
``source`` or, where a source holds both kinds, ``source/instrument`` and ``source/tissue`` (as SAM2S's benchmark counts
EndoVis18 twice). A subset's score is the mean over its objects, the overall ``mean`` is the mean over subsets, so that
a source with many objects does not outvote the others; ``mean_over_objects`` counts every object once, as DAVIS does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sam2s.metrics import Score, mean_score


@dataclass(frozen=True, slots=True)
class ObjectScore:
    """One object's score; ``score`` is None when it has no frame to score. ``first``: index of its prompted frame."""

    video: str
    object_id: int
    source: str
    kind: str
    procedure: str | None = None
    class_name: str | None = None
    first: int | None = None
    score: Score | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> ObjectScore:
        given = dict(entry)
        if given["score"] is not None:
            given["score"] = Score(**given["score"])
        return ObjectScore(**given)


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """The scores of one method on all objects of a benchmark."""

    objects: tuple[ObjectScore, ...]

    @property
    def mean(self) -> Score | None:
        """Mean over the subsets' means."""
        return mean_score(self.subsets.values())

    @property
    def mean_over_objects(self) -> Score | None:
        return mean_score(o.score for o in self.objects)

    @property
    def sources(self) -> dict[str, Score | None]:
        return self._grouped(lambda o: o.source)

    @property
    def subsets(self) -> dict[str, Score | None]:
        kinds: dict[str, set[str]] = {}
        for scored in self.objects:
            kinds.setdefault(scored.source, set()).add(scored.kind)
        return self._grouped(lambda o: o.source if len(kinds[o.source]) == 1 else f"{o.source}/{o.kind}")

    @property
    def procedures(self) -> dict[str, Score | None]:
        return self._grouped(lambda o: o.procedure or "unknown")

    @property
    def videos(self) -> dict[str, Score | None]:
        return self._grouped(lambda o: o.video)

    def _grouped(self, key: Callable[[ObjectScore], str]) -> dict[str, Score | None]:
        groups: dict[str, list[Score | None]] = {}
        for scored in self.objects:
            groups.setdefault(key(scored), []).append(scored.score)
        return {name: mean_score(scores) for name, scores in groups.items()}

    def to_json(self) -> dict[str, Any]:
        """Every mean, in percent, under its name."""
        groups = {name: getattr(self, name) for name in ("subsets", "sources", "procedures", "videos")}
        return {
            "mean": percent(self.mean),
            "mean_over_objects": percent(self.mean_over_objects),
            **{name: {key: percent(score) for key, score in group.items()} for name, group in groups.items()},
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


def percent(score: Score | None) -> dict[str, float] | None:
    """A score as JSON shows it: J, F and J&F in percent, and how many frames it rests on; None where there is none."""
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
