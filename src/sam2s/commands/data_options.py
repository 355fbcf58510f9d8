"""What ``sam2s data`` can be asked: converting public sources, counting, and looking for label
noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import OmitSubcommandPrefixes, Positional, UseAppendAction, arg, subcommand


@dataclass(frozen=True, slots=True)
class Convert:
    """Turn a public data set, as it is downloaded, or another tool's files into the masklet layout.

    Examples: sam2s data convert cholecseg8k downloads/cholecseg8k data/cholecseg8k; sam2s data
    convert cvat annotations.xml data/op --pictures op.mp4

    Running it again goes on where it stopped and changes nothing that is done.
    """

    name: Positional[str]
    """Name of the source; sam2s data sources lists them. Or a format that sam2s export writes and
    that holds masks, such as coco, cvat, labelme or nifti (docs/formats.md)."""
    input: Positional[Path]
    """Folder with the data as downloaded and unpacked; of a format, also the file itself."""
    out: Positional[Path]
    """Folder to make."""
    frames: Literal["link", "copy", "jpeg"] = "link"
    """Pictures as symbolic links (keep the source), as copies, or re-encoded as JPEG (quality
    95)."""
    pictures: Annotated[Path | None, arg(metavar="SOURCE")] = None
    """Of a format: the video or the folder of pictures that the masks are of; without it they are
    looked for beside the masks."""
    option: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="KEY=VALUE")] = ()
    """An option of the source, such as gap=5; sam2s data sources names them."""
    strict: bool = False
    """Stop at the first label value that the source's tables do not know."""
    skip_bad: bool = False
    """Leave out videos that cannot be read, and say which, instead of stopping."""
    workers: int = 1
    """Processes that convert videos side by side."""


@dataclass(frozen=True, slots=True)
class Sources:
    """List the public sources: where to get each, its licence, what it holds, its options."""


@dataclass(frozen=True, slots=True)
class StatsOptions:
    """Count videos, frames, masks, masklets and minutes of a masklet folder, per source and
    class."""

    data: Positional[Path]
    """A folder in the masklet layout, or one that holds several."""
    against: Literal["none", "sa-sv"] = "none"
    """sa-sv: put the paper's table 1 beside it, with the differences explained where they are
    known."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write the counts to this file."""
    plot: Annotated[Path | None, arg(metavar="FILE")] = None
    """Draw the counts into this picture."""


@dataclass(frozen=True, slots=True)
class Check:
    """Look for label noise: jumps, swaps, specks, empty masks, unlabelled frames, leaks between
    splits; worst first."""

    data: Positional[Path]
    """A folder in the masklet layout."""
    sheet: Annotated[Path | None, arg(metavar="FILE")] = None
    """Draw the worst findings into this picture (PNG)."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write all findings to this file."""
    limit: int = 40
    """How many findings to print."""
    leaks: bool = True
    """Compare the pictures of different splits."""


Action = (
    Annotated[Convert, subcommand("convert")]
    | Annotated[Sources, subcommand("sources")]
    | Annotated[StatsOptions, subcommand("stats")]
    | Annotated[Check, subcommand("check")]
)


@dataclass(frozen=True, slots=True)
class Data:
    """Public data sets: convert them, count them, check their labels."""

    action: OmitSubcommandPrefixes[Action]
