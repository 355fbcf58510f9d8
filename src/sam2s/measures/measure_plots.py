"""Plots of measures, as SVG for the report: who was in view when, speeds, where tips were, depth.
Needs matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from sam2s.export.overlay import colour_of
from sam2s.measures.pairs import Followed
from sam2s.measures.video_measures import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 9.0
"""Inches."""
MOST_ROWS = 12
"""Instruments whose speeds are drawn, those longest in view."""
STYLE: Any = {
    "text.parse_math": False,  # a class may be called "$x$"
    "svg.hashsalt": "sam2s",  # the same numbers, the same file
    "font.size": 9,
}


def plots_of(measured: Measured) -> dict[str, bytes]:
    """{what it shows: an SVG file}, the plots of one video."""
    import matplotlib

    tools = [one for one in measured.followed if one.course.instrument]
    tools = sorted(tools, key=lambda one: -int(one.course.in_view.sum()))[:MOST_ROWS]
    tools = sorted(tools, key=lambda one: one.course.object_id)
    with matplotlib.rc_context(STYLE):
        drawn = {"What was in view, and when": _timeline(measured)}
        if any(one.tip is not None and one.tip.found for one in tools):
            drawn["Speed of the tips"] = _speeds(measured, tools)
            drawn["Where the tips were"] = _map(measured, tools)
        if any((~np.isnan(one.course.shaft_width)).sum() > 1 for one in tools):
            drawn["Distance from the camera, by the width of the shaft"] = _depths(measured, tools)
    return drawn


def _timeline(measured: Measured) -> bytes:
    """A row a class, and a bar while any of its objects is in view."""
    classes = measured.measures.classes
    figure, axes = _figure(0.9 + 0.32 * max(len(classes), 2))
    for row, one in enumerate(classes):
        bars = [(span.begin, span.seconds) for span in one.in_view]
        axes.broken_barh(bars, (row - 0.36, 0.72), color="#2a6f97" if one.instrument else "#c98b5e")
    labels = [f"{one.name}  {one.seconds:.1f} s" for one in classes]
    axes.set_yticks(range(len(classes)), labels)
    axes.invert_yaxis()
    axes.set(xlabel="time, s", xlim=_times(measured))
    axes.grid(axis="y", visible=False)
    return _svg(figure)


def _speeds(measured: Measured, tools: Sequence[Followed]) -> bytes:
    """A panel an instrument, its actions shaded."""
    measures = measured.measures
    diagonal = float(np.hypot(*measures.size))
    motions = {one.object_id: one.tip for one in measures.objects}
    figure, panels = _figures(len(tools), 0.5 + 1.0 * len(tools))
    for axes, one in zip(panels, tools, strict=True):
        course = one.course
        stretches = one.tip.found if one.tip is not None else ()
        for stretch in stretches:
            axes.plot(stretch.times, stretch.speed / diagonal, color=_colour(one), linewidth=1.1)
        motion = motions[course.object_id]
        for span in motion.actions if motion is not None else ():
            axes.axvspan(span.begin, span.end, color=_colour(one), alpha=0.12, linewidth=0)
        axes.axhline(measures.settings.speed, color="0.5", linestyle=":", linewidth=0.9)
        axes.set_ylim(bottom=0)
        axes.set_title(_name(one), loc="left", fontsize=9)
    panels[-1].set(xlabel="time, s", xlim=_times(measured))
    figure.supylabel("diagonals/s", fontsize=8)  # as in the table; one panel has room for no more
    return _svg(figure)


def _map(measured: Measured, tools: Sequence[Followed]) -> bytes:
    """Seconds of tips in the cells of the picture, and the way of each tip over them."""
    (height, width), heat = measured.measures.size, np.array(measured.measures.heat_map)
    figure, axes = _figure(0.8 * WIDTH * height / width + 0.9)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    picture = axes.imshow(heat, cmap="magma_r", extent=extent, interpolation="nearest")
    figure.colorbar(picture, ax=axes, label="seconds in a cell")
    for one in tools:
        tip = one.course.tip
        axes.plot(*tip.T, color=_colour(one), linewidth=0.8, alpha=0.9, label=_name(one))
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xlabel="x, px", ylabel="y, px")
    axes.grid(visible=False)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return _svg(figure)


def _depths(measured: Measured, tools: Sequence[Followed]) -> bytes:
    figure, axes = _figure(2.6)
    for one in tools:
        width = one.course.shaft_width
        if (~np.isnan(width)).any():
            farther = np.nanmedian(width) / width
            axes.plot(
                one.course.clock.times, farther, color=_colour(one), linewidth=1, label=_name(one)
            )
    axes.set_yscale("log", base=2)
    axes.set_ylim(0.35, 2.9)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}x")
    axes.set(xlabel="time, s", ylabel="of its usual distance", xlim=_times(measured))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    return _svg(figure)


def _times(measured: Measured) -> tuple[float, float]:
    clocks = [one.course.clock for one in measured.followed]
    first = min((float(clock.times[0]) for clock in clocks), default=0.0)
    return first, max((float(c.times[-1] + c.period) for c in clocks), default=1.0)


def _name(one: Followed) -> str:
    course = one.course
    own = f"object {course.object_id}"
    return own if course.name == own else f"#{course.object_id} {course.name}"


def _colour(one: Followed) -> str:
    """The overlay's colour, darker, since paper is white."""
    return "#" + "".join(f"{round(0.72 * v):02x}" for v in colour_of(one.course.object_id))


def _figure(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    figure, (axes,) = _figures(1, height, width)
    return figure, axes


def _figures(count: int, height: float, width: float = WIDTH) -> tuple[Figure, list[Any]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    found = figure.subplots(count, 1, squeeze=False, sharex=True)[:, 0]
    for axes in found:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="0.92", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure, list(found)


def _svg(figure: Figure) -> bytes:
    file = BytesIO()
    with warnings.catch_warnings():  # a name in a script that the font lacks: boxes, not lines
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()
