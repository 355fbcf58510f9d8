"""Encoding and sending a stream, in a process of its own.

While FFmpeg waits for a server to answer, PyAV lets no other thread of Python run: in the process
that tracks, a server that says nothing would stop everything (RTMP for ever).
"""

from __future__ import annotations

import signal
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError, HTTPOtherClientError, HTTPServerError
from av.video.stream import VideoStream

from sam2s.errors import InputError
from sam2s.interruption import ctrl_c_counts

FORMATS = {"rtsp": "rtsp", "udp": "mpegts", "srt": "mpegts", "tcp": "mpegts", "rtmp": "flv"}
"""FFmpeg's output format for an address that begins so."""
DEVICE = "v4l2:"
TICKS = 90_000
DEFAULT_FPS = 25.0
LOW_DELAY = {"preset": "ultrafast", "tune": "zerolatency", "crf": "23"}
REFUSAL = 5_000_000
"""Microseconds that a server may take to answer."""
LONGEST = 20
"""Seconds that anything may take, ended by the operating system where it can."""


class StreamEncoder:
    """``target``: an address (``rtsp://host:8554/live``) or ``v4l2:/dev/video9``. It is opened at
    the first picture, whose size decides."""

    def __init__(self, target: str, fps: float | None) -> None:
        self._device = target.startswith(DEVICE)
        self._target = target.removeprefix(DEVICE)
        self._format = "v4l2" if self._device else FORMATS[target.partition("://")[0]]
        self._fps = fps or DEFAULT_FPS
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._tick = -1

    def add(self, image: np.ndarray, time: float) -> None:
        """Encode and send (H, W, 3) uint8 RGB, to be shown at ``time`` seconds. Raises InputError
        where it cannot be sent."""
        image = _even(image)
        try:
            if self._container is None or self._stream is None:
                self._container, self._stream = self._opened(image.shape[1], image.shape[0])
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            self._tick = max(self._tick + 1, round(time * TICKS))
            frame.pts, frame.time_base = self._tick, Fraction(1, TICKS)
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (FFmpegError, OSError) as error:
            raise InputError(f"cannot be sent to ({error.strerror or error})") from error

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
        if self._format != "rtsp":
            return self._opened_with({}, width, height)
        udp = {"rtsp_transport": "udp", "timeout": str(REFUSAL)}
        if self._target.endswith("?udp"):  # FFmpeg's own word, which our option would overrule
            return self._opened_with(udp, width, height)
        try:
            return self._opened_with({**udp, "rtsp_transport": "tcp"}, width, height)
        except (HTTPServerError, HTTPOtherClientError):  # some servers take nothing but UDP
            return self._opened_with(udp, width, height)

    def _opened_with(
        self, options: dict[str, str], width: int, height: int
    ) -> tuple[OutputContainer, VideoStream]:
        container = av.open(self._target, "w", format=self._format, options=options)
        encoder = "rawvideo" if self._device else _encoder()
        rate = Fraction(self._fps).limit_denominator(1001)
        settings = LOW_DELAY if encoder == "libx264" else {}
        stream = cast(VideoStream, container.add_stream(encoder, rate=rate, options=settings))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        try:
            container.start_encoding()  # asks the server, which otherwise the first packet would
        except FFmpegError:
            container.close()  # a server that is asked again must have seen the end of this
            raise
        return container, stream


def serve(line: Connection, target: str, fps: float | None) -> None:
    """What the process does: each (time, height, width) and its pixels are sent, and answered by
    what went wrong, nothing where all is well. It ends with ``line``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the other process's, which then closes
    ctrl_c_counts()
    encoder = StreamEncoder(target, fps)
    while True:
        try:
            order: tuple[float, int, int] | None = line.recv()
            pixels = b"" if order is None else line.recv_bytes()
        except (EOFError, OSError):
            order = None
        if order is not None:
            time, height, width = order
            image = np.frombuffer(pixels, np.uint8).reshape(height, width, 3)
        _limit(LONGEST)
        said = ""
        try:
            if order is None:
                encoder.close()
            else:
                encoder.add(image, time)
        except InputError as error:
            said = str(error)
        _limit(0)
        try:
            line.send_bytes(said.encode())
        except OSError:  # nobody is there any more
            return
        if order is None:
            return


def _limit(seconds: int) -> None:
    """Where FFmpeg hangs, Python could do nothing about it."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def _encoder() -> str:
    """H.264 where it is, and what every receiver of MPEG knows elsewhere."""
    names = ("libx264", "libopenh264", "mpeg2video")
    return next(name for name in names if name in av.codecs_available)


def _even(image: np.ndarray) -> np.ndarray:
    """4:2:0 video has even sides: the last line is cut off an odd one."""
    return np.ascontiguousarray(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2])
