"""RoboTool: 514 stills of 20 robotic-surgery videos with binary tool masks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sam2s.convert.sources.base import (
    ReadOptions,
    Region,
    Source,
    SourceInfo,
    SourceVideo,
    instrument,
)
from sam2s.convert.sources.common import StillOrigin, still, things
from sam2s.convert.sources.file_tree import FileTree, pair, unique
from sam2s.convert.sources.label_masks import read_codes

INFO = SourceInfo(
    name="robotool",
    title="RoboTool",
    get="Synapse: syn22427422 (account)",
    licence="CC BY 4.0",
    holds="514 stills of 20 public videos of robotic surgery; binary tool masks, no types",
    shape="stills",
    procedure="several",
    split="none in the source; SA-SV trains on all",
    expected="dv10_00001.png and dv10_00001_seg.png in one folder",
)
CLASSES = {"tool": instrument()}


def read(root: Path, _options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per picture; tools are components."""
    tree = FileTree(INFO, root)
    stem = r"(?P<stem>(?P<video>dv\d+)_(?P<number>\d+))"
    found = tree.require(stem + r"\.(?:png|jpe?g)")
    pictures = unique(INFO, ((m["stem"], path) for m, path in found))
    masks = unique(INFO, ((m["stem"], path) for m, path in tree.require(stem + r"_seg\.png")))
    origins = {m["stem"]: (m["video"], int(m["number"])) for m, _ in found}
    for key, picture, mask in pair(INFO, pictures, masks):
        video, number = origins[key]
        yield still(
            key,
            picture,
            partial(_regions, mask),
            CLASSES,
            StillOrigin(f"robotool:{video}", number),
            labels=(mask,),
        )


def _regions(path: Path) -> list[Region]:
    """Whether tools are 1 or 255 in the archive is not known: anything above 0 is one."""
    return things("tool", read_codes(path) > 0, bridge=1)


SOURCE = Source(INFO, read)
