"""EndoVis18: robotic nephrectomy; parts of instruments, tissues; types of instruments with an extra
package."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np

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
    tissue,
)
from sam2s.convert.sources.common import SUBSET, things, whole
from sam2s.convert.sources.file_tree import FileTree, pair, unique
from sam2s.convert.sources.label_masks import Colour, colour_codes, read_codes, read_colours
from sam2s.convert.sources.regions import instruments
from sam2s.errors import InputError
from sam2s.masklets.catalogue import Line
from sam2s.typed_json import Bounds, read_json

INFO = SourceInfo(
    name="endovis18",
    title="EndoVis18",
    get=(
        "endovissub2018-roboticscenesegmentation.grand-challenge.org (registration); types of"
        " instruments: ISINet annotations, linked from BCV-Uniandes/ISINet"
    ),
    licence="CC BY-NC 4.0 (secondary source)",
    holds=(
        "15 sequences of 149 frames, 1280 x 1024, 2 Hz, static frames removed; parts of"
        " instruments, kidney, bowel"
    ),
    shape="video",
    procedure="nephrectomy",
    split="SA-SV tests on sequences 2, 5, 9 and 15",
    expected=(
        "seq_1/left_frames/frame000.png and seq_1/labels/frame000.png, with labels.json beside the"
        " sequences"
    ),
    options={
        "subset": SUBSET,
        "isinet": "class numbers of the extra package: auto (by folder suffix), 2017 or 2018",
    },
)
COLOURS: dict[Colour, str] = {
    (0, 0, 0): "background-tissue",
    (0, 255, 0): "instrument-shaft",
    (0, 255, 255): "instrument-clasper",
    (125, 255, 12): "instrument-wrist",
    (255, 55, 0): "kidney-parenchyma",
    (24, 55, 125): "covered-kidney",
    (187, 155, 25): "thread",
    (128, 155, 25): "thread",
    (0, 255, 125): "clamps",
    (255, 255, 125): "suturing-needle",
    (123, 15, 175): "suction-instrument",
    (124, 155, 5): "small-intestine",
    (12, 255, 141): "ultrasound-probe",
}
"""Used where labels.json is missing; thread has two colours in public sources."""
PARTS = {"instrument-shaft": "shaft", "instrument-wrist": "wrist", "instrument-clasper": "clasper"}
CLASSES = {
    "instrument": instrument(),
    "kidney-parenchyma": tissue("kidney parenchyma"),
    "covered-kidney": tissue("covered kidney"),
    "small-intestine": tissue("small intestine"),
    "thread": instrument("thread"),
    "clamps": instrument("clamp"),
    "suturing-needle": instrument("suturing needle"),
    "suction-instrument": instrument("suction"),
    "ultrasound-probe": instrument("US probe"),
    "Bipolar Forceps": instrument("bipolar forceps"),
    "Prograsp Forceps": instrument("prograsp forceps"),
    "Large Needle Driver": instrument("needle driver"),
    "Vessel Sealer": instrument("vessel sealer"),
    "Grasping Retractor": instrument("grasper retractor"),
    "Monopolar Curved Scissors": instrument("monopolar scissors"),
    "Clip Applier": instrument("clip applier"),
}
ISINET = {
    "2017": {
        1: "Bipolar Forceps",
        2: "Prograsp Forceps",
        3: "Large Needle Driver",
        4: "Vessel Sealer",
        5: "Grasping Retractor",
        6: "Monopolar Curved Scissors",
        7: "ultrasound-probe",
        8: "suction-instrument",
        9: "Clip Applier",
    },
    "2018": {
        1: "Bipolar Forceps",
        2: "Prograsp Forceps",
        3: "Large Needle Driver",
        4: "Monopolar Curved Scissors",
        5: "ultrasound-probe",
        6: "suction-instrument",
        7: "Clip Applier",
    },
}
"""The package exists with two numberings of the types."""
SEVERAL = frozenset({"clamps"})
TESTED = frozenset({"2", "5", "9", "15"})
FPS = 2.0


@dataclass(frozen=True, slots=True)
class _Class:
    name: Line
    color: tuple[Annotated[int, Bounds(0, 255)], ...]


@dataclass(frozen=True, slots=True)
class _Classes:
    classes: tuple[_Class, ...]


Instances = Mapping[str, list[tuple[str, Path]]]
"""{sequence/frame: [(type, mask file)]} of the extra package."""


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per sequence. Instruments are united parts or the extra package's instances, linked
    either way."""
    tree = FileTree(INFO, root)
    pictures, labels = _keyed(tree, "left_frames"), _keyed(tree, "labels")
    for match, path in tree.match(r"seq_(?P<seq>\d+)_frame(?P<number>\d+)\.png"):
        labels[f"{match['seq']}/{int(match['number'])}"] = path
    colours = _colours(tree)
    instances = _instances(tree, options)
    sequences: dict[str, list[SourceFrame]] = {}
    for key, picture, label in pair(INFO, pictures, labels, unmasked="skip"):
        sequence, number = key.split("/")
        if instances and key not in instances:
            options.notes[
                "frame that the extra package does not name: its instruments, if any, have no type"
            ] += 1
        regions = partial(_regions, label, colours, instances.get(key), options)
        # Static frames were removed from the set, so the times are lost.
        frame = SourceFrame(
            f"{int(number):06d}", Picture(picture), int(number), None, regions, (label,)
        )
        sequences.setdefault(sequence, []).append(frame)
    for sequence, frames in sequences.items():
        split = "test" if sequence in TESTED else EXTRA
        if split == "test" or options.everything():
            yield SourceVideo(
                f"seq{sequence}", frames, CLASSES, split, f"endovis18:{sequence}", FPS
            )


