"""DAVIS: everyday videos with densely labelled things; 2016 with one foreground, 2017 with
instances."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

from sam2s.convert.sources.base import (
    Picture,
    ReadOptions,
    Source,
    SourceFrame,
    SourceInfo,
    SourceVideo,
)
from sam2s.convert.sources.common import THING, instances
from sam2s.convert.sources.file_tree import FileTree, pair, trailing_number, unique

INFO = SourceInfo(
    name="davis",
    title="DAVIS",
    get="davischallenge.org, DAVIS 2016 or DAVIS 2017 (TrainVal, 480p or full resolution)",
    licence="CC BY 4.0 by its authors; some videos come from elsewhere under other terms",
    holds="50 (2016) or 90 (2017) everyday videos at 24 fps, masks on every frame",
    shape="video",
    procedure="everyday",
    split="the source's own: train and val (those of 2017, which hold those of 2016)",
    expected=(
        "JPEGImages/480p/bear/00000.jpg and Annotations/480p/bear/00000.png (or"
        " images/bear/00000.jpg, masks/...)"
    ),
)
FPS = 24.0
VALIDATION = frozenset(
    [
        "bike-packing",
        "blackswan",
        "bmx-trees",
        "breakdance",
        "camel",
        "car-roundabout",
        "car-shadow",
        "cows",
        "dance-twirl",
        "dog",
        "dogs-jump",
        "drift-chicane",
        "drift-straight",
        "goat",
        "gold-fish",
        "horsejump-high",
        "india",
        "judo",
        "kite-surf",
        "lab-coat",
        "libby",
        "loading",
        "mbike-trick",
        "motocross-jump",
        "paragliding-launch",
        "parkour",
        "pigs",
        "scooter-black",
        "shooting",
        "soapbox",
    ]
)
"""The validation videos of DAVIS 2017; the twenty of DAVIS 2016 are among them."""


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per folder; identities are the source's. Where both resolutions lie side by side
    480p is taken."""
    tree = FileTree(INFO, root)
    pictures = _frames(tree, "(?:JPEGImages|images)", "jpe?g|png")
    masks = _frames(tree, "(?:Annotations|masks)", "png")
    videos: dict[str, list[SourceFrame]] = {}
    for key, picture, mask in pair(INFO, pictures, masks, unmasked="skip"):
        video, stem = key.split("/")
        number = trailing_number(stem) or 0
        frame = SourceFrame(
            stem,
            Picture(picture),
            number,
            number / FPS,
            partial(instances, mask, options),
            (mask,),
        )
        videos.setdefault(video, []).append(frame)
    for video, frames in videos.items():
        split = "val" if video in VALIDATION else "train"
        yield SourceVideo(
            video, frames, THING, split, f"davis:{video}", _rate(frames), ids="source"
        )


def _frames(tree: FileTree, folder: str, suffix: str) -> dict[str, Path]:
    """{video/stem: path}, of one resolution."""
    found = tree.require(
        rf"{folder}/(?:(?P<size>480p|1080p|Full-Resolution)/)?(?P<video>[^/]+)/(?P<stem>\d+)\.(?:{suffix})"
    )
    sizes = sorted({match["size"] or "" for match, _ in found}, key=lambda size: size != "480p")
    return unique(
        tree.info,
        (
            (f"{match['video']}/{match['stem']}", path)
            for match, path in found
            if (match["size"] or "") == sizes[0]
        ),
    )


def _rate(frames: list[SourceFrame]) -> float | None:
    """Frames per second of the frames that are there, where they are evenly spaced."""
    steps = {b.number - a.number for a, b in pairwise(frames)}
    return FPS / steps.pop() if len(steps) == 1 and min(steps) > 0 else None


SOURCE = Source(INFO, read)
