"""Plot a training log: loss, Jaccard index and validation over steps, with the stages marked.

python scripts/train_plot.py runs/nano/log.jsonl runs/nano/log.png
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

LOSSES = ("dice", "iou", "presence", "dense")
FIGURES = ("j_1", "j_3", "j_track", "j_still", "presence")


def read(path: Path) -> tuple[list[dict], list[dict]]:
    """Step records and validation records of a log."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [r for r in lines if "total" in r], [
        r for r in lines if r.get("event") == "validation" and "j_1" in r
    ]


def main() -> None:
    """Read the log, write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    steps, looks = read(arguments.log)
    figure, (upper, middle, lower) = plt.subplots(
        3, 1, figsize=(9, 10), sharex=True, layout="constrained"
    )
    for name in LOSSES:
        # A stage that does not ask for a loss logs 0, which is no value of it.
        shown = [(r["step"], r[name]) for r in steps if r.get(name)]
        if shown:
            upper.plot(*zip(*shown, strict=True), label=name, linewidth=0.8)
    # Below that lies presence only, where every object is in view and there is nothing to learn of
    # it.
    upper.set(ylabel="loss per answer", yscale="log", ylim=(1e-3, None))
    middle.plot(
        [r["step"] for r in steps],
        [r["jaccard"] for r in steps],
        label="training clips",
        linewidth=0.8,
    )
    middle.set(ylabel="Jaccard index, %")
    for name in FIGURES:
        lower.plot([r["step"] for r in looks], [r[name] for r in looks], label=name, marker=".")
    lower.set(ylabel="validation, %", xlabel="step")
    for before, after in pairwise(steps):
        if before["stage"] != after["stage"]:
            for axes in (upper, middle, lower):
                axes.axvline(before["step"], color="grey", linewidth=0.6)
    for axes in (upper, middle, lower):
        axes.legend(loc="best", fontsize=8)
    figure.savefig(arguments.picture, dpi=120)


if __name__ == "__main__":
    main()
