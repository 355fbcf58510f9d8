"""Frames of a video file, URL or device through FFmpeg (PyAV): lazy, upright, with the container's
own timestamps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av
import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sam2s.errors import DamagedSource, InputError
from sam2s.media.decoding import FrameDecoder, reason_of
from sam2s.media.pictures import MAX_PIXELS, check_pixels
from sam2s.types import Frame

DEFAULT_STREAM, ATTACHED_PICTURE = 0x1, 0x400
"""FFmpeg's disposition bits."""
BT601 = 5
COLOUR_MATRICES = (1, 4, 5, 6, 7, 9)
"""FFmpeg's numbers of the colour matrices that its scaler knows (BT.709 is 1, BT.2020 is 9)."""
URL_TIMEOUT = (30.0, 30.0)
"""Seconds to wait for a server to answer, and for each read."""


class VideoFrames:
    """A video. See ``FrameSource``.

    A frame's ``time`` is its presentation timestamp times the stream's time base, not shifted, so
    it is the one every other tool reads from the file; None where the container has no timestamps.
    Rotation and mirroring tags are applied; pixels are as stored otherwise (no deinterlacing, no
    correction of pixel aspect). Colours become 8-bit RGB.

    ``count`` is what the container states, else duration times mean rate: good for a progress bar.
    """

    count_exact = False

    def __init__(
        self,
        url: str,
        *,
        max_pixels: int = MAX_PIXELS,
        options: Mapping[str, str] | None = None,
        device: str | None = None,
    ) -> None:
        self._url, self._device, self._options = url, device, dict(options or {})
        self.path: Path | None = Path(url) if device is None and os.path.exists(url) else None
        self._max_pixels = max_pixels
        self.name = _public_name(url, self.path)
        self._closed = False
        self._open_containers: list[InputContainer] = []
        container, stream = self._open()
        self._unread: tuple[InputContainer, VideoStream] | None = (container, stream)
        self._live = container.duration is None and (self.path is None or not self.path.is_file())
        rate = stream.average_rate or stream.guessed_rate
        self.fps = float(rate) if rate else None
        self.count = _stated_count(container, stream, self.fps)
        self._peeked: tuple[Frame, Iterator[Frame]] | None = None
        self._size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        if self._size is None:
            # The rotation tag travels on frames. The frame that is decoded to see it is handed to
            # the next reader.
            reading = self._read(0)
            first = next(reading)
            self._peeked = first, reading
            self._size = first.size
        return self._size

    def frames(self, start: int = 0) -> Iterator[Frame]:
        if self._peeked is None:
            return self._read(start)
        first, rest = self._peeked
        self._peeked = None
        return (frame for frame in chain([first], rest) if frame.index >= start)

    def frame_name(self, index: int) -> str:
        return f"{index:05d}"

    def close(self) -> None:
        self._closed = True
        while self._open_containers:
            self._open_containers.pop().close()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __enter__(self) -> VideoFrames:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> tuple[InputContainer, VideoStream]:
        """Open the container, find its video stream, and check the size that it states."""
        if self._closed:
            raise InputError(f"{self.name}: the source was closed; open it again")
        container = _open_container(self._url, self.path, self._device, self._options, self.name)
        self._open_containers.append(container)
        try:
            stream = _video_stream(container, self.name)
            codec = stream.codec_context
            if (
                codec is None
            ):  # typed as never None, but it is for codecs that this FFmpeg does not know
                raise InputError(
                    f"{self.name}: its video codec is not known to this FFmpeg; convert it to H.264"
                    " first"
                )
            check_pixels(codec.height, codec.width, self._max_pixels, self.name)
        except InputError:
            self._release(container)
            raise
        return container, stream

    def _release(self, container: InputContainer) -> None:
        if container in self._open_containers:
            self._open_containers.remove(container)
            container.close()

    def _read(self, start: int) -> Iterator[Frame]:
        """Decode from the beginning; frames before ``start`` are decoded but not converted."""
        if self._unread is None and self._live:
            raise InputError(f"{self.name}: a live stream can be read once; open it again")
        container, stream = self._unread or self._open()
        self._unread = None
        try:
            yield from self._decode(container, stream, start)
        finally:
            self._release(container)

    def _decode(
        self, container: InputContainer, stream: VideoStream, start: int
    ) -> Iterator[Frame]:
        decoder = FrameDecoder(container, stream, path=self.path, live=self._live)
        index, time, shown = 0, None, None
        for picture in decoder:
            check_pixels(
                picture.height, picture.width, self._max_pixels, f"{self.name}, frame {index}"
            )
            time, size = self._time(index, picture.pts, stream), _shown_size(picture)
            shown = shown or size
            if size != shown:
                decoder.broken = f"the picture changes from {_text(shown)} to {_text(size)} pixels"
                decoder.broken_pts = picture.pts
                break
            if index >= start:
                yield Frame(index, time, to_rgb(picture))
            index += 1
        if decoder.broken:
            raise self._damage(decoder, stream, index, time)
        if index == 0:
            raise InputError(f"{self.name}: the video stream holds no frames")

    def _damage(
        self, decoder: FrameDecoder, stream: VideoStream, index: int, last: float | None
    ) -> DamagedSource:
        """The report of a break before frame ``index``, at the time of the lost frame as far as it
        is known."""
        after = None if last is None else last + (1 / self.fps if self.fps else 0.0)
        lost = None if self._is_even(stream) else _seconds(decoder.broken_pts, stream)
        time = after if lost is None else lost
        if after is not None and lost is not None and stream.codec_context.has_b_frames:
            time = min(
                after, lost
            )  # the lost packet may belong behind frames that were still to come
        at = "" if time is None else f" ({time:.3f} s)"
        return DamagedSource(
            f"{self.name}: broken at frame {index}{at}: {decoder.broken}", index, time
        )

    def _time(self, index: int, pts: int | None, stream: VideoStream) -> float | None:
        return index / self.fps if self.fps and self._is_even(stream) else _seconds(pts, stream)

    def _is_even(self, stream: VideoStream) -> bool:
        """AVI has one fixed rate and no presentation times: with B-frames FFmpeg makes up some that
        jump about."""
        return stream.container.format.name == "avi" and bool(stream.codec_context.has_b_frames)


