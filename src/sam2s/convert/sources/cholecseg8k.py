"""CholecSeg8k: 101 clips of 80 consecutive frames from 17 Cholec80 videos, semantic masks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

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
from sam2s.convert.sources.common import excluded, note_strays, things, whole
from sam2s.convert.sources.file_tree import FileTree, pair, unique
from sam2s.convert.sources.label_masks import code_masks, read_codes

INFO = SourceInfo(
    name="cholecseg8k",
    title="CholecSeg8k",
    get="Kaggle: newslab/cholecseg8k; mirror on Hugging Face: minwoosun/CholecSeg8k",
    licence="CC BY-NC-SA 4.0",
    holds=(
        "8,080 frames, 854 x 480, 25 fps, in clips of 80 frames from 17 cholecystectomies; 13"
        " classes"
    ),
    shape="video",
    procedure="cholecystectomy",
    split=(
        "none in the source; SA-SV trains on 45 videos, 4,338 frames (which ones is not published);"
        " here: all"
    ),
    expected="video01/video01_00080/frame_*_endo.png and frame_*_endo_watershed_mask.png",
    options={
        "exclude": "Cholec80 video numbers to leave out, such as 09,20 (default none)",
        "blood": "skip (default) or keep; whether SA-SV keeps blood is not published",
    },
)
CODES = {
    11: "abdominal wall",
    21: "liver",
    13: "gastrointestinal tract",
    12: "fat",
    31: "grasper",
    23: "connective tissue",
    24: "blood",
    25: "cystic duct",
    32: "L-hook electrocautery",
    22: "gallbladder",
    33: "hepatic vein",
    5: "liver ligament",
}
CLASSES = {
    "abdominal wall": tissue("abdominal wall"),
    "liver": tissue("liver"),
    "gastrointestinal tract": tissue("GI tract"),
    "fat": tissue("fat"),
    "grasper": instrument("grasper"),
    "connective tissue": tissue("connective tissue"),
    "blood": tissue("blood"),
    "cystic duct": tissue("cystic duct"),
    "L-hook electrocautery": instrument("hook"),
    "gallbladder": tissue("gallbladder"),
    "hepatic vein": tissue("hepatic vein"),
    "liver ligament": tissue("liver ligament"),
}
UNUSED = frozenset({0, 50, 255})
"""Unlabelled, black background, and the line of one pixel round the picture."""
FPS = 25.0


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video a run of consecutive clips; graspers are components, linked; the other classes one
    track each."""
    blood = options.get("blood", "skip", ("skip", "keep"))
    labels = [label for label in CLASSES if label != "blood" or blood == "keep"]
    out = {number.zfill(2) for number in excluded(options)}
    for video, numbered in _frames(FileTree(INFO, root)).items():
        if video in out:
            continue
        for run in _runs(sorted(numbered)):
            frames = [
                _frame(number, *numbered[number], frozenset(labels), options) for number in run
            ]
            classes = {label: CLASSES[label] for label in labels}
            yield SourceVideo(
                f"video{video}_{run[0]:05d}", frames, classes, "train", f"cholec80:VID{video}", FPS
            )


def _frames(tree: FileTree) -> dict[str, dict[int, tuple[Path, Path]]]:
    """{video: {frame number: (picture, mask)}}."""
    clip = r"video(?P<video>\d+)/video\d+_\d+/frame_(?P<number>\d+)_endo"
    masks, pictures = (
        unique(
            INFO, ((f"{m['video']}/{m['number']}", path) for m, path in tree.require(clip + suffix))
        )
        for suffix in (r"_watershed_mask\.png", r"\.png")
    )
    videos: dict[str, dict[int, tuple[Path, Path]]] = {}
    for key, picture, mask in pair(INFO, pictures, masks):
        video, number = key.split("/")
        videos.setdefault(video, {})[int(number)] = (picture, mask)
    return videos


def _runs(numbers: list[int]) -> list[list[int]]:
    """Consecutive numbers together: clips that follow one another are one video."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _frame(
    number: int, picture: Path, mask: Path, labels: frozenset[str], options: ReadOptions
) -> SourceFrame:
    regions = partial(_regions, mask, labels, options)
    return SourceFrame(f"{number:06d}", Picture(picture), number, number / FPS, regions, (mask,))


def _regions(path: Path, labels: frozenset[str], options: ReadOptions) -> list[Region]:
    masks, strays = code_masks(read_codes(path), CODES, UNUSED)
    note_strays(strays, path, options, UNUSED)
    regions: list[Region] = []
    for label in labels.intersection(masks):
        regions += (
            things(label, masks[label], bridge=1)
            if label == "grasper"
            else [whole(label, masks[label])]
        )
    return sorted(regions, key=lambda region: region.label)


SOURCE = Source(INFO, read)
