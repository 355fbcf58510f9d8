"""The way back: files that ``sam2s export`` writes, or another tool in the same format, become
masklet folders. Objects keep their numbers and frames theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path

import numpy as np

from sam2s.convert.convert import ConvertReport
from sam2s.convert.converted_folder import ConvertedFolder, VideoFolder
from sam2s.convert.one_video import FrameMode
from sam2s.errors import InputError
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import ExportOptions, Result, ResultFrame, frame_number
from sam2s.formats.source_pictures import pictures_of
from sam2s.masklets.catalogue import ObjectInfo, VideoInfo
from sam2s.masklets.png_bits import encode_bits
from sam2s.masklets.provenance import FrameOrigin, SourceSettings, VideoOrigin
from sam2s.masklets.vocabulary import is_known, kind_of
from sam2s.media.background import Background
from sam2s.media.pictures import list_pictures, read_rgb, read_size
from sam2s.progress import progress_bar

READABLE = tuple(name for name, one in FORMATS.items() if one.read is not None)
"""Formats whose masks can be read back."""
BESIDE = ("JPEGImages/{video}", "images/{video}", "JPEGImages", "images")
"""Where a format's pictures are looked for, below its folder."""
AMONG = ("{video}", ".")
"""Where they are looked for as well, unless it keeps masks as pictures there."""


def convert_from(
    name: str,
    in_dir: Path,
    out_dir: Path,
    frames: FrameMode = "link",
    pictures: Path | None = None,
    progress: bool = True,
) -> ConvertReport:
    """Convert files of the format ``name`` below ``in_dir`` (one video, or a folder for each of
    several) into the masklet folder ``out_dir``.

    ``pictures``: the video, or the folder of pictures, that the masks are of; without it they are
    looked for below ``in_dir``, by the numbers at the end of their names. A folder of folders may
    hold those of several videos.

    Raises InputError where files are not of the format, and where pictures are missing or of
    another size.
    """
    chosen = FORMATS[name]
    assert chosen.read is not None, f"{name} is read"
    chosen.check(name, ExportOptions())
    if not in_dir.exists():
        raise InputError(f"{in_dir}: no such file or folder")
    results = _results(name, in_dir)
    twice = [video for video, n in Counter(r.video for r, _ in results).items() if n > 1]
    if twice:
        raise InputError(f"{in_dir}: holds two videos named '{twice[0]}'; convert them one by one")
    report = ConvertReport()
    folder = ConvertedFolder(out_dir, name, SourceSettings(name, frames))
    todo = [(result, place) for result, place in results if not folder.done(result.video)]
    report.kept = len(results) - len(todo)
    if not todo and not folder.marked():
        return report
    folder.begin()
    complete = False
    try:
        total = sum(1 for result, _ in todo for _ in result.frames())
        with progress_bar(total, name, shown=progress) as bar:
            for result, place in todo:
                images = _images(name, result, (place, in_dir), pictures)
                _convert(result, folder, zip(images, result.frames(), strict=True), frames)
                bar.update(sum(1 for _ in result.frames()))
                _enter(result, name, folder, report)
        complete = True
    finally:
        folder.end(complete=complete)
    return report


def _results(name: str, in_dir: Path) -> list[tuple[Result, Path]]:
    """The result in a folder or file and where it is, else those in the folders below it."""
    try:
        return [(_read(name, in_dir), in_dir)]
    except InputError:
        below = sorted(p for p in in_dir.iterdir() if p.is_dir()) if in_dir.is_dir() else []
        try:
            several = [(_read(name, folder), folder) for folder in below]
        except InputError:
            several = []
        if not several:
            raise
        return several


