"""SAR-RARP50: suturing clips of robotic prostatectomy, class masks at 1 Hz of 60 fps videos."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sam2s.convert.sources.base import (
    EXTRA,
    Picture,
    ReadOptions,
    Region,
    Source,
    SourceFrame,
    SourceInfo,
    SourceVideo,
    instrument,
)
from sam2s.convert.sources.common import SUBSET, note_strays, things, whole
from sam2s.convert.sources.file_tree import FileTree
from sam2s.convert.sources.label_masks import code_masks, read_codes
from sam2s.convert.sources.regions import instruments
from sam2s.errors import InputError

INFO = SourceInfo(
    name="sar-rarp50",
    title="SAR-RARP50",
    get="Synapse: syn27618412 (EndoVis 2022, account), one zip per video",
    licence="CC BY-NC-SA 4.0 (secondary source)",
    holds=(
        "50 suturing clips, 1920 x 1080, 60 fps, masks every 60th frame: parts of tools, needle,"
        " thread and more"
    ),
    shape="video",
    procedure="prostatectomy",
    split="SA-SV tests on test/, videos 41 to 50",
    expected=(
        "test/video_41/segmentation/000000000.png and test/video_41/video_left.avi (or"
        " rgb/000000000.png)"
    ),
    options={"subset": SUBSET},
)
CODES = {
    1: "clasper",
    2: "wrist",
    3: "shaft",
    4: "suturing needle",
    5: "thread",
    6: "suction tool",
    7: "needle holder",
    8: "clamps",
    9: "catheter",
}
PARTS = ("clasper", "wrist", "shaft")
CLASSES = {
    "tool": instrument(),
    "suturing needle": instrument("suturing needle"),
    "thread": instrument("thread"),
    "suction tool": instrument("suction"),
    "needle holder": instrument("needle holder"),
    "clamps": instrument("clamp"),
    "catheter": instrument("catheter"),
}
SEVERAL = frozenset({"clamps", "needle holder"})
VIDEO_FPS = 60.0


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per folder; tools are united parts, linked. Parts of one cut video stay apart and
    share their key."""
    tree = FileTree(INFO, root)
    masks: dict[tuple[str, Path], list[tuple[int, Path]]] = {}
    for match, path in tree.require(
        r"(?P<part>train1|train2|test)/video_[^/]+/segmentation/(?P<number>\d+)\.png"
    ):
        masks.setdefault((match["part"].lower(), path.parent.parent), []).append(
            (int(match["number"]), path)
        )
    for (part, folder), numbered in masks.items():
        split = "test" if part == "test" else EXTRA
        if split == "test" or options.everything():
            frames = [_frame(number, folder, mask, options) for number, mask in sorted(numbered)]
            key = re.sub(r"^(video_\d+)_\d+$", r"\1", folder.name)
            yield SourceVideo(folder.name, frames, CLASSES, split, f"rarp50:{key}", 1.0)


def _frame(number: int, folder: Path, mask: Path, options: ReadOptions) -> SourceFrame:
    picture = _picture(number, folder, mask)
    return SourceFrame(
        f"{number:06d}",
        picture,
        number,
        number / VIDEO_FPS,
        partial(_regions, mask, options),
        (mask,),
    )


def _picture(number: int, folder: Path, mask: Path) -> Picture:
    for suffix in (".png", ".jpg"):
        if (unpacked := folder / "rgb" / f"{mask.stem}{suffix}").is_file():
            return Picture(unpacked)
    if (video := folder / "video_left.avi").is_file():
        return Picture(video, index=number)
    raise InputError(
        f"{INFO.title}: {mask}: expected {video} or {folder / 'rgb' / mask.name}; found neither"
    )


def _regions(path: Path, options: ReadOptions) -> list[Region]:
    masks, strays = code_masks(read_codes(path), CODES)
    note_strays(strays, path, options, frozenset({0}))
    parts = {part: masks.pop(part) for part in PARTS if part in masks}
    regions = [Region("tool", mask) for mask in instruments(parts)]
    for label, mask in masks.items():
        regions += things(label, mask, bridge=1) if label in SEVERAL else [whole(label, mask)]
    return regions


SOURCE = Source(INFO, read)
