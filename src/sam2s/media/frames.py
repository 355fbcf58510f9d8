"""Frames from anything: ``open_frames`` takes a video file, URL, device, folder, picture, array or
iterator.

Every source answers to ``FrameSource``, decodes lazily and holds one frame at a time, so the first
frame of an hour of video is there as soon as the first frame of a second of video. PyAV is imported
only when a video is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np

from sam2s.errors import InputError
from sam2s.media.address import SourceAddress, address_of, camera
from sam2s.media.latest import LatestFrames
from sam2s.media.pictures import MAX_PIXELS, PICTURE_SUFFIXES, is_animated_png
from sam2s.media.sequences import ArrayFrames, PictureFrames
from sam2s.types import Frame


class FrameSource(Protocol):
    """A sequence of frames, read one at a time.

    ``name``: file or folder name without its path; ``path``: where it lies, None for streams and
    arrays; ``fps``: mean rate in frames per second, None where there is no clock; ``count``: number
    of frames, None when unknown, and for videos only what the container says or implies
    (``count_exact`` False) until they have been read to the end once; ``notes``: what the user
    should know about the source, one sentence each; ``live``: frames come once, as from a camera or
    an iterator, and cannot be asked for again. Iterating again starts again where nothing is live.
    """

    name: str
    path: Path | None
    fps: float | None
    count: int | None
    count_exact: bool
    notes: Sequence[str]

    @property
    def live(self) -> bool:
        """Whether frames come once only and cannot be asked for again."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels as shown, after rotation. Reads the first frame where nothing else
        tells."""

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Frames from index ``start`` on; those before it are skipped as cheaply as the source
        allows.

        Raises DamagedSource after the last good frame when the source is damaged or cut short.
        """

    def frame_name(self, index: int) -> str:
        """What to call files made from this frame: a picture's stem, or the index in five
        digits."""

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None:
        """Release files and decoders; further calls do nothing."""

    def __enter__(self) -> FrameSource: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def open_frames(
    source: str | Path | int | Iterable[Any],
    *,
    fps: float | None = None,
    max_pixels: int = MAX_PIXELS,
    options: Mapping[str, str] | None = None,
    stream: int | None = None,
    playlist: bool = False,
    latest: bool = False,
) -> FrameSource:
    """Open whatever holds frames.

    Args:
        source: a video file, a URL that FFmpeg opens (http, https, rtsp, ...), a device
            (``v4l2:/dev/video0``, ``dshow:video=NAME``, ``/dev/video0``), a camera's number, a pipe
            (``pipe:NAME`` of a named pipe, ``-`` for the standard input), a folder of pictures
            (jpg, png, tif, bmp; natural order), one picture, an array (T, H, W, 3) or (H, W, 3)
            uint8 RGB, or an iterable of ``Frame``, arrays (H, W, 3), (H, W, 4) or (H, W) uint8,
            Pillow pictures, or picture paths.
        fps: gives sources without a clock (folders, arrays) one: frame i is at i / fps seconds.
            Videos ignore it.
        max_pixels: limit on width x height of a frame, checked before it is decoded.
        options: FFmpeg's demuxer options, such as ``{"rtsp_transport": "tcp"}``.
        stream: which of several video streams of one file, counted from 0; by default the one that
            the file marks, else the first that is not a still picture.
        playlist: the file may be a playlist (HLS, DASH), an ffconcat script or a session
            description (SDP), and opens the files and addresses that it names. Without it a file
            opens no other.
        latest: of a live source (a camera, stream, pipe or iterator) give the newest frame whenever
            one is asked for, and drop those that came in between (`sam2s.media.latest`).

    Raises:
        InputError: no such file, not a video or picture, no video stream, no frames, over
        ``max_pixels``, no such camera, ``latest`` of what is not live.
    """
    if latest:
        opened = open_frames(
            source,
            fps=fps,
            max_pixels=max_pixels,
            options=options,
            stream=stream,
            playlist=playlist,
        )
        return LatestFrames(opened)
    if fps is not None and not fps > 0:
        raise InputError(f"fps: must be above 0, got {fps}")
    if isinstance(source, int | np.integer) and not isinstance(source, bool):
        source = camera(int(source))
    if isinstance(source, str | Path):
        address = address_of(str(source))
        if isinstance(address, Path):
            picture = address.suffix.lower() in PICTURE_SUFFIXES and not is_animated_png(address)
            if picture or address.is_dir():
                return PictureFrames(address, fps=fps, max_pixels=max_pixels)
            address = SourceAddress("file", str(address), address.name, address)
        from sam2s.media.video import VideoFrames

        return VideoFrames(
            address, max_pixels=max_pixels, options=options, stream=stream, playlist=playlist
        )
    if isinstance(source, Iterable) or hasattr(source, "__array_interface__"):
        return ArrayFrames(source, fps=fps, max_pixels=max_pixels)
    raise InputError(
        f"source: cannot read frames from {type(source).__name__}; give a path, a URL, an array or"
        " an iterable"
    )
