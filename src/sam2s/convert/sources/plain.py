"""Plain folders of pictures and masks with equal names, in videos or as stills: the layout of many
small data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from sam2s.convert.sources.base import (
    Picture,
    ReadOptions,
    Region,
    Source,
    SourceFrame,
    SourceInfo,
    SourceVideo,
)
from sam2s.convert.sources.common import FAST_CAMERA, instances, still, things
from sam2s.convert.sources.file_tree import FileTree, pair, trailing_number, unique
from sam2s.convert.sources.label_masks import read_threshold
from sam2s.masklets.catalogue import Kind, ObjectInfo

INFO = SourceInfo(
    name="plain",
    title="plain",
    get="any data set, arranged as described",
    licence="the data set's",
    holds="any videos or stills: pictures, and masks of equal names",
    shape="video",
    procedure="unknown",
    split="by the options split and val_every",
    expected="images/<video>/<stem>.jpg and masks/<video>/<stem>.png (stills: images/<stem>.jpg)",
    options={
        "class": "name of what the masks show (default: unnamed)",
        "kind": "instrument, tissue or other (default)",
        "objects": (
            "ids (default): a pixel's value is its object, 255 alone is one object; pieces: a mask"
            " is black and white and every connected piece is one thing, linked over time"
        ),
        "video": "pictures directly in images are the frames of one video with this name",
        "fps": "frames per second of the listed frames (default: unknown)",
        "split": "the split of all videos and stills, default train",
        "val_every": "every N-th video or still has the split val instead (default 0: none)",
    },
)
LABEL = "thing"


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """A video for every folder below images, a still for every picture directly in it."""
    kind = options.get("kind", "other", get_args(Kind))
    label, rate = options.get("class", "") or None, options.number("fps", 0) or None
    decode: Callable[[Path], list[Region]] = partial(instances, options=options, label=LABEL)
    if options.get("objects", "ids", ("ids", "pieces")) == "pieces":
        decode = _pieces
    for number, (name, frames) in enumerate(_videos(root, options.get("video", "")).items()):
        classes = {LABEL: ObjectInfo(label, kind)}  # type: ignore[arg-type]
        every = int(options.number("val_every", 0))
        split = "val" if every and number % every == 0 else options.get("split", "train")
        if len(frames) == 1:
            (picture, mask), *_ = frames.values()
            yield still(name, picture, partial(decode, mask), classes, split=split, labels=(mask,))
        else:
            yield _video(name, frames, decode, classes, (split, rate))


def _videos(root: Path, loose: str) -> dict[str, dict[str, tuple[Path, Path]]]:
    """{video or still: {stem: (picture, mask)}}; ``loose``: the video that pictures outside any
    folder belong to."""
    tree = FileTree(INFO, root)
    place = r"{}/(?:(?P<video>[^/]+)/)?(?P<stem>[^/]+)\.(?:{})"
    tables = []
    for folder, suffix in (("images", "jpe?g|png|tiff?|bmp"), ("masks", "png|jpe?g|tiff?|bmp")):
        found = tree.require(place.format(folder, suffix))
        tables.append(
            unique(INFO, ((f"{m['video'] or ''}/{m['stem']}", path) for m, path in found))
        )
    videos: dict[str, dict[str, tuple[Path, Path]]] = {}
    for key, picture, mask in pair(INFO, *tables, unmasked="skip"):
        video, stem = key.split("/")
        videos.setdefault(video or loose or stem, {})[stem] = (picture, mask)
    return videos


def _video(
    name: str,
    frames: Mapping[str, tuple[Path, Path]],
    decode: Callable[[Path], list[Region]],
    classes: Mapping[str, ObjectInfo],
    about: tuple[str, float | None],
) -> SourceVideo:
    """``about``: split and frame rate."""
    split, rate = about
    listed = [
        SourceFrame(
            stem,
            Picture(picture),
            number if (number := trailing_number(stem)) is not None else position,
            None if rate is None else position / rate,
            partial(decode, mask),
            (mask,),
        )
        for position, (stem, (picture, mask)) in enumerate(frames.items())
    ]
    # Which object is which over time is known where pixels carry numbers.
    ids: Literal["source", "derived"] = "derived" if decode is _pieces else "source"
    return SourceVideo(name, listed, classes, split, f"plain:{name}", rate, ids, rules=FAST_CAMERA)


def _pieces(path: Path) -> list[Region]:
    return things(LABEL, read_threshold(path))


SOURCE = Source(INFO, read)
