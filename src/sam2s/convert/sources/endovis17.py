"""EndoVis17: instruments of ten porcine da Vinci videos, one mask folder an instrument in the
training part."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

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
)
from sam2s.convert.sources.common import SUBSET, note_strays, things
from sam2s.convert.sources.file_tree import FileTree, unique
from sam2s.convert.sources.label_masks import code_masks, read_codes
from sam2s.errors import InputError
from sam2s.masklets.catalogue import ObjectInfo
from sam2s.media.pictures import read_size

INFO = SourceInfo(
    name="endovis17",
    title="EndoVis17",
    get=(
        "endovissub2017-roboticinstrumentsegmentation.grand-challenge.org, Downloads (registration)"
    ),
    licence="CC BY-NC 4.0 (secondary source)",
    holds=(
        "10 videos at 2 Hz, 1920 x 1080 with borders; 225 training frames by instrument, 75 test"
        " frames by type"
    ),
    shape="video",
    procedure="nephrectomy",
    split="SA-SV tests on sequences 2, 5 and 6, training and test frames together",
    expected=(
        "instrument_dataset_1/left_frames/frame000.png and"
        " ground_truth/<Instrument>_labels/frame000.png (test part:"
        " instrument_dataset_1/gt/TypeSegmentation/frame225.png)"
    ),
    options={
        "subset": SUBSET,
        "other": "class of 'Other': instrument (default, no type) or 'US probe'",
    },
)
TYPES = {
    1: "Bipolar Forceps",
    2: "Prograsp Forceps",
    3: "Large Needle Driver",
    4: "Vessel Sealer",
    5: "Grasping Retractor",
    6: "Monopolar Curved Scissors",
    7: "Other",
}
CLASSES = {
    "Bipolar Forceps": instrument("bipolar forceps"),
    "Prograsp Forceps": instrument("prograsp forceps"),
    "Large Needle Driver": instrument("needle driver"),
    "Vessel Sealer": instrument("vessel sealer"),
    "Grasping Retractor": instrument("grasper retractor"),
    "Monopolar Curved Scissors": instrument("monopolar scissors"),
    "Other": instrument(),
}
TESTED = frozenset({2, 5, 6})
FPS = 2.0
BORDERED = (1080, 1920)
WINDOW = (320, 28, 1280, 1024)
"""x, y, width, height of the picture inside its borders."""

Part = dict[int, Path]
"""{frame number: file}."""


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video a data set number. Training identities are the folders'; test regions are linked to
    them."""
    tree = FileTree(INFO, root)
    pictures = _by_set(
        tree.require(
            r"instrument_dataset_(?P<set>\d+)/left_frames/frame(?P<number>\d+)\.(?:png|jpe?g)"
        )
    )
    tools = _by_set(
        tree.match(
            r"instrument_dataset_(?P<set>\d+)/ground_truth/(?P<tool>[^/]+)/frame(?P<number>\d+)\.png"
        )
    )
    types = _by_set(
        tree.match(r"instrument_dataset_(?P<set>\d+)/gt/TypeSegmentation/frame(?P<number>\d+)\.png")
    )
    if not tools and not types:
        raise tree.unlike("there are pictures, but no ground truth")
    other = options.get("other", "instrument", ("instrument", "US probe"))
    classes = CLASSES | {"Other": instrument(None if other == "instrument" else other)}
    for number in sorted(pictures):
        split = "test" if number in TESTED else EXTRA
        if split == EXTRA and not options.everything():
            continue
        frames, ids = _frames(
            number, pictures, tools.get(number, {}), types.get(number, {}), options
        )
        if frames:
            yield _video(number, frames, classes, split, ids)


def _video(
    number: int, frames: list[SourceFrame], classes: dict[str, ObjectInfo], split: str, linked: bool
) -> SourceVideo:
    key = f"endovis17:{number}"
    return SourceVideo(
        f"seq{number}", frames, classes, split, key, FPS, "derived" if linked else "source"
    )


