"""Text that needs no masks to be read: a CSV of measures, and YOLO's polygons."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from sam2s.formats.polygons import polygons_of
from sam2s.formats.result import UNNAMED, ExportOptions, Result
from sam2s.masklets.masks import bounding_window

COLUMNS = (
    *("video", "frame", "time_s", "object", "name", "presence", "score"),
    *("area_px", "centroid_x", "centroid_y", "left", "top", "width", "height"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is computed by a spreadsheet."""


def write_csv(result: Result, out: Path, _options: ExportOptions) -> None:
    """``out/<video>.csv``, a row an object and frame; places in pixels, (x, y) from the upper left
    corner of the picture, empty where the object is absent."""
    with open(out / f"{result.video}.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for frame in result.frames():
            for object_id, found in sorted(frame.masks.items()):
                name = result.names.get(object_id, "")
                head = [result.video, frame.index, frame.time, object_id, name]
                row = [*head, found.presence, found.score, *_measures(found.mask)]
                table.writerow([harmless(cell) for cell in row])


def _measures(mask: np.ndarray) -> list[object]:
    window = bounding_window(mask)
    if window is None:
        return [0, "", "", "", "", "", ""]
    rows, columns = np.nonzero(mask)
    high, wide = window
    place = [wide.start, high.start, wide.stop - wide.start, high.stop - high.start]
    return [len(rows), round(columns.mean(), 3), round(rows.mean(), 3), *place]


def harmless(cell: object) -> object:
    """Text that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def write_yolo(result: Result, out: Path, options: ExportOptions) -> None:
    """``out/labels/<frame>.txt``: class and polygon of each part of each object, in shares of the
    picture, and ``out/data.yaml`` with the names."""
    names = sorted({result.names.get(i, UNNAMED) for i in result.ids})
    (out / "labels").mkdir()
    height, width = result.size
    for frame in result.frames():
        lines = []
        for object_id, found in sorted(frame.masks.items()):
            number = names.index(result.names.get(object_id, UNNAMED))
            for outline in polygons_of(found.mask):
                shares = (outline / (width, height)).ravel()
                lines.append(f"{number} " + " ".join(f"{share:.6f}" for share in shares))
        stem = Path(options.picture_of(frame.index)).stem
        (out / "labels" / f"{stem}.txt").write_text(
            "".join(f"{line}\n" for line in lines), encoding="ascii"
        )
    listed = "".join(f"  {number}: {json.dumps(name)}\n" for number, name in enumerate(names))
    (out / "data.yaml").write_text(
        f"path: .\ntrain: images\nval: images\nnames:\n{listed}", encoding="utf-8"
    )
