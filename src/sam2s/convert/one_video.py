"""One video of a source: every picture to its place, every region to its object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np

from sam2s.convert.converted_folder import VideoFolder
from sam2s.convert.link import Linker
from sam2s.convert.sources.base import Region, SourceFrame, SourceVideo
from sam2s.convert.sources.certain import CertainRules, certain_tracks
from sam2s.convert.sources.picture_reader import PictureReader, picture_size
from sam2s.errors import InputError
from sam2s.masklets.catalogue import ObjectInfo
from sam2s.masklets.png_bits import encode_bits
from sam2s.media.background import Background, prefetched
from sam2s.media.pictures import read_rgb, read_size

FrameMode = Literal["link", "copy", "jpeg"]
"""Pictures as symbolic links to the source, as copies, or re-encoded as JPEG (quality 95). Frames
that are cut out of a video file or cropped are JPEGs in every mode."""


@dataclass(frozen=True, slots=True)
class VideoContents:
    """What a video held: its ``objects`` by id, how many ``masks`` show them, and doubts about the
    data."""

    objects: dict[int, ObjectInfo]
    masks: int
    notes: Counter[str] = field(default_factory=Counter)


def convert_video(
    video: SourceVideo,
    folder: Path,
    mode: FrameMode,
    reader: PictureReader,
    on_frame: Callable[[], object],
) -> VideoContents:
    """Write the pictures and masks of ``video`` below ``folder``; ``on_frame`` is called after each
    frame.

    Raises InputError for whatever is wrong with the video.
    """
    if video.problem is not None:
        raise InputError(video.problem)
    _pixels.cache_clear()
    with Background() as background:
        target = VideoFolder(folder, background)
        conversion = _Conversion(mode, reader, video, target)
        conversion.run(on_frame)
        target.fill()
    return VideoContents(conversion.objects, conversion.masks)


class _Conversion:
    """One pass over a video's frames: pictures to their place, regions to objects. Masks are
    decoded ahead."""

    def __init__(
        self, mode: FrameMode, reader: PictureReader, video: SourceVideo, target: VideoFolder
    ) -> None:
        self.objects: dict[int, ObjectInfo] = {}
        self.masks = 0
        self._mode, self._reader = mode, reader
        self._video, self._target = video, target
        self._linker = Linker(video.rules)
        self._seen: dict[str, dict[str, np.ndarray]] = {}
        self._size: tuple[int, int] | None = None

    def run(self, on_frame: Callable[[], object]) -> None:
        for frame, decoded in prefetched(self._video.frames, _decoded):
            pixels = self._place(frame)
            if decoded is not None:
                assert self._size is not None, "its picture was placed"
                for region in (*decoded.regions, *decoded.empty):
                    _check(region, self._video, frame, self._size)
                self._check_labels(frame)
                if self._video.certain is None:
                    self._link(frame, decoded, pixels)
                else:
                    self._seen[frame.name] = {r.label: r.mask for r in decoded.regions}
            on_frame()
        if self._video.certain is not None and self._size is not None:
            self._add_certain(self._video.certain, np.zeros(self._size, bool))

    def _place(self, frame: SourceFrame) -> Callable[[], np.ndarray]:
        """Put the frame's picture to its place, check its size; how to read its pixels."""
        picture, size = frame.picture, picture_size(frame.picture)
        if (
            self._mode == "jpeg"
            or picture.index is not None
            or picture.crop is not None
            or size is None
        ):
            image = self._reader.read(picture)
            path, size = self._target.encode(frame.name, image), (image.shape[0], image.shape[1])
        else:
            path = picture.path
            (self._target.link if self._mode == "link" else self._target.copy)(frame.name, path)
        if self._size is not None and size != self._size:
            raise InputError(
                f"{picture.path}: is {size[1]} x {size[0]} pixels, the frames before it of"
                f" '{self._video.name}' are {self._size[1]} x {self._size[0]}"
            )
        self._size = size
        return partial(_pixels, path)

    def _check_labels(self, frame: SourceFrame) -> None:
        """A mask of another size is of another picture, also where it shows nothing."""
        fitting = {self._size}
        if frame.labels and frame.picture.crop is not None:
            fitting.add(read_size(frame.picture.path))
        for path in frame.labels:
            height, width = read_size(path)
            if (height, width) not in fitting:
                assert self._size is not None
                raise InputError(
                    f"{frame.picture.path}: its mask {path.name} is {width} x {height} pixels, the"
                    f" picture {self._size[1]} x {self._size[0]}"
                )

    def _link(
        self, frame: SourceFrame, decoded: _Decoded, pixels: Callable[[], np.ndarray]
    ) -> None:
        """Give every region of the frame an identity, and write its mask."""
        assert self._size is not None
        found: dict[int, list[int]] = {}
        for place, object_id in enumerate(self._linker.step(decoded.regions, pixels)):
            found.setdefault(object_id, []).append(place)
            self.objects.setdefault(object_id, self._video.classes[decoded.regions[place].label])
        self.masks += len(found)
        self._target.add(
            frame.name, self._size, {object_id: decoded.file(at) for object_id, at in found.items()}
        )

    def _add_certain(self, rules: CertainRules, nothing: np.ndarray) -> None:
        """Write what can be known of the whole video; ``nothing``: an empty mask."""
        frames = [
            {name: seen.get(name, nothing) for name in rules.counts} for seen in self._seen.values()
        ]
        tracks = dict(enumerate(certain_tracks(frames, rules), start=1))
        self.objects = {i: self._video.classes[track.label] for i, track in tracks.items()}
        self.masks = sum(track.seen for track in tracks.values())
        for place, name in enumerate(self._seen):
            masks = {i: mask for i, t in tracks.items() if (mask := t.masks[place]) is not None}
            files = {i: encode_bits(mask) for i, mask in masks.items()}
            self._target.add(name, nothing.shape, files, others="unknown")


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A frame's regions that are not empty, each one's mask as a PNG, and the empty ones: all need
    no knowledge of other frames."""

    regions: list[Region]
    files: list[bytes]
    empty: list[Region]

    def file(self, places: list[int]) -> bytes:
        """The union of some regions as a PNG."""
        if len(places) == 1:
            return self.files[places[0]]
        return encode_bits(np.logical_or.reduce([self.regions[place].mask for place in places]))


def _decoded(frame: SourceFrame) -> _Decoded | None:
    """None where the frame is not annotated."""
    if frame.regions is None:
        return None
    found = frame.regions()
    regions = [region for region in found if region.mask.any()]
    empty = [region for region in found if not region.mask.any()]
    return _Decoded(regions, [encode_bits(region.mask) for region in regions], empty)


def _check(region: Region, video: SourceVideo, frame: SourceFrame, size: tuple[int, int]) -> None:
    if region.mask.shape != size:
        got = region.mask.shape
        raise InputError(
            f"{frame.picture.path}: the mask of '{region.label}' is {got[1]} x {got[0]} pixels, its"
            f" picture {size[1]} x {size[0]}"
        )
    assert region.label in video.classes, (
        f"reader of {video.name} yields undeclared label {region.label}"
    )


@lru_cache(maxsize=3)
def _pixels(path: Path) -> np.ndarray:
    return read_rgb(path)
