"""What there is to convert: the videos of a source, under their names in the masklet folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sam2s.convert.sources.base import ReadOptions, Source, SourceInfo, SourceVideo
from sam2s.errors import InputError

OPTIONS = {
    "gap": (
        "labelled frames that a thing may be away and still be the same object (default: any"
        " number)"
    )
}
"""Options of every source."""


def list_videos(source: Source, root: Path, options: ReadOptions) -> dict[str, SourceVideo]:
    """{name in the masklet folder: video} of all videos of the source below ``root``, as
    ``options`` say."""
    return {
        video_name(source.info, video): _with_gap(video, options)
        for video in _listed(source, root, options)
    }


def _listed(source: Source, root: Path, options: ReadOptions) -> list[SourceVideo]:
    videos = list(source.read(root, options))
    if not videos:
        hint = (
            ""
            if options.everything()
            else "; subset=all converts the parts that SA-SV does not use"
        )
        raise InputError(f"{source.info.title}: {root}: holds no video that SA-SV uses{hint}")
    names = Counter(video_name(source.info, video) for video in videos)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise InputError(
            f"{source.info.title}: {root}: holds two videos named '{twice[0]}'; keep one copy of"
            " the data"
        )
    return videos


def check_options(info: SourceInfo, options: Mapping[str, str]) -> dict[str, str]:
    """``options``, sorted. Raises InputError for one that the source does not have."""
    have = [*info.options, *OPTIONS]
    unknown = sorted(set(options) - set(have))
    if unknown:
        raise InputError(f"{info.title}: no option '{unknown[0]}'; it has: {', '.join(have)}")
    gap = options.get("gap", "0")
    if not gap.isdecimal():
        raise InputError(f"option gap={gap}: expected a number of frames")
    return dict(sorted(options.items()))


def _with_gap(video: SourceVideo, options: ReadOptions) -> SourceVideo:
    if "gap" not in options.values:
        return video
    if video.certain is not None:
        raise InputError("option gap: nothing is linked over a gap with identities=certain")
    return replace(
        video, rules=replace(video.rules, keep=False, max_gap=int(options.values["gap"]))
    )


def video_name(info: SourceInfo, video: SourceVideo) -> str:
    """The video's name in the masklet folder: unique over all sources, safe as a folder's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", f"{info.name}_{video.name}").strip("_")
