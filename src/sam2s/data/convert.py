"""``convert``: a public data set, as a user downloads it, becomes a masklet folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from tqdm import tqdm

from sam2s.data.convert_writer import ConvertedFolder, VideoFolder
from sam2s.data.link import Linker
from sam2s.data.masklet_info import ObjectInfo, VideoInfo
from sam2s.data.pictures import read_rgb
from sam2s.data.sources import get_source
from sam2s.data.sources.base import ReadOptions, Region, Source, SourceFrame, SourceInfo, SourceVideo
from sam2s.data.sources.media import PictureReader, picture_size
from sam2s.errors import InputError

FrameMode = Literal["link", "copy", "jpeg"]
"""Pictures as symbolic links to the source, as copies, or re-encoded as JPEG (quality 95). Frames that are cut out of a
video file or cropped are JPEGs in every mode."""


@dataclass(slots=True)
class ConvertReport:
    """What a conversion did. ``kept``: videos that were there already; ``empty``: videos without any object, which are
    left out; ``failed``: {video: why}; ``notes``: {doubt about the data: how often}."""

    videos: int = 0
    kept: int = 0
    empty: int = 0
    frames: int = 0
    masks: int = 0
    objects: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)


def convert(
    source_name: str,
    in_dir: Path | str,
    out_dir: Path | str,
    frames: FrameMode = "link",
    progress: bool = True,
    *,
    options: Mapping[str, str] | None = None,
    strict: bool = False,
    skip_bad: bool = False,
) -> ConvertReport:
    """Convert the source below ``in_dir`` into the masklet folder ``out_dir``, which may hold other sources already.

    Stopped or broken off, it goes on where it was; done, it changes nothing. ``options``: the source's own, see
    ``SourceInfo.options``. ``strict``: unknown codes and names are errors instead of notes. ``skip_bad``: a video that
    cannot be converted is left out and reported instead of ending the conversion.

    Raises InputError for an unknown source or option, a layout that is not the source's, masks that do not fit their
    pictures, damaged files, or an ``out_dir`` that holds the same source with other settings.
    """
    source = get_source(source_name)
    if frames not in get_args(FrameMode):
        raise InputError(f"frames={frames}: expected one of {', '.join(get_args(FrameMode))}")
    report = ConvertReport()
    reading = ReadOptions(check_options(source.info, options or {}), strict, report.notes)
    videos = {video_name(source.info, video): video for video in _listed(source, Path(in_dir), reading)}
    folder = ConvertedFolder(Path(out_dir), source.info.title, _settings(source.info, frames, reading))
    todo = {name: video for name, video in videos.items() if not folder.done(name)}
    report.kept = len(videos) - len(todo)
    if todo:
        _convert_all(todo, source.info, folder, _Job(frames, skip_bad, report), progress)
    folder.end(complete=True)
    return report


@dataclass(frozen=True, slots=True)
class _Job:
    mode: FrameMode
    skip_bad: bool
    report: ConvertReport


def _listed(source: Source, root: Path, options: ReadOptions) -> list[SourceVideo]:
    videos = list(source.read(root, options))
    if not videos:
        hint = "" if options.everything() else "; subset=all converts the parts that SA-SV does not use"
        raise InputError(f"{source.info.title}: {root}: holds no video that SA-SV uses{hint}")
    names = Counter(video_name(source.info, video) for video in videos)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise InputError(f"{source.info.title}: {root}: holds two videos named '{twice[0]}'; keep one copy of the data")
    return videos


def check_options(info: SourceInfo, options: Mapping[str, str]) -> dict[str, str]:
    """``options``, sorted. Raises InputError for one that the source does not have."""
    unknown = sorted(set(options) - set(info.options))
    if unknown:
        have = ", ".join(info.options) or "none"
        raise InputError(f"{info.title}: no option '{unknown[0]}'; it has: {have}")
    return dict(sorted(options.items()))


def video_name(info: SourceInfo, video: SourceVideo) -> str:
    """The video's name in the masklet folder: unique over all sources, safe as a folder's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", f"{info.name}_{video.name}").strip("_")


def _settings(info: SourceInfo, frames: FrameMode, options: ReadOptions) -> dict[str, Any]:
    values = dict(options.values)
    return {"reader": info.name, "frames": frames, "options": values, "licence": info.licence, "get": info.get}


