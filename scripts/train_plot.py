"""Plot a training log: loss, Jaccard index and validation over steps, with the stages marked. Where
every stage counts its own steps (``scripts/nano_on_gpu.py``), they are counted on.

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
    before = last = 0
    for line in lines:
        if "total" in line:
            if line["step"] < last:
                before += last
            last = line["step"]
            line["step"] += before
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
    count = 3 if looks else 2
    figure, panels = plt.subplots(
        count, 1, figsize=(9, 1 + 3 * count), sharex=True, layout="constrained"
    )
    upper, middle = panels[:2]
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
    for name in FIGURES if looks else ():
        panels[2].plot([r["step"] for r in looks], [r[name] for r in looks], label=name, marker=".")
        panels[2].set(ylabel="validation, %")
    panels[-1].set(xlabel="step")
    for before, after in pairwise(steps):
        if before["stage"] != after["stage"]:
            for axes in panels:
                axes.axvline(before["step"], color="grey", linewidth=0.6)
    for axes in panels:
        axes.legend(loc="best", fontsize=8)
    figure.savefig(arguments.picture, dpi=120)


if __name__ == "__main__":
    main()
