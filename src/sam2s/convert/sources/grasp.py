"""GraSP: keyframes of 13 robot-assisted prostatectomies, about 35 s apart, tool instances in COCO
form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.convert.link import LinkRules
from sam2s.convert.sources.annotation_files import CocoImage, Id, read_coco
from sam2s.convert.sources.base import (
    Picture,
    ReadOptions,
    Region,
    Source,
    SourceFrame,
    SourceInfo,
    SourceVideo,
    instrument,
)
from sam2s.convert.sources.file_tree import FileTree, find_folders, trailing_number
from sam2s.convert.sources.label_masks import decode_coco
from sam2s.errors import InputError

INFO = SourceInfo(
    name="grasp",
    title="GraSP",
    get="cloud drive linked in the README of BCV-Uniandes/GraSP",
    licence="repository MIT, of the data unconfirmed",
    holds=(
        "3,449 keyframes, 1280 x 800, of 13 prostatectomies; about 9,031 tool instances, 7 classes"
    ),
    shape="video",
    procedure="prostatectomy",
    split="8 training and 5 test cases in the source; SA-SV trains on all 13",
    expected=(
        "annotations/grasp_short-term_train.json (and _test.json) and frames/CASE001/000000068.jpg"
    ),
    options={
        "rate": (
            "frame numbers per second: auto (default: 30 or 1 by the folder's name), or a number"
        )
    },
)
CLASSES = {
    "Bipolar Forceps": instrument("bipolar forceps"),
    "Prograsp Forceps": instrument("prograsp forceps"),
    "Large Needle Driver": instrument("needle driver"),
    "Monopolar Curved Scissors": instrument("monopolar scissors"),
    "Suction Instrument": instrument("suction"),
    "Clip Applier": instrument("clip applier"),
    "Laparoscopic Grasper": instrument("grasper"),
}
CASE = r"CASE\d+"

Instance = tuple[str, Any]
"""Label, COCO segmentation."""


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per case, its keyframes only: the frames between them were never labelled.

    At one frame in 35 s regions cannot be followed: a class that is never seen twice at once is one
    track, of two instances the left and the right one are a track each, further ones are tracks of
    one frame.
    """
    tree = FileTree(INFO, root, skip=CASE)
    files = tree.match(r"grasp_short-term_(?:train|test)\.json") or tree.require(
        r"grasp_short-term_fold[12]\.json"
    )
    cases: dict[str, dict[str, tuple[CocoImage, list[Instance]]]] = {}
    for _, path in files:
        for case, name, image, instances in _images(path, options):
            if name in cases.setdefault(case, {}):
                raise InputError(
                    f"{INFO.title}: {path}: frame {case}/{name} is listed twice; keep one"
                    " annotation folder"
                )
            cases[case][name] = (image, instances)
    folders = [
        f for f in find_folders(root, CASE) if "segmentations" not in f.relative_to(root).parts
    ]
    rate = _rate(files[0][1], options)
    for case, images in sorted(cases.items()):
        here = [folder for folder in folders if folder.name == case]
        frames = _frames(case, dict(sorted(images.items())), here, rate)
        yield SourceVideo(case, frames, CLASSES, "train", f"grasp:{case}", rules=LinkRules())


def _images(
    path: Path, options: ReadOptions
) -> Iterator[tuple[str, str, CocoImage, list[Instance]]]:
    """(case, file name, image entry, instances) of every image with masks; class names are the
    file's."""
    content, names = read_coco(path)
    instances: dict[Id, list[Instance]] = {}
    for entry in content.annotations:
        label = _label(names[entry.category_id])
        if label not in CLASSES:
            options.note(f"unknown category '{label}', left out", path)
        elif entry.segmentation:
            instances.setdefault(entry.image_id, []).append((label, entry.segmentation))
    for image in content.images:
        if image.id in instances:
            case, name = Path("?", image.file_name).parts[-2:]
            yield case, name, image, instances[image.id]
        else:
            options.notes["keyframe without instances, left out"] += 1


def _label(name: str) -> str:
    """The known spelling of a class name, whatever its case."""
    plain = name.replace("_", " ").lower()
    return next((label for label in CLASSES if label.lower() == plain), name)


def _rate(path: Path, options: ReadOptions) -> float | None:
    if options.get("rate", "auto") != "auto":
        return options.number("rate", 30)
    for part in reversed(path.parts):
        for text, rate in (("30fps", 30.0), ("1fps", 1.0)):
            if text in part.lower():
                return rate
    options.notes[
        "frame rate not told by a folder named GraSP_30fps or GraSP_1fps (option rate): no times"
        " kept"
    ] += 1
    return None


def _frames(
    case: str,
    images: Mapping[str, tuple[CocoImage, list[Instance]]],
    folders: list[Path],
    rate: float | None,
) -> list[SourceFrame]:
    most: Counter[str] = Counter()
    for _, instances in images.values():
        most |= Counter(label for label, _ in instances)
    frames = []
    for name, (image, instances) in images.items():
        picture = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if picture is None:
            there = ", ".join(str(folder) for folder in folders) or "no folder of that case"
            raise InputError(f"{INFO.title}: expected frames/{case}/{name}; looked in {there}")
        number = trailing_number(Path(name).stem)
        if number is None:
            raise InputError(f"{INFO.title}: {picture}: expected a name that is the frame's number")
        regions = partial(_regions, f"{case}/{name}", instances, image.size, most)
        time_s = None if rate is None else number / rate
        frames.append(SourceFrame(f"{number:09d}", Picture(picture), number, time_s, regions))
    return frames


def _regions(
    where: str, instances: list[Instance], size: tuple[int, int], most: Mapping[str, int]
) -> list[Region]:
    by_label: dict[str, list[np.ndarray]] = {}
    for label, segmentation in instances:
        mask = decode_coco(segmentation, size, where)
        if mask.any():
            by_label.setdefault(label, []).append(mask)
    regions: list[Region] = []
    for label, masks in by_label.items():
        masks.sort(key=_centre)
        tracks = _tracks(masks, where, single=most[label] == 1)
        regions += [
            Region(label, mask, f"{label} {track}")
            for mask, track in zip(masks, tracks, strict=True)
        ]
    return regions


def _tracks(masks: list[np.ndarray], where: str, *, single: bool) -> list[str]:
    """Names of the tracks of one class's instances, which are in order from left to right."""
    if single:
        return ["only"]
    if len(masks) == 1:
        return ["left" if _centre(masks[0]) < masks[0].shape[1] / 2 else "right"]
    return ["left", *(f"{where} {i}" for i in range(1, len(masks) - 1)), "right"]


def _centre(mask: np.ndarray) -> float:
    """Mean x of the pixels."""
    columns = mask.sum(axis=0)
    return float(columns @ np.arange(len(columns)) / max(1, columns.sum()))


SOURCE = Source(INFO, read)
