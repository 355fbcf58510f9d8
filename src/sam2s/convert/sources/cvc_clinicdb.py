"""CVC-ClinicDB: 612 frames of 29 colonoscopy sequences."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path

from sam2s.convert.sources.base import ReadOptions, Region, Source, SourceInfo, SourceVideo
from sam2s.convert.sources.certain import CertainRules, Count
from sam2s.convert.sources.common import (
    FAST_CAMERA,
    IDENTITIES,
    POLYP,
    certain,
    polyp_frames,
    polyp_region,
    polyps,
)
from sam2s.convert.sources.file_tree import FileTree, pair, unique

INFO = SourceInfo(
    name="cvc-clinicdb",
    title="CVC-ClinicDB",
    get="polyp.grand-challenge.org, page CVCClinicDB (cloud link); mirrored on Kaggle by balraj98",
    licence="research and education with citation (wording unconfirmed)",
    holds="612 frames, 384 x 288, of 29 colonoscopy sequences; binary polyp masks",
    shape="video",
    procedure="colonoscopy",
    split="none in the source; SA-SV trains on all",
    expected=(
        "'Original/1.tif' and 'Ground Truth/1.tif' (or PNG/Original/1.png; or images/seq01/1.jpg,"
        " masks/...)"
    ),
    options={"identities": IDENTITIES},
)
STARTS = (
    1,
    26,
    51,
    68,
    79,
    104,
    127,
    152,
    178,
    200,
    206,
    228,
    253,
    278,
    298,
    318,
    343,
    364,
    384,
    409,
    429,
    448,
    467,
    479,
    504,
    529,
    547,
    572,
    592,
)
"""Number of the first frame of each sequence; the sampling rate inside a sequence is not
published."""
LAST = 612


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per sequence; polyps are components, linked, or what can be known for certain."""
    rules = CertainRules({"polyp": Count.ONE_UNLESS_SEVERAL}) if certain(options) else None
    decode: Callable[[Path], list[Region]] = polyps if rules is None else polyp_region
    tree = FileTree(INFO, root)
    pictures = _numbered(tree, r"(?:Original|images)")
    masks = _numbered(tree, r"(?:Ground Truth|masks)")
    sequences: dict[int, list[tuple[int, Path, Path]]] = {}
    for key, picture, mask in pair(INFO, pictures, masks):
        number = int(key)
        if not 1 <= number <= LAST:
            raise tree.unlike(
                f"frame numbers run from 1 to {LAST}, {picture.name} is not one of them"
            )
        sequences.setdefault(bisect_right(STARTS, number), []).append((number, picture, mask))
    for sequence, frames in sorted(sequences.items()):
        name = f"seq{sequence:02d}"
        yield SourceVideo(
            name,
            polyp_frames(frames, decode),
            POLYP,
            "train",
            f"clinicdb:{name}",
            rules=FAST_CAMERA,
            certain=rules,
        )


def _numbered(tree: FileTree, folder: str) -> dict[str, Path]:
    """{frame number: path}. The mirror holds everything as TIFF and as PNG: one of the two folders
    is taken."""
    found = tree.require(rf"{folder}/(?:seq\d+/)?(?P<number>\d+)\.(?:tiff?|png|jpe?g)")
    bases = sorted(
        {match["base"] for match, _ in found},
        key=lambda base: (not base.upper().endswith("PNG/"), base),
    )
    return unique(
        tree.info,
        ((match["number"].lstrip("0"), path) for match, path in found if match["base"] == bases[0]),
    )


SOURCE = Source(INFO, read)
