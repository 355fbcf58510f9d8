"""Writes video files that every player opens: H.264 where the FFmpeg build has it, no sound, no
metadata."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from sam2s.errors import InputError
from sam2s.media.clock import Clock
from sam2s.types import Frame

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv"})
DEFAULT_FPS = 25.0
"""Frames per second of sources that have no clock."""
ENCODERS: dict[str, tuple[int, dict[str, str]]] = {
    "libx264": (90_000, {"preset": "veryfast", "crf": "20", "bf": "0"}),
    "libopenh264": (90_000, {"rc_mode": "off"}),
    "libvpx-vp9": (90_000, {"deadline": "realtime", "cpu-used": "6", "crf": "28", "b": "0"}),
    "mpeg4": (60_000, {"qscale": "4"}),
}
"""In order of preference: ticks per second (MPEG-4 allows at most 65,535) and options for good,
quick pictures. No B-frames: they save little here, and FFmpeg's MP4 writer states too short a
duration for them at variable rate."""
BT709 = 1
"""Number of BT.709 (HDTV) among primaries, transfer functions and matrices, and of "limited" among
ranges."""


class VideoWriter:
    """Encodes pictures, each shown at its own time, into ``path``; use as a context manager, or
    call ``close``.

    ``size``: (H, W) of the pictures; odd sides are padded by one repeated line, since 4:2:0 video
    has even sides. ``fps``: mean rate; frames without a time follow the one before by 1 / fps. The
    first frame is shown at 0, so the others keep their distance to it, also at variable rate.
    ``path`` must end in mp4, mov or mkv; it is written directly: see ``write_video`` for a file
    that appears only when it is whole.
    """

    def __init__(
        self,
        path: Path | str,
        size: tuple[int, int],
        fps: float | None,
        *,
        encoder: str | None = None,
    ):
        check_video_path(path)
        self._size = size
        self._clock = Clock(1 / (fps or DEFAULT_FPS))
        self._start: float | None = None
        self._tick = -1
        self._closed = False
        name = encoder or find_encoder()
        self._ticks, options = ENCODERS[name]
        faststart = {} if str(path).lower().endswith(".mkv") else {"movflags": "+faststart"}
        self._container: OutputContainer = av.open(f"file:{path}", "w", container_options=faststart)
        try:
            self._stream = self._add_stream(
                name, options, Fraction(fps or DEFAULT_FPS).limit_denominator(1001)
            )
        except BaseException:
            self._container.close()
            raise

    def _add_stream(self, name: str, options: dict[str, str], rate: Fraction) -> VideoStream:
        stream = cast(VideoStream, self._container.add_stream(name, rate=rate, options=options))
        height, width = self._size
        stream.width, stream.height, stream.pix_fmt = (
            width + width % 2,
            height + height % 2,
            "yuv420p",
        )
        context = stream.codec_context
        context.time_base = Fraction(1, self._ticks)
        if name != "mpeg4":  # which cannot say so, and is read as BT.601
            context.color_primaries = context.color_trc = context.colorspace = (
                context.color_range
            ) = BT709
        return stream

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Add a picture (H, W, 3) uint8 RGB to be shown at ``time`` seconds of the source's
        clock."""
        if image.shape != (*self._size, 3) or image.dtype != np.uint8:
            raise InputError(
                f"video: expected pictures {(*self._size, 3)} uint8, got {image.shape}"
                f" {image.dtype}"
            )
        frame = av.VideoFrame.from_ndarray(_pad_even(image), format="rgb24")
        matrix = "ITU709" if self._stream.codec_context.colorspace == BT709 else "ITU601"
        frame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
        frame.pts, frame.time_base = self._next_tick(time), Fraction(1, self._ticks)
        self._encode(frame)

    def _next_tick(self, time: float | None) -> int:
        """Timestamp of the next frame: rising even where the source's clock stands still or jumps
        back."""
        shown = self._clock.time(0.0 if time is None and self._start is None else time)
        assert shown is not None  # the clock has begun
        if self._start is None:
            self._start = shown
        self._tick = max(self._tick + 1, round((shown - self._start) * self._ticks))
        return self._tick

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except FFmpegError as error:
            height, width = self._size
            raise InputError(
                f"video: cannot encode {width} x {height} pixels ({error.strerror or error})"
            ) from error

    def close(self) -> None:
        """Encode what is left and complete the file. Calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._tick >= 0:
                self._encode(None)
        finally:
            self._container.close()

    def discard(self) -> None:
        """Close without completing; the file is to be deleted."""
        if not self._closed:
            self._closed = True
            with suppress(FFmpegError):
                self._container.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def write_video(
    path: Path | str, frames: Iterable[Frame | np.ndarray], fps: float | None = DEFAULT_FPS
) -> int:
    """Encode pictures (H, W, 3) uint8 RGB, or frames with their own times, into a video; gives
    their number.

    The file appears under ``path`` when it is whole, and replaces one that is there. Raises
    InputError for no frames, frames of different size, and suffixes other than mp4, mov, mkv.
    """
    path = check_video_path(path)
    temporary = hidden_beside(path)
    writer: VideoWriter | None = None
    count = 0
    try:
        for item in frames:
            image, time = (item.image, item.time) if isinstance(item, Frame) else (item, None)
            writer = writer or VideoWriter(temporary, image.shape[:2], fps)
            writer.write(image, time)
            count += 1
        if writer is None:
            raise InputError(f"{path}: no frames to write")
        writer.close()
        os.replace(temporary, path)
    finally:
        if writer is not None:
            writer.discard()
        temporary.unlink(missing_ok=True)
    return count


def find_encoder() -> str:
    """The first of ``ENCODERS`` that this FFmpeg build has."""
    for name in ENCODERS:
        if name in av.codecs_available:
            return name
    raise InputError(
        f"no video encoder: this FFmpeg build has none of {', '.join(ENCODERS)}; install PyAV's own"
        " wheel"
    )


def check_video_path(path: Path | str) -> Path:
    """The path, if a video can be written there; InputError otherwise."""
    path = Path(path)
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise InputError(f"{path}: a video's name must end in {', '.join(sorted(VIDEO_SUFFIXES))}")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, expected the name of a video file")
    return path


def hidden_beside(path: Path) -> Path:
    """A hidden name in the same folder with the same suffix, for a file that is not finished; makes
    the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.stem}.part{path.suffix}")


def _pad_even(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return np.ascontiguousarray(image)
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
