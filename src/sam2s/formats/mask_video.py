"""A video an object, white where it is: FFV1 in Matroska, which keeps every pixel.

FFV1 is the codec of film archives; VLC and everything made of FFmpeg plays it, browsers do not.
``objects.json`` beside the videos says what their frames are.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from sam2s.errors import InputError
from sam2s.formats.result import ExportOptions, Key, ObjectMask, Result
from sam2s.formats.sidecar import FILE, read_sidecar, write_sidecar
from sam2s.media.frames import open_frames

TICKS = 1000
"""Matroska counts milliseconds."""
DEFAULT_FPS = 25.0
"""Frames per second of what has no clock."""
TINY = 16
"""Pixels of the shorter side below which FFV1's slices do not fit; its first version has none."""


def write_mask_videos(result: Result, out: Path, _options: ExportOptions) -> None:
    """Write ``out/<object id>.mkv`` and ``out/objects.json``. Raises InputError where FFmpeg
    refuses."""
    videos = {object_id: f"{object_id:03d}.mkv" for object_id in result.ids}
    for object_id, name in videos.items():
        try:
            _write_video(out / name, result, object_id)
        except FFmpegError as error:
            raise InputError(
                f"mask-video: FFmpeg cannot write masks of {result.size[1]} x {result.size[0]}"
                f" pixels ({error.strerror}); choose another format"
            ) from error
    write_sidecar(result, out, videos)


def _write_video(path: Path, result: Result, object_id: int) -> None:
    """The object on every frame, black where it is absent."""
    rate = Fraction(result.fps or DEFAULT_FPS).limit_denominator(1001)
    exact = {"fflags": "+bitexact"}  # no date, no random number of the file, no program's version
    with av.open(f"file:{path}", "w", format="matroska", container_options=exact) as container:
        version = {"level": "1"} if min(result.size) < TINY else {}
        stream = container.add_stream("ffv1", rate=rate, options=version)
        stream.height, stream.width, stream.pix_fmt = *result.size, "gray"
        stream.codec_context.time_base = Fraction(1, TICKS)
        for number, plane in enumerate(planes_of(result, object_id)):
            picture = av.VideoFrame.from_ndarray(plane, format="gray")
            picture.pts, picture.time_base = round(number / rate * TICKS), Fraction(1, TICKS)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def planes_of(result: Result, object_id: int) -> Iterator[np.ndarray]:
    """The object on every frame, (H, W) uint8: 255 where it is, 0 elsewhere."""
    nothing = np.zeros(result.size, np.uint8)
    for frame in result.frames():
        found = frame.masks.get(object_id)
        yield nothing if found is None else found.mask.astype(np.uint8) * 255


def read_mask_videos(folder: Path) -> Result:
    """A result from ``objects.json`` and the videos that it names, whatever their codec: grey
    counts from its middle on. Raises InputError where they do not fit."""
    about = read_sidecar(folder)
    found: dict[int, dict[Key, ObjectMask]] = {index: {} for index in about.frames}
    for object_id, name in about.files.items():
        path = folder / Path(name).name
        masks = list(_masks(path, (about.height, about.width)))
        if len(masks) != len(about.frames):
            raise InputError(f"{path}: holds {len(masks)} frames, {FILE} lists {len(about.frames)}")
        for index, mask in zip(about.frames, masks, strict=True):
            found[index][object_id] = mask
    return about.result(found)


def _masks(path: Path, size: tuple[int, int]) -> Iterator[ObjectMask]:
    for frame in open_frames(path).frames():
        if frame.image.shape[:2] != size:
            raise InputError(f"{path}: is {frame.image.shape[:2]}, {FILE} says {size}")
        yield ObjectMask.of(frame.image[:, :, 0] > 127)
