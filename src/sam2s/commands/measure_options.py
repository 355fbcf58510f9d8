"""What ``sam2s measure`` can be asked, as typed values. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True, slots=True)
class Measure:
    """Measure what track found: time in view, paths, speeds, smoothness, instruments together.

    Example: sam2s measure out/op --report out/op-measures

    Prints a table; --report writes report.html to look at, and CSV and JSON to reckon with.
    docs/measures.md defines every number.
    """

    results: Annotated[Positional[tuple[Path, ...]], arg(metavar="RESULT...")]
    """Folders that track wrote, or their tracks.json."""
    report: Annotated[Path | None, arg(metavar="DIR")] = None
    """Write report.html, objects.csv, pairs.csv, frames.csv and measures.json into this folder."""
    camera: Annotated[Path | None, arg(metavar="VIDEO")] = None
    """Subtract the camera's motion, told from the background of the video that was tracked; for
    several results the folder that holds their videos. Needs OpenCV."""
    fps: float | None = None
    """Frames a second, for results without times (folders of pictures), or instead of them."""
    smooth: float = 0.4
    """Seconds over which positions are smoothed before they are differentiated."""
    speed: float = 0.05
    """Diagonals of the picture a second: faster is at work, slower is idle."""
    debounce: float = 0.2
    """Seconds that an entry, exit, action or pause must last to count."""
