"""DSAD: 11 abdominal structures in 32 robot-assisted rectal resections, one folder of masks a
structure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path

from sam2s.convert.sources.base import (
    Picture,
    ReadOptions,
    Region,
    Source,
    SourceFrame,
    SourceInfo,
    SourceVideo,
    tissue,
)
from sam2s.convert.sources.common import StillOrigin, still, whole
from sam2s.convert.sources.file_tree import FileTree, pair, unique
from sam2s.convert.sources.label_masks import read_threshold
from sam2s.masklets.catalogue import ObjectInfo

INFO = SourceInfo(
    name="dsad",
    title="DSAD",
    get=(
        "figshare article 21702600 (one zip; the mirror nct-tso/dsad on Hugging Face is in table"
        " form instead)"
    ),
    licence="CC BY 4.0",
    holds=(
        "13,195 frames, 1920 x 1080, of 32 rectal resections; 11 structures, each folder labels its"
        " own only"
    ),
    shape="video",
    procedure="myotomy",
    split="SA-SV trains on all, a part as images and a part as videos (the rule is not published)",
    expected="liver/03/image00.png and mask00.png (multilabel/03/image00.png and mask00_liver.png)",
    options={
        "shape": (
            "video (default): a sequence for each structure and surgery; stills: every frame alone"
        ),
        "multilabel": "include (default) or skip the frames with several structures",
    },
)
ORGANS = (
    "abdominal_wall",
    "colon",
    "inferior_mesenteric_artery",
    "intestinal_veins",
    "liver",
    "pancreas",
    "small_intestine",
    "spleen",
    "stomach",
    "ureter",
    "vesicular_glands",
)

Frames = dict[tuple[str, str], dict[str, tuple[Path, dict[str, Path]]]]
"""{(folder, surgery): {number: (picture, {organ: mask})}}."""


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per folder and surgery, one track per structure; what a folder does not label is
    not absent."""
    tree = FileTree(INFO, root)
    frames = _single(tree)
    if options.get("multilabel", "include", ("include", "skip")) == "include":
        several = _several(tree)
        _drop_repeated(frames, several, options)
        frames |= several
    if not frames:
        raise tree.unlike()
    stills = options.get("shape", "video", ("video", "stills")) == "stills"
    for (folder, surgery), numbered in frames.items():
        listed = [_frame(number, *numbered[number]) for number in sorted(numbered, key=int)]
        organs = sorted({organ for _, masks in numbered.values() for organ in masks})
        missing = sum(len(organs) - len(masks) for _, masks in numbered.values())
        if missing:
            options.notes[
                "multilabel frame without the mask of an organ labelled beside it, taken as absent"
            ] += missing
        classes = {organ: tissue(organ.replace("_", " ")) for organ in organs}
        name, key = f"{folder}_{surgery}", f"dsad:{surgery}"
        if stills:
            yield from (_alone(name, frame, classes, key) for frame in listed)
        elif listed:
            yield SourceVideo(name, listed, classes, "train", key)


def _single(tree: FileTree) -> Frames:
    """Masks that lie directly beside their picture; deeper folders hold single raters' masks."""
    place = rf"(?P<organ>{'|'.join(ORGANS)})/(?P<surgery>\d\d)/{{}}(?P<number>\d+)\.png"
    tables = [
        unique(
            INFO,
            (
                (f"{m['organ']}/{m['surgery']}/{m['number']}", p)
                for m, p in tree.match(place.format(kind))
            ),
        )
        for kind in ("image", "mask")
    ]
    frames: Frames = {}
    for key, picture, mask in pair(INFO, tables[0], tables[1]):
        organ, surgery, number = key.split("/")
        frames.setdefault((organ, surgery), {})[number] = (picture, {organ: mask})
    return frames


def _several(tree: FileTree) -> Frames:
    place = r"multilabel/(?P<surgery>\d\d)/"
    frames: Frames = {}
    for match, path in tree.match(place + r"image(?P<number>\d+)\.png"):
        frames.setdefault(("multilabel", match["surgery"]), {})[match["number"]] = (path, {})
    for match, path in tree.match(
        place + rf"mask(?P<number>\d+)_(?P<organ>{'|'.join(ORGANS)})\.png"
    ):
        entry = frames.get(("multilabel", match["surgery"]), {}).get(match["number"])
        if entry is None:
            raise tree.unlike(f"{path} has no picture image{match['number']}.png beside it")
        entry[1][match["organ"]] = path
    return frames


def _drop_repeated(frames: Frames, several: Frames, options: ReadOptions) -> None:
    """Whether the multilabel frames repeat others is not published: equal files are found, the
    richer label stays."""
    seen: dict[tuple[int, str], list[Path]] = {}
    for (_, surgery), table in several.items():
        for path, _ in table.values():
            seen.setdefault((path.stat().st_size, surgery), []).append(path)
    for (_, surgery), numbered in frames.items():
        for number, (path, _) in list(numbered.items()):
            twins = seen.get((path.stat().st_size, surgery), [])
            if any(_digest(twin) == _digest(path) for twin in twins):
                del numbered[number]
                options.notes[
                    "frame of a single structure that multilabel repeats, left out there"
                ] += 1


def _digest(path: Path) -> bytes:
    return blake2b(path.read_bytes()).digest()


def _frame(number: str, picture: Path, masks: dict[str, Path]) -> SourceFrame:
    return SourceFrame(
        f"{int(number):06d}",
        Picture(picture),
        int(number),
        None,
        partial(_regions, masks),
        tuple(masks.values()),
    )


def _alone(name: str, frame: SourceFrame, classes: dict[str, ObjectInfo], key: str) -> SourceVideo:
    assert frame.regions is not None
    return still(
        f"{name}_{frame.name}",
        frame.picture.path,
        frame.regions,
        classes,
        StillOrigin(key, frame.number),
        labels=frame.labels,
    )


def _regions(masks: dict[str, Path]) -> list[Region]:
    return [whole(organ, read_threshold(path)) for organ, path in sorted(masks.items())]


SOURCE = Source(INFO, read)
