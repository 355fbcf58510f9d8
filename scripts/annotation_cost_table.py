"""What `annotation_cost.py` measured, as a table and a plot. By itself: python
scripts/annotation_cost_table.py OUT"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from sam2s.typed_json import read_json

GOOD = 0.9
"""J&F at which a frame, and a video, is done."""
METHODS = ("diverse", "recent", "frames")
Method = Literal["diverse", "recent", "frames"]
MARKS = (5, 10, 20, 40, 60, 100, 200, 400)
"""Clicks an object at which curves are read."""
LEVELS = (0.7, 0.8, 0.9)


@dataclass(frozen=True, slots=True)
class Point:
    """After so many clicks on so many frames of all objects, of which so many were painted, the
    masks were so good."""

    clicks: int
    frames: int
    jf: float
    painted: int = 0


@dataclass(frozen=True, slots=True)
class Cost:
    """One video by one method."""

    video: str
    method: Method
    model: str
    frames: int
    objects: int
    seconds: float
    curve: tuple[Point, ...]

    def at(self, clicks: int) -> float:
        """J&F after so many clicks."""
        return max((p for p in self.curve if p.clicks <= clicks), key=lambda p: p.clicks).jf

    def reached(self, level: float) -> Point | None:
        """Where J&F first was so good."""
        return next((p for p in self.curve if p.jf >= level), None)


def report(out: Path) -> None:
    """``cost.md`` and ``cost.png`` of the videos that every method is done with."""
    every = [read_json(path, Cost) for path in sorted(out.glob("*-*.json"))]
    by = {m: {c.video: c for c in every if c.method == m} for m in METHODS}
    videos = sorted(set.intersection(*(set(mine) for mine in by.values())))
    if not videos:
        return
    costs = {m: [mine[v] for v in videos] for m, mine in by.items()}
    text = f"{len(videos)} videos of {costs['frames'][0].frames} frames\n\n{_table(costs)}"
    (out / "cost.md").write_text(text, encoding="utf-8")
    print(text)
    _plot(costs, out / "cost.png")


def _table(costs: Mapping[str, list[Cost]]) -> str:
    heads = [f"{n} clicks" for n in MARKS]
    heads += ["at the end", *(f"to {100 * level:.0f}" for level in LEVELS)]
    lines = [f"| annotator | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    for method, mine in costs.items():
        cells = [_mean_at(mine, n) for n in MARKS]
        cells += [_end(mine), *(_reached(mine, level) for level in LEVELS)]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _mean_at(mine: list[Cost], clicks: int) -> str:
    """Mean J&F after so many clicks an object; of one that was done before, at its end."""
    if all(c.curve[-1].clicks < clicks * c.objects for c in mine):
        return "–"
    return f"{100 * np.mean([c.at(clicks * c.objects) for c in mine]):.1f}"


def _end(mine: list[Cost]) -> str:
    """Mean J&F at the end of the curves, and what it took, as means an object."""
    ends = [(c.curve[-1], c.objects) for c in mine]
    jf = 100 * np.mean([end.jf for end, _ in ends])
    clicks, frames, painted = np.mean(
        [(end.clicks / n, end.frames / n, end.painted / n) for end, n in ends], axis=0
    )
    brush = f", {painted:.0f} painted" if painted else ""
    return f"{jf:.1f}: {clicks:.0f} on {frames:.0f}{brush}"


def _reached(mine: list[Cost], level: float) -> str:
    """In how many videos a level was reached, and the medians, an object: clicks, frames they were
    on, masks that were painted."""
    places = [(c.reached(level), c.objects) for c in mine]
    there = [(p.clicks / n, p.frames / n, p.painted / n) for p, n in places if p is not None]
    if not there:
        return f"0 of {len(mine)}"
    clicks, frames, painted = np.median(np.array(there), axis=0)
    brush = f", {painted:.0f} painted" if painted else ""
    return f"{len(there)} of {len(mine)}: {clicks:.0f} on {frames:.0f}{brush}"


def _plot(costs: Mapping[str, list[Cost]], place: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.0), layout="constrained")
    for (method, mine), style in zip(costs.items(), ("-", "--", ":"), strict=True):
        most = max(c.curve[-1].clicks / c.objects for c in mine)
        clicks = np.unique(np.geomspace(1, most, 60).round())
        means = [100 * np.mean([c.at(int(n * c.objects)) for c in mine]) for n in clicks]
        axes.plot(clicks, means, style, label=method, linewidth=2)
    axes.axhline(100 * GOOD, color="grey", linewidth=0.8)
    axes.set(xscale="log", xlabel="clicks an object", ylabel="J&F of the whole video, mean")
    axes.legend()
    figure.savefig(place, dpi=130)
    pyplot.close(figure)


if __name__ == "__main__":
    report(Path(sys.argv[1]))
