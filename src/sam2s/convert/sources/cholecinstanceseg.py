"""CholecInstanceSeg: tool instances as LabelMe polygons on 41,933 frames of Cholec80 and
CholecT50."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sam2s.convert.sources.annotation_files import read_labelme
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
from sam2s.convert.sources.common import SUBSET
from sam2s.convert.sources.file_tree import FileTree, pair, trailing_number, unique
from sam2s.convert.sources.label_masks import draw_polygons
from sam2s.errors import InputError
from sam2s.media.pictures import read_size

INFO = SourceInfo(
    name="cholecinstanceseg",
    title="CholecInstanceSeg",
    get="Synapse: syn60239970 (annotations) and syn64826192 (images)",
    licence="unconfirmed; the pictures are CC BY-NC-SA 4.0 like the sets that they come from",
    holds=(
        "41,933 frames, 854 x 480, of 85 cholecystectomies; polygons of tool instances, 7 classes"
    ),
    shape="video",
    procedure="cholecystectomy",
    split="SA-SV trains on the ten *_t50_full sequences of train/ and tests on the four of test/",
    expected="train/VID01_t50_full/ann_dir/t50_VID01_000000.json and img_dir/t50_VID01_000000.png",
    options={"subset": SUBSET},
)
CLASSES = {
    "grasper": instrument("grasper"),
    "hook": instrument("hook"),
    "irrigator": instrument("suction"),
    "clipper": instrument("clip applier"),
    "bipolar": instrument("bipolar"),
    "scissors": instrument("scissors"),
    "snare": instrument("snare"),
}
FPS = {"t50_full": 1.0, "t50_sparse": 1 / 30, "t80_sparse": 1 / 30, "seg8k": 25.0}


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per sequence folder. Its group ids are not stable in time, so instances are
    linked."""
    tree = FileTree(INFO, root)
    pattern = (
        r"(?P<split>train|val|test)/"
        r"(?P<seq>VID(?P<video>\d+)_(?P<part>t50_full|t50_sparse|t80_sparse|seg8k))/{}"
    )
    found = tree.require(pattern.format(r"ann_dir/(?P<stem>[^/]+)\.json"))
    labels = unique(INFO, ((f"{m['split']}/{m['seq']}/{m['stem']}", path) for m, path in found))
    images = tree.match(pattern.format(r"img_dir/(?P<stem>[^/]+)\.(?:png|jpe?g)"))
    pictures = unique(INFO, ((f"{m['split']}/{m['seq']}/{m['stem']}", path) for m, path in images))
    parts = {(m["split"], m["seq"]): (m["video"], m["part"]) for m, _ in found}
    frames: dict[tuple[str, str], list[SourceFrame]] = {key: [] for key in parts}
    wanted = {
        key
        for key, (_, part) in parts.items()
        if options.everything() or _role(key[0], part) != EXTRA
    }
    labels, pictures = (
        {
            key: path
            for key, path in table.items()
            if (key.split("/")[0], key.split("/")[1]) in wanted
        }
        for table in (labels, pictures)
    )
    for key, picture, label in pair(INFO, pictures, labels, unmasked="skip"):
        split, sequence, stem = key.split("/")
        frames[split, sequence].append(
            _frame(stem, parts[split, sequence][1], picture, label, options)
        )
    for (split, sequence), (video, part) in parts.items():
        if (split, sequence) in wanted:
            role = _role(split, part)
            yield SourceVideo(
                sequence, frames[split, sequence], CLASSES, role, f"cholec80:VID{video}", FPS[part]
            )


def _role(split: str, part: str) -> str:
    return split if part == "t50_full" and split in ("train", "test") else EXTRA


def _frame(stem: str, part: str, picture: Path, label: Path, options: ReadOptions) -> SourceFrame:
    number = trailing_number(stem)
    if number is None:
        raise InputError(f"{INFO.title}: {label}: expected a name that ends in the frame number")
    time_s = float(number) if part == "t50_full" else None
    return SourceFrame(
        f"{number:06d}",
        Picture(picture),
        number,
        time_s,
        partial(_regions, label, picture, options),
    )


def _regions(label: Path, picture: Path, options: ReadOptions) -> list[Region]:
    """All polygons of one (label, group id) are one instance. Sizes in the file may be null: the
    picture's is taken."""
    groups: dict[tuple[str, str], list[Any]] = {}
    for place, shape in enumerate(read_labelme(label).shapes):
        name = shape.label.strip().lower()
        if name not in CLASSES:
            options.note(f"unknown label '{name}', left out", label)
            continue
        if shape.shape_type not in (None, "polygon"):
            options.note(
                f"shape of type '{shape.shape_type}', which is not a polygon, left out", label
            )
            continue
        if shape.group_id is None:
            options.note("polygon without group_id, taken as an instance of its own", label)
        group = f"alone {place}" if shape.group_id is None else str(shape.group_id)
        groups.setdefault((name, group), []).append(shape.points)
    size = read_size(picture)
    return [Region(name, draw_polygons(polygons, size)) for (name, _), polygons in groups.items()]


SOURCE = Source(INFO, read)
