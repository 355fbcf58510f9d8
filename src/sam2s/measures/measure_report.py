"""The report: one HTML page that a surgeon can read, with everything in it.

The page loads nothing and runs nothing: its policy forbids scripts and addresses, plots are
pictures inside it, and all names are escaped by the template engine.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from sam2s.files import replace_text
from sam2s.measures.measure_plots import plots_of
from sam2s.measures.measure_tables import caveats
from sam2s.measures.video_measures import Measured, VideoMeasures


@dataclass(frozen=True, slots=True)
class _Plot:
    title: str
    address: str


@dataclass(frozen=True, slots=True)
class _Section:
    measures: VideoMeasures
    plots: tuple[_Plot, ...]


def write_report(measured: Sequence[Measured], path: Path) -> None:
    """Write the page for one or more videos to ``path``."""
    environment = Environment(
        loader=PackageLoader("sam2s.measures"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(share=_share, number=_number, clock=_clock)
    page = environment.get_template("report.html").render(
        sections=[_section(one) for one in measured],
        caveats=caveats([one.measures for one in measured]),
    )
    replace_text(path, page)


def _section(measured: Measured) -> _Section:
    plots = tuple(
        _Plot(title, "data:image/svg+xml;base64," + b64encode(svg).decode("ascii"))
        for title, svg in plots_of(measured).items()
    )
    return _Section(measured.measures, plots)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value:,.{digits}f}".replace(",", " ")


def _clock(seconds: float) -> str:
    """1:02:03.4, or 2:03.4."""
    tenths = round(10 * seconds)
    hours, rest = divmod(tenths, 36000)
    minutes, rest = divmod(rest, 600)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest // 10:02d}.{rest % 10}"
