"""BKAI-IGH (NeoPolyp-Small): colonoscopy stills whose masks tell neoplastic from other polyps by
colour."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sam2s.convert.sources.base import ReadOptions, Region, Source, SourceInfo, SourceVideo, tissue
from sam2s.convert.sources.common import still, things
from sam2s.convert.sources.file_tree import FileTree, pair, unique
from sam2s.convert.sources.label_masks import read_colours

INFO = SourceInfo(
    name="bkai-igh",
    title="BKAI-IGH",
    get="Kaggle competition bkai-igh-neopolyp",
    licence="rules of the competition (terms unconfirmed)",
    holds="1,000 colonoscopy stills with masks in JPEG (red: neoplastic, green: not), 200 without",
    shape="stills",
    procedure="colonoscopy",
    split="SA-SV trains on the 1,000 labelled ones",
    expected="train/train/<stem>.jpeg and train_gt/train_gt/<same stem>.jpeg",
    options={
        "min_fraction": (
            "smallest polyp as a share of the picture, default 0.0005 (that of SA-SV is not"
            " published)"
        )
    },
)
CLASSES = {"neoplastic polyp": tissue("polyp"), "non-neoplastic polyp": tissue("polyp")}
BRIGHT = 100
"""Least value of the stronger channel in the foreground: the masks went through lossy
compression."""


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video a labelled picture; polyps are the components of each colour."""
    tree = FileTree(INFO, root)
    pictures, masks = (
        unique(
            INFO,
            (
                (m["stem"], path)
                for m, path in tree.require(rf"{folder}/(?P<stem>[^/]+)\.(?:jpe?g|png)")
            ),
        )
        for folder in ("train", "train_gt")
    )
    smallest = options.number("min_fraction", 0.0005)
    for stem, picture, mask in pair(INFO, pictures, masks):
        yield still(stem, picture, partial(_regions, mask, smallest), CLASSES, labels=(mask,))


def _regions(path: Path, min_fraction: float) -> list[Region]:
    colours = read_colours(path)
    red, green = colours[..., 0], colours[..., 1]
    neoplastic = (red > BRIGHT) & (red >= green)
    other = (green > BRIGHT) & (green > red)
    return things("neoplastic polyp", neoplastic, min_fraction) + things(
        "non-neoplastic polyp", other, min_fraction
    )


SOURCE = Source(INFO, read)
