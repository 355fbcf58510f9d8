"""Vocal folds: laryngeal endoscopy. The example of how to add a data set of one's own.

A reader is one file: an ``INFO`` that says what the data set is, a table from its codes to class
names, a ``read`` that finds the files and yields videos, and a function that decodes one mask. Its
line in ``sources/__init__.py`` makes it known to the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from sam2s.convert.sources.certain import CertainRules, Count
from sam2s.convert.sources.common import (
    IDENTITIES,
    certain,
    excluded,
    note_strays,
    things,
    whole,
)
from sam2s.convert.sources.file_tree import FileTree, pair, trailing_number, unique
from sam2s.convert.sources.label_masks import code_masks, read_codes

INFO = SourceInfo(
    name="vocalfolds",
    title="vocalfolds",
    get="imes-vocalfolds repository on GitHub (Laves et al. 2019)",
    licence="CC BY 4.0",
    holds=(
        "endoscopy of laryngeal surgery, 512 x 512, kept frames of a stereo video in order; 7"
        " classes by grey value"
    ),
    shape="video",
    procedure="laryngeal surgery",
    split="none; not part of SA-SV",
    expected="images/seq1/0001.jpg and labels/seq1/0001.png",
    options={
        "split": "the split of its videos, default test",
        "held_out": ("sequences whose split is test in any case, such as seq5,seq6 (default none)"),
        "exclude": "labels to leave out, such as vocal folds (default none)",
        "identities": IDENTITIES,
    },
)
CODES = {
    1: "vocal folds",
    3: "glottal space",
    4: "pathology",
    5: "surgical tool",
    6: "intubation tube",
}
CLASSES = {
    "vocal folds": tissue("vocal fold"),
    "glottal space": tissue("glottis"),
    "pathology": tissue("laryngeal lesion"),
    "surgical tool": instrument(),
    "intubation tube": instrument("intubation tube"),
}
UNUSED = frozenset({0, 2})
"""Void, and other tissue: not things to follow."""
SEVERAL = frozenset({"surgical tool"})
"""Labels that can be on a frame more than once; the others are one thing, however many pieces of it
are seen."""


def read(root: Path, options: ReadOptions) -> Iterator[SourceVideo]:
    """One video per sequence; tools are components, linked; the other classes are one track each.
    Or of both what can be known for certain."""
    tree = FileTree(INFO, root)
    codes = {code: label for code, label in CODES.items() if label not in excluded(options)}
    classes = {label: CLASSES[label] for label in codes.values()}
    counts = {label: Count.SEVERAL if label in SEVERAL else Count.ONE for label in classes}
    rules = CertainRules(counts) if certain(options) else None
    held_out = options.get("held_out", "").split(",")
    pictures = _stems(tree, "images", "jpe?g|png")
    labels = _stems(tree, "labels", "png")
    sequences: dict[str, list[SourceFrame]] = {}
    for key, picture, label in pair(INFO, pictures, labels):
        sequence, stem = key.split("/")
        number = trailing_number(stem) or 0
        frame = SourceFrame(
            f"{number:06d}",
            Picture(picture),
            number,
            None,
            partial(_regions, label, codes, options),
            (label,),
        )
        sequences.setdefault(sequence, []).append(frame)
    for sequence, frames in sequences.items():
        split = "test" if sequence in held_out else options.get("split", "test")
        yield SourceVideo(sequence, frames, classes, split, f"vocalfolds:{sequence}", certain=rules)


def _stems(tree: FileTree, folder: str, suffix: str) -> dict[str, Path]:
    found = tree.require(rf"{folder}/(?P<sequence>seq\d+)/(?P<stem>[^/]*\d[^/]*)\.(?:{suffix})")
    return unique(
        tree.info, ((f"{match['sequence']}/{match['stem']}", path) for match, path in found)
    )


def _regions(path: Path, codes: Mapping[int, str], options: ReadOptions) -> list[Region]:
    masks, strays = code_masks(read_codes(path), codes)
    note_strays(strays, path, options, UNUSED | CODES.keys())
    if certain(options):
        return [Region(label, mask) for label, mask in masks.items()]
    regions: list[Region] = []
    for label, mask in masks.items():
        regions += things(label, mask) if label in SEVERAL else [whole(label, mask)]
    return regions


SOURCE = Source(INFO, read)