def to_rgb(picture: VideoFrame) -> np.ndarray:
    """A decoded picture as (H, W, 3) uint8 RGB, contiguous, turned and mirrored as its display
    matrix says."""
    # RGB has no matrix, but PyAV before 16 heeds the source's only where another one is named for
    # the result.
    matrix = picture.colorspace if picture.colorspace in COLOUR_MATRICES else BT601
    image = picture.reformat(
        format="rgb24", src_colorspace=matrix, dst_colorspace=BT601
    ).to_ndarray()
    turned, flip_x, flip_y = _orientation(picture)
    if turned:
        image = image.swapaxes(0, 1)
    if flip_x:
        image = image[:, ::-1]
    if flip_y:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _orientation(picture: VideoFrame) -> tuple[bool, bool, bool]:
    """(swap x and y, then mirror x, then mirror y) from the picture's display matrix.

    The matrix holds nine 32-bit numbers a b u c d v x y w; a stored pixel (x, y) is shown at (a x +
    c y, b x + d y). PyAV's own ``rotation`` is missing before version 15 and leaves mirroring out.
    """
    matrix = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = (
        int(v) for v in np.frombuffer(memoryview(cast(Buffer, matrix)), dtype=np.int32)[:5]
    )
    turned = abs(b) + abs(c) > abs(a) + abs(d)
    return turned, (c if turned else a) < 0, (b if turned else d) < 0


def _seconds(pts: int | None, stream: VideoStream) -> float | None:
    """A timestamp in seconds; ``VideoFrame.time`` is NaN on the last frames of a file."""
    return None if pts is None or stream.time_base is None else float(pts * stream.time_base)


def _shown_size(picture: VideoFrame) -> tuple[int, int]:
    """(H, W) after rotation."""
    turned = _orientation(picture)[0]
    return (picture.width, picture.height) if turned else (picture.height, picture.width)


def _text(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"


def _open_container(
    url: str, path: Path | None, device: str | None, options: dict[str, str], name: str
) -> InputContainer:
    # "file:" keeps FFmpeg from reading a protocol into names such as "rtp:1.mp4".
    target = url if path is None else f"file:{path}"
    extra: dict[str, Any] = (
        {} if path is not None or device is not None else {"timeout": URL_TIMEOUT}
    )
    try:
        return av.open(
            target, "r", format=device, options=options, metadata_errors="replace", **extra
        )
    except (FFmpegError, ValueError) as error:
        reason = reason_of(error)
        if path is not None:
            raise InputError(
                f"{name}: cannot be opened as a video ({reason}); it is not a video, or is damaged"
                " or cut short where its index should be"
            ) from error
        raise InputError(
            f"{name}: cannot be opened ({reason}); check the address or device"
        ) from error


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    """The container's main video stream; a cover picture of a sound file is none."""
    streams = [s for s in container.streams.video if not _disposition(s) & ATTACHED_PICTURE]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams}))
        raise InputError(
            f"{name}: no video stream ("
            + (f"it holds {kinds} only)" if kinds else "it holds nothing)")
        )
    default = [s for s in streams if _disposition(s) & DEFAULT_STREAM]
    return (default or streams)[0]


def _disposition(stream: VideoStream) -> int:
    """A flag set since PyAV 15, nothing before."""
    disposition = getattr(stream, "disposition", 0)
    return int(getattr(disposition, "value", disposition))


def _stated_count(container: InputContainer, stream: VideoStream, fps: float | None) -> int | None:
    """Number of frames as the container states it, or as duration and rate imply."""
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base and fps:
        return max(1, round(float(stream.duration * stream.time_base) * fps))
    if container.duration and fps:
        # Matroska states the end of the video, the others its length.
        start = container.start_time if container.format.name.startswith("matroska") else 0
        return max(1, round((container.duration - (start or 0)) / av.time_base * fps))
    return None


def _public_name(url: str, path: Path | None) -> str:
    """The file's name, or an address without user, password and query, fit for messages and
    reports."""
    if path is not None:
        return path.name
    return re.sub(r"//[^/@]*@", "//", url.split("?")[0])
