"""Plots of results: J&F over the time since the prompt, per class, and reliability at boundaries.
Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam2s.benchmark.diagnostics import ALL
from sam2s.extras import require_plots
from sam2s.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Entry = Mapping[str, Any]
WIDTH, HEIGHT = 7.0, 4.4
"""Inches of a plot; per class it grows with the classes."""
MOST_CLASSES = 40
INSTRUMENT, TISSUE = "#3b6fb6", "#d98032"


@dataclass(frozen=True, slots=True)
class FloorStyle:
    """How a floor is drawn."""

    label: str
    colour: str
    marker: str


FLOORS: Mapping[str, FloorStyle] = {
    "still": FloorStyle("floor: unmoved", "0.55", "D"),
    "flow": FloorStyle("floor: optical flow", "0.1", "o"),
}


def plot_course(runs: Mapping[str, Entry], path: Path) -> None:
    """J&F against frames since the prompt. ``runs``: {label: a result's JSON}; one run shows its
    subsets as well."""
    figure, axes = _figure(WIDTH, HEIGHT)
    if len(runs) == 1:
        (details,) = (entry["details"] for entry in runs.values())
        names = [name for name in details if name != ALL]
        for name in names if len(names) > 1 else ():
            _course(axes, details[name]["course"], name, linewidth=1.2, alpha=0.8)
        _course(axes, details[ALL]["course"], "all objects", color="black", linewidth=2.4)
    else:
        for label, entry in runs.items():
            _course(axes, entry["details"][ALL]["course"], label, linewidth=1.8)
    for name, style in FLOORS.items():
        # Scored on the same frames whatever the rule is, so those of one run stand for all.
        found = [e["floors"][name] for e in runs.values() if name in e.get("floors", {})]
        for floor in found[:1]:
            _course(axes, floor.get("course", ()), style.label, color=style.colour, linestyle="--")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set(
        xlabel="frames since the prompt",
        ylabel="J&F, % (mean over objects still annotated)",
        ylim=(0, 100),
    )
    axes.set_title("J&F over time since the prompt")
    _legend_beside(axes)
    _save(figure, path)


def _course(axes: Axes, points: Sequence[Entry], label: str, **style: Any) -> None:
    if points:
        middle = [(point["first"] * point["last"]) ** 0.5 for point in points]
        axes.plot(
            middle,
            [point["jf"] for point in points],
            marker="o",
            markersize=3,
            label=label,
            **style,
        )


def plot_classes(entry: Entry, path: Path) -> None:
    """J&F of every class, best first, with the number of objects; the rarest are left out beyond
    40."""
    found: dict[str, list[Entry]] = {}
    for scored in entry["objects"].values():
        if scored["jf"] is not None:
            found.setdefault(scored["class"] or f"{scored['kind']} (no type)", []).append(scored)
    common = sorted(found, key=lambda name: -len(found[name]))[:MOST_CLASSES]
    shown = sorted(common, key=lambda name: entry["classes"][name]["jf"])
    figure, axes = _figure(WIDTH, 1.3 + 0.28 * max(len(shown), 3))
    values = [entry["classes"][name]["jf"] for name in shown]
    kinds = [found[name][0]["kind"] for name in shown]
    for kind, colour in (("instrument", INSTRUMENT), ("tissue", TISSUE)):
        places = [i for i, known in enumerate(kinds) if known == kind]
        if places:
            axes.barh(places, [values[i] for i in places], color=colour, label=kind)
    for name, style in FLOORS.items():
        known = entry.get("floors", {}).get(name, {}).get("classes", {})
        places = [i for i, label in enumerate(shown) if known.get(label)]
        if places:
            at = [known[shown[i]]["jf"] for i in places]
            axes.scatter(
                at,
                places,
                marker=style.marker,
                color=style.colour,
                edgecolors="white",
                zorder=3,
                label=style.label,
            )
    for place, value in enumerate(values):
        axes.text(value + 1, place, f"{value:.1f}", va="center", fontsize=8)
    axes.set_yticks(range(len(shown)), [f"{name} ({len(found[name])})" for name in shown])
    axes.set(xlim=(0, 108), xlabel="J&F, %")
    left_out = len(found) - len(common)
    axes.set_title(
        "J&F by class (number of objects)"
        + (f"; {left_out} rare classes left out" if left_out else "")
    )
    _legend_beside(axes)
    _save(figure, path)


def plot_reliability(runs: Mapping[str, Entry], path: Path) -> bool:
    """Observed frequency against predicted probability at true boundaries, and how often each
    probability is given.

    One run shows all frames and those on which the object was found; several show the latter.
    False, and no file, where no run has logits.
    """
    curves = _reliability_curves(runs)
    if not curves:
        return False
    figure, (axes, bars) = _figures(7.6, 5.6, heights=(4, 1))
    axes.plot([0, 100], [0, 100], color="0.5", linestyle="--", linewidth=1, label="perfect")
    for label, curve in curves.items():
        predicted, observed = (
            [100 * value for value in curve[key]] for key in ("predicted", "observed")
        )
        axes.plot(predicted, observed, marker="o", markersize=4, label=label, clip_on=False)
        total = sum(curve["pixels"])
        bars.plot(
            predicted,
            [100 * n / total for n in curve["pixels"]],
            marker=".",
            color=axes.lines[-1].get_color(),
        )
    axes.set(xlim=(0, 100), ylim=(0, 100), ylabel="pixels that belong to the object, %")
    which = ", objects found (IoU of 50 % or more)" if len(runs) > 1 else ""
    axes.set_title(f"Reliability at true boundaries{which}")
    axes.tick_params(labelbottom=False)
    _legend_beside(axes)
    bars.set(xlim=(0, 100), ylabel="pixels, %", xlabel="predicted probability, %")
    bars.set_ylim(bottom=0)
    _save(figure, path)
    return True


def _reliability_curves(runs: Mapping[str, Entry]) -> dict[str, Entry]:
    curves = {}
    for label, entry in runs.items():
        found = entry["details"][ALL]
        if found["reliability"] is None:
            continue
        prefix = f"{label} " if len(runs) > 1 else ""
        if len(runs) == 1:
            curves[f"object in view\n(ECE {_ece(found['ece'])})"] = found["reliability"]["every"]
        if found["ece_found"] is not None:
            where = "" if len(runs) > 1 else "object found,\nIoU of 50 % or more\n"
            curves[f"{prefix}{where}(ECE {_ece(found['ece_found'])})"] = found["reliability"][
                "found"
            ]
    return {label: curve for label, curve in curves.items() if curve["pixels"]}


def _ece(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} %"


def plot_comparison(rows: Mapping[str, float], path: Path, title: str) -> None:
    """J&F of several runs as bars, best on top."""
    names = sorted(rows, key=lambda name: rows[name])
    figure, axes = _figure(WIDTH, 1.2 + 0.34 * len(names))
    axes.barh(names, [rows[name] for name in names], color=INSTRUMENT)
    for place, name in enumerate(names):
        axes.text(rows[name] + 0.5, place, f"{rows[name]:.1f}", va="center", fontsize=9)
    axes.set(xlabel="J&F, %", xlim=(0, 108))
    axes.set_title(title)
    _save(figure, path)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure, (axes,) = _figures(width, height, heights=(1,))
    return figure, axes


def _figures(
    width: float, height: float, heights: Sequence[float]
) -> tuple[Figure, Sequence[Axes]]:
    """Axes one above the other, their ``heights`` in proportion."""
    require_plots()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    found = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes in found:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="both", color="0.92", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure, list(found)


def _legend_beside(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as hidden:
        figure.savefig(hidden, dpi=150, format=path.suffix.lstrip(".") or "png")
