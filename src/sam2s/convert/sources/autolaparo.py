"""AutoLaparo, task 3: 300 clips of six frames of laparoscopic hysterectomy, tools by part and the
uterus."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from sam2s.convert.sources.base import (
    Picture,
    ReadOptions,
    Region,
    Source,
    SourceFrame,
    SourceInfo,
    SourceVideo,
    instrument,
    tissue,
)
from sam2s.convert.sources.common import note_strays, things, whole
from sam2s.convert.sources.file_tree import FileTree, pair, unique
from sam2s.convert.sources.label_masks import code_masks, read_codes

INFO = SourceInfo(
    name="autolaparo",
    title="AutoLaparo",
    get="request form on autolaparo.github.io, task 3 (link by mail)",
    licence="CC BY-NC-SA 4.0, academic and non-commercial",
    holds="300 clips of 6 frames, 1920 x 1080, one second apart; 4 tools in two parts each, uterus",
    shape="video",
    procedure="hysterectomy",
    split="train 001-170, val 171-227, test 228-300 in the source; SA-SV trains on all",
    expected="imgs/001001.jpg and masks/001001.png",
)
CODES = {
    20: "grasping forceps",
    40: "grasping forceps",
    60: "LigaSure",
    80: "LigaSure",
    100: "dissecting and grasping forceps",
    120: "dissecting and grasping forceps",
    140: "electric hook",
    160: "electric hook",
    180: "uterus",
}
"""Manipulator and shaft of each tool, and the uterus."""
CLASSES = {
    "grasping forceps": instrument("grasper"),
    "LigaSure": instrument("ligature"),
    "dissecting and grasping forceps": instrument("dissect & grasp"),
    "electric hook": instrument("hook"),
    "uterus": tissue("uterus"),
}
STEP = 25
"""Frames are numbered 1, 25, 50, 75, 100, 125 at 25 fps: one a second."""


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per clip; manipulator and shaft are united, then components are linked; the uterus
    is one track."""
    tree = FileTree(INFO, root)
    tables = [
        unique(
            INFO,
            (
                (m["stem"], path)
                for m, path in tree.require(rf"{folder}/(?P<stem>\d{{6}})\.{suffix}")
            ),
        )
        for folder, suffix in (("imgs", r"(?:jpe?g|png)"), ("masks", "png"))
    ]
    clips: dict[str, list[SourceFrame]] = {}
    for stem, picture, mask in pair(INFO, tables[0], tables[1]):
        number = int(stem[3:])
        frame = SourceFrame(
            stem[3:],
            Picture(picture),
            number,
            float(number // STEP),
            partial(_regions, mask, options),
            (mask,),
        )
        clips.setdefault(stem[:3], []).append(frame)
    for clip, frames in clips.items():
        yield SourceVideo(f"clip{clip}", frames, CLASSES, "train", f"autolaparo:{clip}", 1.0)


def _regions(path: Path, options: ReadOptions) -> list[Region]:
    codes: np.ndarray = read_codes(path)
    masks, strays = code_masks(codes, CODES)
    note_strays(strays, path, options, frozenset({0}))
    regions: list[Region] = []
    for label, mask in masks.items():
        regions += [whole(label, mask)] if label == "uterus" else things(label, mask, bridge=2)
    return regions


SOURCE = Source(INFO, read)
