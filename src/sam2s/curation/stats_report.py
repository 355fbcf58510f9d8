"""``MaskletStats`` as a table for the terminal and as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sam2s.curation.stats import Comparison, Counts, MaskletStats
from sam2s.errors import InputError
from sam2s.extras import require
from sam2s.files import check_file, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("videos", "stills", "frames", "instrument", "tissue", "masklets", "minutes")


def stats_table(stats: MaskletStats) -> str:
    """Three tables: sources, classes, and the comparison with SA-SV where one was asked for."""
    rows = [[source, split, *_cells(counts)] for (source, split), counts in stats.by_source.items()]
    rows.append(["all", "", *_cells(stats.total)])
    parts = [_aligned([["source", "split", *COLUMNS], *rows])]
    classes = [
        [source, name, counts.kind, str(counts.masklets), str(counts.masks)]
        for source, found in stats.by_class.items()
        for name, counts in sorted(found.items(), key=lambda item: -item[1].masks)
    ]
    parts.append(_aligned([["source", "class", "kind", "masklets", "masks"], *classes]))
    if stats.comparisons:
        parts.append(_comparison_table(stats.comparisons))
    return "\n\n".join(parts)


def _comparison_table(comparisons: Sequence[Comparison]) -> str:
    """Ours / SA-SV's (quoted from its table 1)."""
    rows = []
    for entry in comparisons:
        cells = [
            _beside(getattr(entry.ours, name), getattr(entry.paper, name)) for name in _COMPARED
        ]
        rows.append([entry.source, entry.split, *cells])
    reasons = [f"{c.source} ({c.split}): {_reason(c)}" for c in comparisons if _differs(c)]
    head = [
        "ours / SA-SV",
        "split",
        "videos",
        "stills",
        "frames",
        "instrument",
        "tissue",
        "masklets",
    ]
    return _aligned([head, *rows]) + "".join(f"\n{reason}" for reason in reasons)


_COMPARED = ("videos", "stills", "frames", "instrument_masks", "tissue_masks", "masklets")


def _reason(entry: Comparison) -> str:
    fewer = (
        "fewer frames than SA-SV has: is the input complete? "
        if entry.ours.frames < entry.paper.frames
        else ""
    )
    return fewer + entry.why


def _differs(entry: Comparison) -> bool:
    return any(getattr(entry.ours, name) != getattr(entry.paper, name) for name in _COMPARED)


def _beside(ours: int, paper: int) -> str:
    return f"{ours} =" if ours == paper else f"{ours} / {paper}"


def _cells(counts: Counts) -> list[str]:
    """The columns' texts; minutes of the videos whose time is known, in brackets how many those are
    if not all."""
    partly = f" ({counts.timed} of {counts.videos})" if counts.timed < counts.videos else ""
    minutes = f"{counts.seconds / 60:.1f}{partly}" if counts.timed else "?"
    numbers = (
        counts.videos,
        counts.stills,
        counts.frames,
        counts.instrument_masks,
        counts.tissue_masks,
        counts.masklets,
    )
    return [*(str(number) for number in numbers), minutes]


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def check_plot(path: Path | str | None) -> None:
    """InputError where `write_stats_plot` could not write ``path``; None is always well."""
    if path is None:
        return
    canvas = _figure_class()().canvas
    kinds = canvas.get_supported_filetypes()
    if Path(path).suffix.lower().lstrip(".") not in kinds:
        raise InputError(f"{path}: a plot's name must end in one of {', '.join(sorted(kinds))}")
    check_file(Path(path))


def _figure_class() -> type[Figure]:
    require("the plot", "train", "matplotlib")
    from matplotlib.figure import Figure

    return Figure


def write_stats_plot(stats: MaskletStats, path: Path | str) -> None:
    """Masks by source and masks by class, as PNG, PDF or SVG by the suffix. Needs matplotlib (extra
    ``train``)."""
    figure = stats_figure(stats)
    with replacing(Path(path)) as hidden:
        figure.savefig(hidden, dpi=120, format=Path(path).suffix.lower().lstrip("."))


def stats_figure(stats: MaskletStats) -> Figure:
    """Two sets of bars side by side, and what the colours mean above both."""
    classes: dict[tuple[str, str], int] = {}
    for found in stats.by_class.values():
        for name, counts in found.items():
            classes[name, counts.kind] = classes.get((name, counts.kind), 0) + counts.masks
    sources = [f"{source} ({split})" for source, split in stats.by_source]
    figure = _figure_class()(
        figsize=(12, 1.5 + 0.25 * max(len(sources), len(classes))), layout="constrained"
    )
    left, right = figure.subplots(1, 2)
    tools = [counts.instrument_masks for counts in stats.by_source.values()]
    left.barh(sources, tools, color="tab:blue", label="instruments")
    tissues = [counts.tissue_masks for counts in stats.by_source.values()]
    left.barh(sources, tissues, left=tools, color="tab:orange", label="tissue")
    ranked = sorted(classes.items(), key=lambda item: item[1])
    colours = ["tab:blue" if kind == "instrument" else "tab:orange" for (_, kind), _ in ranked]
    right.barh([name for (name, _), _ in ranked], [count for _, count in ranked], color=colours)
    for axes, title in ((left, "masks by source"), (right, "masks by class")):
        axes.set_title(title)
        axes.set_xlabel("masks that are not empty")
    left.invert_yaxis()
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure
