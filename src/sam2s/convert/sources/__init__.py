"""Readers of public data sets, one file each: a reader turns the layout that a user downloads into
``SourceVideo``s.

Start with ``base`` (what a reader gives) and ``kvasir_seg`` (the shortest one). ``file_tree`` finds
files, ``label_masks`` and ``annotation_files`` read labels, ``regions`` splits masks into things,
``picture_reader`` reads pixels, ``certain`` keeps only identities that are beyond doubt.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module

from sam2s.convert.sources.base import Source, SourceInfo
from sam2s.errors import InputError

READERS = (
    "art_net",
    "autolaparo",
    "bkai_igh",
    "cholecinstanceseg",
    "cholecseg8k",
    "cvc_clinicdb",
    "davis",
    "dsad",
    "endoscapes2023",
    "endovis17",
    "endovis18",
    "grasp",
    "hyst_yt",
    "kvasir_seg",
    "plain",
    "polypgen",
    "robotool",
    "sar_rarp50",
    "surgai3_8k",
    "vocalfolds",
)
"""Modules of this package that define ``SOURCE``."""
ALIASES = {
    "cis": "cholecinstanceseg",
    "clinicdb": "cvcclinicdb",
    "rarp50": "sarrarp50",
    "endoscapes": "endoscapes2023",
}
"""Short names, as the paper's tables have them."""


@cache
def _sources() -> dict[str, Source]:
    sources: list[Source] = [import_module(f"{__name__}.{name}").SOURCE for name in READERS]
    sources.append(import_module(f"{__name__}.hyst_yt").OWN)
    return {_plain(source.info.name): source for source in sources}


def list_sources() -> list[SourceInfo]:
    """What is known of every source, by name."""
    return [source.info for source in _sources().values()]


def get_source(name: str) -> Source:
    """The source called ``name``; case and punctuation do not matter. Raises InputError that lists
    them."""
    plain = _plain(name)
    source = _sources().get(ALIASES.get(plain, plain))
    if source is None:
        raise InputError(
            f"no source '{name}'; there are: {', '.join(info.name for info in list_sources())};"
            f" and the formats of sam2s export whose masks can be read back"
        )
    return source


def is_source(name: str) -> bool:
    """Whether `get_source` knows the name."""
    plain = _plain(name)
    return ALIASES.get(plain, plain) in _sources()


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
