"""``convert``: a public data set, as a user downloads it, becomes a masklet folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import get_args

from sam2s.convert.converted_folder import ConvertedFolder
from sam2s.convert.listing import check_options, list_videos
from sam2s.convert.one_video import FrameMode, VideoContents
from sam2s.convert.pool import ListingRequest, OnFrames, in_processes, one_by_one
from sam2s.convert.sources import get_source
from sam2s.convert.sources.base import ReadOptions, SourceInfo, SourceVideo
from sam2s.errors import InputError
from sam2s.masklets.catalogue import VideoInfo
from sam2s.masklets.provenance import FrameOrigin, SourceSettings, VideoOrigin
from sam2s.progress import progress_bar


@dataclass(slots=True)
class ConvertReport:
    """What a conversion did. ``kept``: videos that were there already; ``empty``: videos without
    any object, which are left out; ``failed``: {video: why}; ``notes``: {doubt about the data: how
    often}."""

    videos: int = 0
    kept: int = 0
    empty: int = 0
    frames: int = 0
    masks: int = 0
    objects: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class ConvertSettings:
    """How to convert, apart from what to do with the pictures.

    ``options``: the source's own, see ``SourceInfo.options``. ``strict``: unknown codes and names
    are errors instead of notes. ``skip_bad``: a video that cannot be converted is left out and
    reported instead of ending the conversion. ``workers``: processes that convert videos side by
    side; the files do not depend on their number.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    skip_bad: bool = False
    workers: int = 1


def convert(
    source_name: str,
    in_dir: Path | str,
    out_dir: Path | str,
    frames: FrameMode = "link",
    progress: bool = True,
    settings: ConvertSettings | None = None,
) -> ConvertReport:
    """Convert the source below ``in_dir`` into the masklet folder ``out_dir``, which may hold other
    sources already.

    After an interruption it continues where it stopped; when everything is there already, it
    changes nothing. ``frames``: whether pictures are linked or copied.

    Raises InputError for an unknown source or option, a layout that is not the source's, masks that
    do not fit their pictures, damaged files, or an ``out_dir`` that holds the same source with
    other settings.
    """
    source = get_source(source_name)
    if frames not in get_args(FrameMode):
        raise InputError(f"frames={frames}: expected one of {', '.join(get_args(FrameMode))}")
    how = settings or ConvertSettings()
    if how.workers < 1:
        raise InputError(f"workers={how.workers}: expected at least one process")
    report = ConvertReport()
    reading = ReadOptions(check_options(source.info, how.options), how.strict, report.notes)
    root = Path(os.path.expanduser(in_dir))
    videos = list_videos(source, root, reading)
    folder = ConvertedFolder(
        Path(os.path.expanduser(out_dir)),
        source.info.title,
        SourceSettings(
            source.info.name, frames, dict(reading.values), source.info.licence, source.info.get
        ),
    )
    todo = {name: video for name, video in videos.items() if not folder.done(name)}
    report.kept = len(videos) - len(todo)
    if todo or folder.marked():
        outcomes = partial(one_by_one, mode=frames)
        if how.workers > 1 and len(todo) > 1:
            request = ListingRequest(source_name, root, reading.values, how.strict, frames)
            outcomes = partial(in_processes, request=request, workers=min(how.workers, len(todo)))
        _convert_all(todo, source.info, folder, _Job(outcomes, how.skip_bad, report), progress)
    return report


@dataclass(frozen=True, slots=True)
class _Job:
    """``outcomes``: (videos to do, folder, what to call with the number of frames that were done)
    -> what each held."""

    outcomes: Callable[
        [Mapping[str, SourceVideo], ConvertedFolder, OnFrames],
        Generator[tuple[str, VideoContents | InputError]],
    ]
    skip_bad: bool
    report: ConvertReport


def _convert_all(
    todo: Mapping[str, SourceVideo],
    info: SourceInfo,
    folder: ConvertedFolder,
    job: _Job,
    progress: bool,
) -> None:
    folder.begin()
    total = sum(len(video.frames) for video in todo.values())
    complete = False
    try:
        with (
            progress_bar(total, info.title, shown=progress) as bar,
            closing(job.outcomes(todo, folder, bar.update)) as outcomes,
        ):
            for name, outcome in outcomes:
                _enter(name, todo[name], info, outcome, folder, job)
        complete = True
    finally:
        folder.end(complete=complete)


def _enter(
    name: str,
    video: SourceVideo,
    info: SourceInfo,
    outcome: VideoContents | InputError,
    folder: ConvertedFolder,
    job: _Job,
) -> None:
    """List a converted video; leave nothing of it behind when it failed or holds no object."""
    report = job.report
    if isinstance(outcome, InputError):
        folder.drop(name, empty=False)
        if not job.skip_bad:
            raise outcome
        report.failed[name] = str(outcome)
        return
    report.notes.update(outcome.notes)
    if not outcome.objects:
        folder.drop(name, empty=True)
        report.empty += 1
        return
    procedure, objects = video.procedure or info.procedure, dict(outcome.objects)
    entry = VideoInfo(info.title, procedure, video.split, video.fps, objects)
    folder.add(name, entry, _origin(video, info))
    report.videos += 1
    report.frames += len(video.frames)
    report.masks += outcome.masks
    report.objects += len(outcome.objects)


def _origin(video: SourceVideo, info: SourceInfo) -> VideoOrigin:
    labelled = sorted({known.class_name or known.kind for known in video.classes.values()})
    frames = {frame.name: FrameOrigin(frame.number, frame.time_s) for frame in video.frames}
    return VideoOrigin(info.title, video.key, video.ids, tuple(labelled), frames)
