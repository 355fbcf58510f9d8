"""Named sets of videos: which of a folder's videos belong to a suite, and what its subsets are
called.

``sa-sv``: the test part of SA-SV, as ``sam2s data convert`` writes its sources, in one folder or
one folder each. Eight subsets, EndoVis18 counting as two; four of them are the long-term subset
(mean length of 300 s and more). What is not there is named and left out of every mean.
``long-term``: synthetic videos, see ``long_term``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sam2s.benchmark.scoreboard import ObjectScore, Scoreboard, percent
from sam2s.errors import InputError
from sam2s.masklets.catalogue import Kind
from sam2s.masklets.masklets import (
    IMAGE_FOLDERS,
    MASK_FOLDERS,
    MaskletFolder,
    MaskletVideo,
    open_masklets,
)
from sam2s.masklets.vocabulary import SA_SV_TITLES
from sam2s.metrics import mean_score

SuiteName = Literal["sa-sv", "long-term"]


@dataclass(frozen=True, slots=True)
class Subset:
    """One column of the paper's tables. ``kind``: only the source's objects of this kind, None:
    all."""

    title: str
    source: str
    kind: Kind | None = None
    long_term: bool = False


SA_SV: tuple[Subset, ...] = (
    Subset("EV17", "EndoVis17", long_term=True),
    Subset("EV18-I", "EndoVis18", "instrument"),
    Subset("RARP50", "SAR-RARP50", long_term=True),
    Subset("Hyst-YT", "Hyst-YT", long_term=True),
    Subset("CIS-Test", "CholecInstanceSeg", long_term=True),
    Subset("EV18-T", "EndoVis18", "tissue"),
    Subset("SurgAI3.8k", "SurgAI3.8k"),
    Subset("PolypGen", "PolypGen"),
)
"""The eight test subsets, in the order of the paper's table 2."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The videos of a suite found in a folder. ``notes``: what a reader of the scores has to know
    about the choice."""

    folder: MaskletFolder
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def choose(suite: SuiteName, root: Path | str, progress: bool = True) -> Chosen:
    """The suite's videos in ``root``. Raises InputError when there are none, or the folder cannot
    be read."""
    if suite == "long-term":
        from sam2s.benchmark.long_term import (
            open_long_term,  # with OpenCV, which no other run needs
        )

        folder = open_long_term(Path(root), progress)
        return Chosen(folder, tuple(folder.videos))
    return choose_sa_sv(gather(root))


def choose_sa_sv(folder: MaskletFolder) -> Chosen:
    """The test videos of SA-SV's sources. A video whose split is not stated is taken, and noted."""
    names: list[str] = []
    unknown, others, unstated = 0, 0, 0
    for name, video in folder.videos.items():
        if _source(video.info.source) is None:
            unknown += 1
        elif video.info.split not in ("test", None):
            others += 1
        else:
            names.append(name)
            unstated += video.info.split is None
    if not names:
        wanted = ", ".join(dict.fromkeys(subset.source for subset in SA_SV))
        raise InputError(
            f"{folder.root}: holds no test video of SA-SV; expected videos of {wanted} (sam2s data"
            " convert)"
        )
    counts = {
        "of other sources: left out": unknown,
        "of another split than test: left out": others,
        "without a split: taken as test": unstated,
    }
    return Chosen(
        folder,
        tuple(names),
        tuple(f"{count} videos {what}" for what, count in counts.items() if count),
    )


def gather(root: Path | str) -> MaskletFolder:
    """One masklet folder, or all that lie side by side in ``root``, as one. A video that names no
    source is from the folder it lies in; a name that occurs twice is preceded by its folder's.
    Raises as ``open_masklets``."""
    root = Path(root)
    parts = (
        [p for p in sorted(root.iterdir()) if _is_masklets(p)]
        if root.is_dir() and not _is_masklets(root)
        else []
    )
    if not parts:
        return open_masklets(root)
    found = [(part.name, video) for part in parts for video in open_masklets(part).videos.values()]
    counts = Counter(video.name for _, video in found)
    videos: dict[str, MaskletVideo] = {}
    for part, video in found:
        name = f"{part}_{video.name}" if counts[video.name] > 1 else video.name
        videos[name] = video.relabelled(name, part)
    return MaskletFolder(root, videos)


def title_of(scored: ObjectScore) -> str:
    """The paper's name of an object's subset; its source and kind for what the paper does not
    score."""
    source = _source(scored.source)
    for subset in SA_SV:
        if subset.source == source and subset.kind in (None, scored.kind):
            return subset.title
    return f"{scored.source}/{scored.kind}"


def sa_sv_json(board: Scoreboard) -> dict[str, Any]:
    """The suite's part of a result file: subsets in the paper's order, those missing, the means
    over those present."""
    subsets = board.subsets
    present = [subset for subset in SA_SV if subsets.get(subset.title) is not None]
    lasting = [subset for subset in present if subset.long_term]
    return {
        "name": "sa-sv",
        "subsets": {subset.title: percent(subsets[subset.title]) for subset in present},
        "missing": [subset.title for subset in SA_SV if subset not in present],
        "mean": percent(mean_score(subsets[subset.title] for subset in present)),
        "long_term": {
            "subsets": [subset.title for subset in lasting],
            "missing": [
                subset.title for subset in SA_SV if subset.long_term and subset not in lasting
            ],
            "mean": percent(mean_score(subsets[subset.title] for subset in lasting)),
        },
    }


def _source(name: str | None) -> str | None:
    """Our name of a test source, however it was written: EndoVis17, endovis17, EV17."""
    return _SOURCES.get(_plain(name or ""))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _aliases() -> Mapping[str, str]:
    found = {}
    for subset in SA_SV:
        for name in (subset.source, SA_SV_TITLES[subset.source], subset.title):
            found[_plain(name)] = subset.source
    return found


_SOURCES = _aliases()


def _is_masklets(path: Path) -> bool:
    return all(
        any((path / name).is_dir() for name in names) for names in (IMAGE_FOLDERS, MASK_FOLDERS)
    )
