"""PolypGen: colonoscopy of six centres; 23 sequences with polyps, and single frames."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from sam2s.convert.sources.base import EXTRA, ReadOptions, Source, SourceInfo, SourceVideo
from sam2s.convert.sources.common import FAST_CAMERA, POLYP, excluded, polyp_frames, polyps, still
from sam2s.convert.sources.file_tree import FileTree, pair, trailing_number, unique
from sam2s.errors import InputError

INFO = SourceInfo(
    name="polypgen",
    title="PolypGen",
    get="Synapse: syn26376615 or syn45200214, polypgen2021_multicenterdata_v3.zip (account)",
    licence="CC BY 4.0",
    holds=(
        "23 sequences with polyps (2,225 frames, 515 of them with an empty mask), 1,537 single"
        " frames of 6 centres"
    ),
    shape="video",
    procedure="colonoscopy",
    split="SA-SV tests on 21 of the 23 sequences (which ones is not published); here: all 23",
    expected="sequenceData/positive/seq1/images_seq1/<stem>.jpg and masks_seq1/<stem>_mask.jpg",
    options={
        "subset": (
            "sa-sv (default): sequences with polyps; all: the single frames too, with split 'extra'"
        ),
        "exclude": "sequences to leave out, such as seq3,seq7 (default none)",
    },
)
PICTURE = r"\.(?:jpe?g|png)"


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per sequence; polyps are components, linked; an empty mask means that the polyp is
    out of view."""
    tree = FileTree(INFO, root)
    place = r"positive/(?P<group>seq\d+)/{}_seq\d+/(?P<stem>[^/]+?)_*{}"
    out = excluded(options)
    for sequence, pairs in _pairs(tree, place).items():
        if sequence not in out:
            numbered = [(_number(picture), picture, mask) for picture, mask in pairs]
            key = f"polypgen:{sequence}"
            yield SourceVideo(
                sequence, polyp_frames(numbered), POLYP, "test", key, rules=FAST_CAMERA
            )
    if options.everything():
        for centre, pairs in _pairs(
            tree, r"(?P<group>data_C\d)/{}_C\d/(?P<stem>[^/]+?)_*{}"
        ).items():
            for picture, mask in pairs:
                stem = f"{centre.removeprefix('data_')}_{picture.stem}"
                yield still(
                    stem, picture, partial(polyps, mask), POLYP, split=EXTRA, labels=(mask,)
                )


def _pairs(tree: FileTree, place: str) -> dict[str, list[tuple[Path, Path]]]:
    """{sequence or centre: [(picture, mask)]}. Some names end in an underscore, before or without
    the mask's ending."""
    tables = []
    for folder, ending in (("images", PICTURE), ("masks", "_mask" + PICTURE)):
        found = tree.require(place.format(folder, ending))
        tables.append(unique(INFO, ((f"{m['group']}/{m['stem']}", path) for m, path in found)))
    groups: dict[str, list[tuple[Path, Path]]] = {}
    for key, picture, mask in pair(INFO, *tables):
        groups.setdefault(key.split("/")[0], []).append((picture, mask))
    return groups


def _number(picture: Path) -> int:
    number = trailing_number(picture.stem)
    if number is None:
        raise InputError(f"{INFO.title}: {picture}: expected a name that ends in the frame number")
    return number


SOURCE = Source(INFO, read)
