"""Every format by name: how it is written, how it is read back, and what it cannot hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sam2s.formats.coco import read_coco, write_coco
from sam2s.formats.mots import read_mots_png, read_mots_txt, write_mots_png, write_mots_txt
from sam2s.formats.palettes import read_palettes, write_davis, write_youtube_vos
from sam2s.formats.result import Contents, ExportOptions, Result
from sam2s.formats.sa_v import read_sa_v, write_sa_v
from sam2s.formats.tables import write_csv, write_yolo

Write = Callable[[Result, Path, ExportOptions], None]
Read = Callable[[Path], Result]


@dataclass(frozen=True, slots=True)
class Format:
    """``overlap``: whether two objects may share a pixel. ``largest_id``: of an object, None
    without limit. ``keeps``: in words, what is in the files. ``read`` None: masks cannot be had
    back."""

    write: Write
    keeps: str
    read: Read | None = None
    overlap: bool = True
    largest_id: int | None = None

    def losses(self, contents: Contents) -> list[str]:
        """What of a result the format cannot hold, a phrase each; nothing where all fits."""
        found = []
        if not self.overlap and contents.overlapping:
            frames = f"{contents.overlapping} frame{'s' * (contents.overlapping > 1)}"
            found.append(f"objects overlap on {frames}: the larger number will lie on top")
        if self.largest_id is not None and contents.largest_id > self.largest_id:
            found.append(
                f"object {contents.largest_id}: numbers end at {self.largest_id} in this format"
            )
        return found


FORMATS: Mapping[str, Format] = {
    "coco": Format(
        write_coco,
        "masks (RLE, or polygons without holes), tracks, classes, scores, times",
        read_coco,
    ),
    "sa-v": Format(write_sa_v, "masks (RLE), tracks, classes", read_sa_v),
    "davis": Format(write_davis, "masks of objects that do not overlap", read_palettes, False, 254),
    "youtube-vos": Format(
        write_youtube_vos,
        "masks of objects that do not overlap, classes",
        read_palettes,
        False,
        254,
    ),
    "mots-txt": Format(
        write_mots_txt,
        "masks (RLE) of objects that do not overlap, classes",
        read_mots_txt,
        False,
        999,
    ),
    "mots-png": Format(
        write_mots_png,
        "masks of objects that do not overlap, classes",
        read_mots_png,
        False,
        999,
    ),
    "csv": Format(write_csv, "presence, score, area, centroid and box; no masks"),
    "yolo-seg": Format(write_yolo, "polygons without holes, classes; no tracks"),
}
"""A new format is one file and one entry here."""