def _by_set(found: list) -> dict[int, dict[str, Part]]:
    """{data set: {folder of the file: {frame number: file}}}."""
    sets: dict[int, dict[str, Part]] = {}
    for match, path in found:
        sets.setdefault(int(match["set"]), {}).setdefault(str(path.parent), {})[
            int(match["number"])
        ] = path
    return sets


def _frames(
    number: int,
    pictures: dict[int, dict[str, Part]],
    tools: dict[str, Part],
    types: dict[str, Part],
    options: ReadOptions,
) -> tuple[list[SourceFrame], bool]:
    """The frames of one data set in order, and whether some identities must be linked."""
    folders = list(pictures[number].values())
    truth = [part for parts in (tools, types) for part in parts.values()]
    trained = set().union(*tools.values()) if tools else set()
    shift = _shift(folders, trained, options)
    shown = _united(folders, trained, shift)
    typed = unique(
        INFO, ((str(n + shift), path) for part in types.values() for n, path in part.items())
    )
    frames = []
    for n, picture in sorted(shown.items()):
        if n in trained:
            frames.append(_frame(n, picture, partial(_tool_regions, n, picture, tools)))
        elif str(n) in typed:
            frames.append(
                _frame(
                    n,
                    picture,
                    partial(_type_regions, typed[str(n)], options),
                    (typed[str(n)],),
                )
            )
        else:
            options.notes["frame without ground truth (test masks not downloaded?), left out"] += 1
    if truth and not frames:
        raise InputError(
            f"{INFO.title}: set {number}: no picture has the number of a mask; expected"
            f" {INFO.expected}"
        )
    return frames, bool(typed)


def _shift(folders: list[Part], trained: set[int], options: ReadOptions) -> int:
    """What to add to the numbers of the test part: 0 where it goes on counting, as it is thought to
    do."""
    starts = [min(part) for part in folders]
    if len(folders) < 2 or not trained or len({*starts}) == len(starts):
        return 0
    options.notes["test frames count from 0, taken to follow the training frames"] += 1
    return max(trained) + 1


def _united(folders: list[Part], trained: set[int], shift: int) -> Part:
    if not shift:
        return {
            int(n): path
            for n, path in unique(
                INFO, ((str(n), p) for part in folders for n, p in part.items())
            ).items()
        }
    # The training folder is the one whose numbers are those of the masks; both begin at 0.
    ordered = sorted(folders, key=lambda part: set(part) != trained)
    return dict(ordered[0]) | {n + shift: path for part in ordered[1:] for n, path in part.items()}


def _frame(
    number: int, picture: Path, regions: partial[list[Region]], labels: tuple[Path, ...] = ()
) -> SourceFrame:
    cropped = Picture(picture, crop=WINDOW if read_size(picture) == BORDERED else None)
    return SourceFrame(f"{number:06d}", cropped, number, number / FPS, regions, labels)


def _tool_regions(number: int, picture: Path, tools: dict[str, Part]) -> list[Region]:
    regions = []
    for folder, part in sorted(tools.items()):
        name = Path(folder).name
        if number not in part:
            raise InputError(
                f"{INFO.title}: {folder}/frame{number:03d}.png: expected this mask, since {picture}"
                " exists"
            )
        regions.append(
            Region(_type_of(name, folder), _inside(read_codes(part[number])) > 0, track=name)
        )
    return regions


def _type_of(name: str, folder: str) -> str:
    for label in TYPES.values():
        if label.replace(" ", "_").lower() in name.lower():
            return label
    raise InputError(
        f"{INFO.title}: {folder}: expected the name of an instrument type"
        f" ({', '.join(TYPES.values())})"
    )


def _type_regions(path: Path, options: ReadOptions) -> list[Region]:
    masks, strays = code_masks(_inside(read_codes(path)), TYPES)
    note_strays(strays, path, options, frozenset({0}))
    return [region for label, mask in masks.items() for region in things(label, mask, bridge=2)]


def _inside(codes: np.ndarray) -> np.ndarray:
    """Without borders, where the file has them; whether the published test masks do is not
    known."""
    x, y, width, height = WINDOW
    return codes[y : y + height, x : x + width] if codes.shape == BORDERED else codes


SOURCE = Source(INFO, read)