def _keyed(tree: FileTree, folder: str) -> dict[str, Path]:
    """{sequence/frame: file}; the challenge's test sequences reuse the numbers 1 to 4 and get a
    name of their own."""
    found = tree.require(rf"seq_(?P<seq>\d+)[^/]*/{folder}/frame(?P<number>\d+)\.(?:png|jpe?g)")
    named = ((f"{_test(m['base'])}{m['seq']}/{int(m['number'])}", path) for m, path in found)
    return unique(INFO, named)


def _test(base: str) -> str:
    return "test" if "test" in base.lower() else ""


def _colours(tree: FileTree) -> dict[Colour, str]:
    """labels.json of any release (a list, or a list under "classes", colours with or without
    alpha), else the table."""
    colours: dict[Colour, str] = {}
    for _, path in tree.match(r"labels\.json"):
        form = "a list of {'name', 'color', 'classid'}"
        kind: Any = _Classes | tuple[_Class, ...]
        content = read_json(path, kind, form=form)
        for entry in content.classes if isinstance(content, _Classes) else content:
            if len(entry.color) < 3:
                raise InputError(f"{path}: expected {form} (the colour of {entry.name!r} is short)")
            red, green, blue = entry.color[:3]
            colours[red, green, blue] = entry.name
    return colours or COLOURS


def _instances(tree: FileTree, options: ReadOptions) -> dict[str, list[tuple[str, Path]]]:
    chosen = options.get("isinet", "auto", ("auto", "2017", "2018"))
    found: dict[str, list[tuple[str, Path]]] = {}
    for match, path in tree.match(
        r"seq_(?P<seq>\d+)[^/]*/instrument_labels(?:_(?P<ids>\d{4}))?/(?P<stem>[^/]+)\.png"
    ):
        system = match["ids"] if chosen == "auto" else chosen
        if system not in ISINET:
            raise InputError(
                f"{path.parent}: its class numbers may be those of 2017 or 2018; say isinet=2017 or"
                " 2018"
            )
        frame, kind = (
            re.search(r"frame_?(\d+)", match["stem"]),
            re.search(r"class_?(\d+)", match["stem"]),
        )
        if frame is None or kind is None or int(kind[1]) not in ISINET[system]:
            numbers = f"class1 to class{max(ISINET[system])}"
            raise InputError(
                f"{path}: expected a name with frame<number>, class<k> ({numbers}) and inst<j>"
            )
        key = f"{_test(match['base'])}{match['seq']}/{int(frame[1])}"
        found.setdefault(key, []).append((ISINET[system][int(kind[1])], path))
    return found


def _regions(
    path: Path,
    table: Mapping[Colour, str],
    extra: list[tuple[str, Path]] | None,
    options: ReadOptions,
) -> list[Region]:
    pixels = read_colours(path)
    codes, strays = colour_codes(pixels, list(table))
    for colour in strays:
        options.note(f"unknown colour {colour} in a mask, left out", path)
    masks: dict[str, np.ndarray] = {}
    for place, label in enumerate(table.values()):
        mask = codes == place
        if mask.any():
            masks[label] = masks[label] | mask if label in masks else mask
    parts = {PARTS[label]: masks.pop(label) for label in list(masks) if label in PARTS}
    masks.pop("background-tissue", None)
    regions = _tools(parts, extra)
    for label, mask in masks.items():
        if label not in CLASSES:
            options.note(f"unknown class '{label}' in labels.json, left out", path)
            continue
        regions += things(label, mask, bridge=1) if label in SEVERAL else [whole(label, mask)]
    return regions


def _tools(parts: dict[str, np.ndarray], extra: list[tuple[str, Path]] | None) -> list[Region]:
    """Probe and suction come from the colours; everything else from the package, where there is
    one."""
    if extra is None:
        return [Region("instrument", mask) for mask in instruments(parts)]
    typed = [
        (label, path)
        for label, path in sorted(extra)
        if label not in ("ultrasound-probe", "suction-instrument")
    ]
    return [Region(label, read_codes(path) > 0) for label, path in typed]


SOURCE = Source(INFO, read)
