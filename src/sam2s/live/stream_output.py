"""The overlay as a stream or device through FFmpeg: RTSP, UDP, SRT, RTMP, v4l2 loopback, files."""

from __future__ import annotations

from fractions import Fraction
from time import perf_counter
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from sam2s.errors import InputError
from sam2s.live.latency import LatencyCounter
from sam2s.live.sink import LivePicture

FORMATS = {"rtsp": "rtsp", "udp": "mpegts", "srt": "mpegts", "tcp": "mpegts", "rtmp": "flv"}
"""FFmpeg's output format for an address that begins so."""
DEVICE = "v4l2:"
TICKS = 90_000
DEFAULT_FPS = 25.0
LOW_DELAY = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23"}
REFUSAL = 5_000_000
"""Microseconds that a server may take to answer."""


class StreamOutput:
    """``target``: an address (``rtsp://host:8554/live``) or ``v4l2:/dev/video9``. It is opened at
    the first picture, whose size decides."""

    def __init__(self, target: str, fps: float | None) -> None:
        self.name = target
        self.latency: LatencyCounter | None = LatencyCounter()
        scheme = target.partition("://")[0]
        if not target.startswith(DEVICE) and scheme not in FORMATS:
            known = ", ".join(f"{name}://" for name in FORMATS)
            raise InputError(
                f"--stream {target}: expected an address that begins with {known}, or"
                " v4l2:/dev/videoN"
            )
        self._device = target.startswith(DEVICE)
        self._target = target.removeprefix(DEVICE)
        self._format = "v4l2" if self._device else FORMATS[scheme]
        self._fps = fps or DEFAULT_FPS
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._tick = -1

    def show(self, picture: LivePicture) -> None:
        """Encode and send one picture."""
        image = _even(picture.overlay)
        try:
            if self._container is None or self._stream is None:
                self._container, self._stream = self._opened(image.shape[1], image.shape[0])
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            self._tick = max(self._tick + 1, round((picture.frame.time or 0.0) * TICKS))
            frame.pts, frame.time_base = self._tick, Fraction(1, TICKS)
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (FFmpegError, OSError) as error:
            raise InputError(f"cannot be sent to ({error.strerror or error})") from error
        assert self.latency is not None
        self.latency.add(perf_counter() - picture.arrived)

    def close(self) -> None:
        """Send what the encoder holds, and end the stream."""
        container, self._container = self._container, None
        if container is None or self._stream is None:
            return
        try:
            for packet in self._stream.encode(None):
                container.mux(packet)
            container.close()
        except (FFmpegError, OSError) as error:
            raise InputError(f"did not end in good order ({error.strerror or error})") from error

    def _opened(self, width: int, height: int) -> tuple[OutputContainer, VideoStream]:
        timeout = {"rtsp_transport": "tcp", "timeout": str(REFUSAL)}
        options = timeout if self._format == "rtsp" else {}
        container = av.open(self._target, "w", format=self._format, options=options)
        encoder = "rawvideo" if self._device else _encoder()
        rate = Fraction(self._fps).limit_denominator(1001)
        settings = LOW_DELAY if encoder == "libx264" else {}
        stream = cast(VideoStream, container.add_stream(encoder, rate=rate, options=settings))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        return container, stream


def _encoder() -> str:
    """H.264 where it is, and what every receiver of MPEG knows elsewhere."""
    names = ("libx264", "libopenh264", "mpeg2video")
    return next(name for name in names if name in av.codecs_available)


def _even(image: np.ndarray) -> np.ndarray:
    """4:2:0 video has even sides: the last line is cut off an odd one."""
    return np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
