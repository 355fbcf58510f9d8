"""``convert``: a public data set, as a user downloads it, becomes a masklet folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from tqdm import tqdm

from sam2s.data.background import Background, prefetched
from sam2s.data.convert_writer import ConvertedFolder, VideoFolder
from sam2s.data.link import Linker
from sam2s.data.masklet_info import ObjectInfo, VideoInfo
from sam2s.data.pictures import read_rgb
from sam2s.data.png_bits import encode_bits
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
    listed = _listed(source, Path(in_dir).expanduser(), reading)
    videos = {video_name(source.info, video): _with_gap(video, reading) for video in listed}
    folder = ConvertedFolder(Path(out_dir).expanduser(), source.info.title, _settings(source.info, frames, reading))
    todo = {name: video for name, video in videos.items() if not folder.done(name)}
    report.kept = len(videos) - len(todo)
    if todo or folder.marked():
        _convert_all(todo, source.info, folder, _Job(frames, skip_bad, report), progress)
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


OPTIONS = {"gap": "labelled frames that a thing may be away and still be the same object (default: any number)"}
"""Options of every source."""


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
    return replace(video, rules=replace(video.rules, keep=False, max_gap=int(options.values["gap"])))


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
    complete = False
    try:
        with tqdm(total=total, unit="frame", desc=info.title, disable=not progress) as bar, PictureReader() as reader:
            for name, video in todo.items():
                _convert_one(name, video, info, folder, job, partial(_Walk, job.mode, reader, bar))
        complete = True
    finally:
        folder.end(complete=complete)


def _convert_one(
    name: str,
    video: SourceVideo,
    info: SourceInfo,
    folder: ConvertedFolder,
    job: _Job,
    walk_through: Callable[[SourceVideo, VideoFolder], _Walk],
) -> None:
    """Convert one video and list it; leave nothing of it behind when it fails or holds no object."""
    _pixels.cache_clear()
    try:
        hidden = folder.claim(name)
        with Background() as background:
            target = VideoFolder(hidden, background)
            walk = walk_through(video, target)
            walk.run()
            target.fill()
    except InputError as error:
        folder.drop(name, empty=False)
        if not job.skip_bad:
            raise
        job.report.failed[name] = str(error)
        return
    except BaseException:
        folder.drop(name, empty=False)
        raise
    if not walk.objects:
        folder.drop(name, empty=True)
        job.report.empty += 1
        return
    folder.add(name, _info(video, info, walk.objects), _provenance(video, info))
    job.report.videos += 1
    job.report.frames += len(video.frames)
    job.report.masks += walk.masks
    job.report.objects += len(walk.objects)


class _Walk:
    """One pass over a video's frames: pictures to their place, regions to objects. Masks are decoded ahead."""

    def __init__(
        self, mode: FrameMode, reader: PictureReader, bar: tqdm[Any], video: SourceVideo, target: VideoFolder
    ) -> None:
        self.objects: dict[int, ObjectInfo] = {}
        self.masks = 0
        self._mode, self._reader, self._bar = mode, reader, bar
        self._video, self._target = video, target
        self._linker = Linker(video.rules)
        self._size: tuple[int, int] | None = None

    def run(self) -> None:
        """Raises InputError for whatever is wrong with the video."""
        for frame, decoded in prefetched(self._video.frames, _decoded):
            pixels = self._place(frame)
            if decoded is not None:
                self._add(frame, decoded, pixels)
            self._bar.update()

    def _place(self, frame: SourceFrame) -> Callable[[], np.ndarray]:
        """Put the frame's picture to its place, check its size; how to read its pixels."""
        picture, size = frame.picture, picture_size(frame.picture)
        if self._mode == "jpeg" or picture.index is not None or picture.crop is not None or size is None:
            image = self._reader.read(picture)
            path, size = self._target.encode(frame.name, image), (image.shape[0], image.shape[1])
        else:
            path = picture.path
            (self._target.link if self._mode == "link" else self._target.copy)(frame.name, path)
        if self._size is not None and size != self._size:
            raise InputError(
                f"{picture.path}: is {size[1]} x {size[0]} pixels, the frames before it of '{self._video.name}' are "
                f"{self._size[1]} x {self._size[0]}"
            )
        self._size = size
        return partial(_pixels, path)

    def _add(self, frame: SourceFrame, decoded: _Decoded, pixels: Callable[[], np.ndarray]) -> None:
        assert self._size is not None
        for region in decoded.regions:
            _check(region, self._video, frame, self._size)
        found: dict[int, list[int]] = {}
        for place, object_id in enumerate(self._linker.step(decoded.regions, pixels)):
            found.setdefault(object_id, []).append(place)
            self.objects.setdefault(object_id, self._video.classes[decoded.regions[place].label])
        self.masks += len(found)
        self._target.add(frame.name, self._size, {object_id: decoded.file(at) for object_id, at in found.items()})


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A frame's regions that are not empty, and each one's mask as a PNG: both need no knowledge of other frames."""

    regions: list[Region]
    files: list[bytes]

    def file(self, places: list[int]) -> bytes:
        """The union of some regions as a PNG."""
        if len(places) == 1:
            return self.files[places[0]]
        return encode_bits(np.logical_or.reduce([self.regions[place].mask for place in places]))


def _decoded(frame: SourceFrame) -> _Decoded | None:
    """None where the frame is not annotated."""
    if frame.regions is None:
        return None
    regions = [region for region in frame.regions() if region.mask.any()]
    return _Decoded(regions, [encode_bits(region.mask) for region in regions])


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