def _convert_all(
    todo: Mapping[str, SourceVideo], info: SourceInfo, folder: ConvertedFolder, job: _Job, progress: bool
) -> None:
    folder.begin()
    total = sum(len(video.frames) for video in todo.values())
    try:
        with tqdm(total=total, unit="frame", desc=info.title, disable=not progress) as bar, PictureReader() as reader:
            for name, video in todo.items():
                _convert_one(name, video, info, folder, job, partial(_frame, reader=reader, bar=bar))
    finally:
        folder.end(complete=False)


def _convert_one(
    name: str, video: SourceVideo, info: SourceInfo, folder: ConvertedFolder, job: _Job, frame_done: Any
) -> None:
    objects: dict[int, ObjectInfo] = {}
    masks = 0
    _pixels.cache_clear()
    try:
        target = VideoFolder(folder.claim(name))
        linker = Linker(video.rules)
        size: tuple[int, int] | None = None
        for frame in video.frames:
            size, found = frame_done(video, frame, target, linker, job.mode, size)
            objects |= {object_id: video.classes[label] for object_id, (label, _) in found.items()}
            masks += len(found)
    except InputError as error:
        folder.drop(name, empty=False)
        if not job.skip_bad:
            raise
        job.report.failed[name] = str(error)
        return
    except BaseException:
        folder.drop(name, empty=False)
        raise
    if not objects:
        folder.drop(name, empty=True)
        job.report.empty += 1
        return
    target.fill()
    folder.add(name, _info(video, info, objects), _provenance(video, info))
    job.report.videos += 1
    job.report.frames += len(video.frames)
    job.report.masks += masks
    job.report.objects += len(objects)


def _frame(
    video: SourceVideo,
    frame: SourceFrame,
    target: VideoFolder,
    linker: Linker,
    mode: FrameMode,
    size: tuple[int, int] | None,
    reader: PictureReader,
    bar: tqdm[Any],
) -> tuple[tuple[int, int], dict[int, tuple[str, np.ndarray]]]:
    """Convert one frame; its (H, W) and {object id: (label, mask)} of what is on it."""
    path, got = _place_picture(frame, target, mode, reader)
    if size is not None and got != size:
        raise InputError(
            f"{frame.picture.path}: is {got[1]} x {got[0]} pixels, the frames before it of '{video.name}' are "
            f"{size[1]} x {size[0]}"
        )
    bar.update()
    if frame.regions is None:
        return got, {}
    regions = [region for region in frame.regions() if region.mask.any()]
    for region in regions:
        _check(region, video, frame, got)
    ids = linker.step(regions, partial(_pixels, path))
    found: dict[int, tuple[str, np.ndarray]] = {}
    for object_id, region in zip(ids, regions, strict=True):
        before = found.get(object_id)
        found[object_id] = (region.label, region.mask if before is None else before[1] | region.mask)
    target.add(frame.name, got, {object_id: mask for object_id, (_, mask) in found.items()})
    return got, found


def _place_picture(
    frame: SourceFrame, target: VideoFolder, mode: FrameMode, reader: PictureReader
) -> tuple[Path, tuple[int, int]]:
    picture = frame.picture
    size = picture_size(picture)
    if mode == "jpeg" or picture.index is not None or picture.crop is not None or size is None:
        pixels = reader.read(picture)
        return target.encode(frame.name, pixels), (pixels.shape[0], pixels.shape[1])
    place = target.link if mode == "link" else target.copy
    return place(frame.name, picture.path), size


def _check(region: Region, video: SourceVideo, frame: SourceFrame, size: tuple[int, int]) -> None:
    if region.mask.shape != size:
        got = region.mask.shape
        raise InputError(
            f"{frame.picture.path}: the mask of '{region.label}' is {got[1]} x {got[0]} pixels, its picture "
            f"{size[1]} x {size[0]}"
        )
    assert region.label in video.classes, f"reader of {video.name} yields undeclared label {region.label}"


@lru_cache(maxsize=3)
def _pixels(path: Path) -> np.ndarray:
    return read_rgb(path)


def _info(video: SourceVideo, info: SourceInfo, objects: Mapping[int, ObjectInfo]) -> VideoInfo:
    return VideoInfo(info.title, video.procedure or info.procedure, video.split, video.fps, dict(objects))


def _provenance(video: SourceVideo, info: SourceInfo) -> dict[str, Any]:
    labelled = sorted({known.class_name or known.kind for known in video.classes.values()})
    frames = {frame.name: {"source_frame": frame.number, "time_s": frame.time_s} for frame in video.frames}
    return {
        "source": info.title,
        "recording": video.key,
        "ids": video.ids,
        "labelled": labelled,
        "frames": frames,
    }
