"""Kvasir-SEG: 1,000 colonoscopy stills with polyp masks in JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sam2s.convert.sources.base import ReadOptions, Source, SourceInfo, SourceVideo
from sam2s.convert.sources.common import POLYP, polyps, still
from sam2s.convert.sources.file_tree import FileTree, pair, unique

INFO = SourceInfo(
    name="kvasir-seg",
    title="Kvasir-SEG",
    get="datasets.simula.no/kvasir-seg, kvasir-seg.zip",
    licence="research and education with citation (wording unconfirmed)",
    holds="1,000 colonoscopy stills, 332 x 487 to 1920 x 1072, binary polyp masks in JPEG",
    shape="stills",
    procedure="colonoscopy",
    split="none in the source; SA-SV trains on all",
    expected="images/<stem>.jpg and masks/<same stem>.jpg",
)


def read(root: Path, _options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per picture; polyps are components."""
    tree = FileTree(INFO, root)
    pictures, masks = (
        unique(
            INFO,
            (
                (m["stem"], path)
                for m, path in tree.require(rf"{folder}/(?P<stem>[^/]+)\.(?:jpe?g|png)")
            ),
        )
        for folder in ("images", "masks")
    )
    for stem, picture, mask in pair(INFO, pictures, masks):
        yield still(stem, picture, partial(polyps, mask), POLYP, labels=(mask,))


SOURCE = Source(INFO, read)
