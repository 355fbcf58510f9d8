"""Endoscapes2023 (Seg50): frames of cholecystectomies 30 s apart with instance masks in COCO
form."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sam2s.convert.sources.annotation_files import CocoImage, Id, read_coco
from sam2s.convert.sources.base import (
    ReadOptions,
    Region,
    Source,
    SourceInfo,
    SourceVideo,
    instrument,
    tissue,
)
from sam2s.convert.sources.common import StillOrigin, still
from sam2s.convert.sources.file_tree import FileTree
from sam2s.convert.sources.label_masks import decode_coco
from sam2s.errors import InputError

INFO = SourceInfo(
    name="endoscapes2023",
    title="Endoscapes2023",
    get="zip linked in the README of CAMMA-public/Endoscapes; also PhysioNet, endoscapes-2023",
    licence="CC BY-NC-SA 4.0 (CAMMA's release)",
    holds=(
        "493 frames with instance masks, 854 x 480, of 50 cholecystectomies, 30 s apart; 5 tissues"
        " and tool"
    ),
    shape="stills",
    procedure="cholecystectomy",
    split=(
        "train_seg, val_seg, test_seg in the source; SA-SV trains on 468 of the 493 (not published"
        " which); here: all"
    ),
    expected=(
        "train_seg/annotation_coco.json and train_seg/<video>_<frame>.jpg (also val_seg, test_seg)"
    ),
)
CLASSES = {
    "cystic_plate": tissue("cystic plate"),
    "calot_triangle": tissue("hepatocystic triangle"),
    "cystic_artery": tissue("cystic artery"),
    "cystic_duct": tissue("cystic duct"),
    "gallbladder": tissue("gallbladder"),
    "tool": instrument(),
}
UNUSED = frozenset({"background"})
FPS = 25.0
"""Frames are named by their number at 25 fps."""


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per labelled frame, one object per instance; class names are the file's."""
    tree = FileTree(INFO, root)
    for _, path in tree.require(r"(?:train|val|test)_seg/annotation_coco\.json"):
        for image, instances in _images(path, options):
            yield _still(path.parent, image, instances)


def _images(path: Path, options: ReadOptions) -> Iterator[tuple[CocoImage, list[tuple[str, Any]]]]:
    content, names = read_coco(path)
    instances: dict[Id, list[tuple[str, Any]]] = {}
    for entry in content.annotations:
        label = names[entry.category_id].lower().replace(" ", "_")
        if label in CLASSES and entry.segmentation:
            instances.setdefault(entry.image_id, []).append((label, entry.segmentation))
        elif label not in CLASSES and label not in UNUSED:
            options.note(f"unknown category '{label}', left out", path)
    for image in content.images:
        if image.id in instances:
            yield image, instances[image.id]


def _still(folder: Path, image: CocoImage, instances: list[tuple[str, Any]]) -> SourceVideo:
    picture = folder / Path(image.file_name).name
    if not picture.is_file():
        raise InputError(
            f"{INFO.title}: expected {picture}, which annotation_coco.json lists; found no such"
            " file"
        )
    video, _, frame = picture.stem.partition("_")
    if not frame.isdecimal():
        raise InputError(f"{INFO.title}: {picture}: expected a name <video>_<frame>.jpg")
    regions = partial(_regions, picture.name, instances, image.size)
    number = int(frame)
    origin = StillOrigin(f"endoscapes:{video}", number, number / FPS)
    return still(picture.stem, picture, regions, CLASSES, origin)


def _regions(where: str, instances: list[tuple[str, Any]], size: tuple[int, int]) -> list[Region]:
    """Instances stay apart even where they are of one class."""
    return [
        Region(label, decode_coco(segmentation, size, where), f"{label} {i}")
        for i, (label, segmentation) in enumerate(instances)
    ]


SOURCE = Source(INFO, read)
