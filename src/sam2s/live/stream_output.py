"""The overlay as a stream or device through FFmpeg: RTSP, UDP, SRT, RTMP, v4l2 loopback."""

from __future__ import annotations

from multiprocessing import get_context
from time import perf_counter

import numpy as np

from sam2s.errors import InputError
from sam2s.interruption import ctrl_c_waits
from sam2s.live.latency import LatencyCounter
from sam2s.live.sink import LivePicture
from sam2s.live.stream_encoder import DEVICE, FORMATS, serve

ANSWER = 15.0
"""Seconds that a picture may take, the start of the process and of the stream included."""
LEAVE = 3.0
"""Seconds that the end of the stream may take."""


class StreamOutput:
    """``target``: an address (``rtsp://host:8554/live``) or ``v4l2:/dev/video9``. It is opened at
    the first picture, by a process of its own (`stream_encoder`) that starts at once. Raises
    InputError for a ``target`` that is neither."""

    def __init__(self, target: str, fps: float | None) -> None:
        self.name = target
        self.latency: LatencyCounter | None = LatencyCounter()
        if not target.startswith(DEVICE) and target.partition("://")[0] not in FORMATS:
            known = ", ".join(f"{name}://" for name in FORMATS)
            raise InputError(
                f"--stream {target}: expected an address that begins with {known}, or"
                " v4l2:/dev/videoN"
            )
        context = get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, target, fps), daemon=True)
        with ctrl_c_waits():
            self._process.start()
        theirs.close()

    def show(self, picture: LivePicture) -> None:
        """Send one picture. Raises InputError where that fails or takes too long."""
        image = np.ascontiguousarray(picture.overlay)
        try:
            self._line.send((picture.frame.time or 0.0, *image.shape[:2]))
            self._line.send_bytes(image.data.cast("B"))
            self._answer(ANSWER)
        except OSError as error:
            raise InputError("its process ended") from error
        assert self.latency is not None
        self.latency.add(perf_counter() - picture.arrived)

    def close(self) -> None:
        """End the stream and its process, however it takes it. Raises InputError where the stream
        did not end in good order."""
        try:
            self._line.send(None)
            self._answer(LEAVE)
        except OSError:
            return  # it ended before, which `show` has told
        finally:
            self._line.close()
            self._process.join(LEAVE)
            self._process.kill()

    def _answer(self, patience: float) -> None:
        if not self._line.poll(patience):
            self._process.kill()
            raise InputError(f"does not answer for {patience:.0f} s")
        try:
            said = self._line.recv_bytes().decode()
        except EOFError as error:
            raise InputError("its process ended") from error
        if said:
            raise InputError(said)