def _read(name: str, path: Path) -> Result:
    read = FORMATS[name].read
    assert read is not None, f"{name} is read"
    try:
        return read(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read as {name} ({error.strerror})") from error


Image = Path | np.ndarray
"""A picture: its file, or (H, W, 3) uint8 RGB."""


def _images(
    name: str, result: Result, places: tuple[Path, ...], pictures: Path | None
) -> Iterator[Image]:
    """The picture of every frame of the result, in its order. ``places``: where its masks are."""
    indices = [frame.index for frame in result.frames()]
    if pictures is None:
        files = _beside(name, result.video, places, indices)
    elif pictures.is_dir():
        own = pictures / result.video
        listed = list_pictures(own if own.is_dir() else pictures)
        files = dict(enumerate(listed))
        if max(indices, default=0) >= len(files):
            raise InputError(
                f"{pictures}: holds {len(files)} pictures, the masks are of frame {max(indices)} as"
                " well (frames count from 0); give the source that they are of"
            )
    else:
        yield from pictures_of(pictures, result)
        return
    for index in indices:
        height, width = read_size(files[index])
        if (height, width) != result.size:
            raise InputError(
                f"{files[index]}: is {width} x {height} pixels, its masks {result.size[1]} x"
                f" {result.size[0]}"
            )
        yield files[index]


def _beside(
    name: str, video: str, places: tuple[Path, ...], indices: list[int]
) -> Mapping[int, Path]:
    """{frame: its picture} from below the format's own folders."""
    below = BESIDE if name == "mots-png" else (*BESIDE, *AMONG)
    roots = (place if place.is_dir() else place.parent for place in places)
    for root, part in product(roots, below):
        folder = root / part.format(video=video)
        if folder.is_dir():
            files = {frame_number(path.stem): path for path in list_pictures(folder)}
            if all(index in files for index in indices):
                return {index: files[index] for index in indices}
    raise InputError(
        f"{places[0]}: the pictures of '{video}' are not there (JPEGImages/{video} or"
        f" images/{video}, with names that end in the frame's number); give the video or their"
        " folder as --pictures"
    )


def _convert(
    result: Result,
    folder: ConvertedFolder,
    frames: Iterator[tuple[Image, ResultFrame]],
    mode: FrameMode,
) -> None:
    """Write a video into its hidden folder: an object that is not in view gets an empty mask, also
    one that never is."""
    shown = {i for frame in result.frames() for i, found in frame.masks.items() if found.mask.any()}
    unseen = dict.fromkeys(set(result.ids) - shown, encode_bits(np.zeros(result.size, bool)))
    with Background() as background:
        target = VideoFolder(folder.claim(result.video), background)
        for image, frame in frames:
            stem = f"{frame.index:05d}"
            if mode == "jpeg" or isinstance(image, np.ndarray):
                pixels = image if isinstance(image, np.ndarray) else read_rgb(image)
                target.encode(stem, pixels)
            else:
                (target.link if mode == "link" else target.copy)(stem, image)
            masks = {i: found.mask for i, found in frame.masks.items()}
            files = {i: encode_bits(mask) for i, mask in masks.items() if mask.any()}
            target.add(stem, result.size, {**files, **unseen})
            unseen = {}
        target.fill()


def _enter(result: Result, name: str, folder: ConvertedFolder, report: ConvertReport) -> None:
    """List a video that is whole, and leave out one without objects."""
    if not result.ids:
        folder.drop(result.video, empty=True)
        report.empty += 1
        return
    objects = {i: _object(result.names.get(i)) for i in result.ids}
    frames = list(result.frames())
    origins = {f"{frame.index:05d}": FrameOrigin(frame.index, frame.time) for frame in frames}
    labelled = tuple(sorted({one.class_name or one.kind for one in objects.values()}))
    folder.add(
        result.video,
        VideoInfo(name, fps=result.fps, objects=objects),
        VideoOrigin(name, f"{name}:{result.video}", "source", labelled, origins),
    )
    report.videos += 1
    report.frames += len(frames)
    report.objects += len(objects)
    report.masks += sum(bool(m.mask.any()) for frame in frames for m in frame.masks.values())


def _object(name: str | None) -> ObjectInfo:
    return ObjectInfo(name, kind_of(name) if name is not None and is_known(name) else "other")
