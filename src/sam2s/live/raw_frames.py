"""Raw frames from a pipe: pixels without a container, as GStreamer and FFmpeg give them."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import BinaryIO

import av
import numpy as np

from sam2s.errors import Doubt, InputError
from sam2s.media.pictures import MAX_PIXELS
from sam2s.types import Frame

FORMATS = ("rgb24", "bgr24", "gray", "rgba", "bgra", "yuv420p", "nv12")
"""FFmpeg's names; GStreamer's are RGB, BGR, GRAY8, RGBA, BGRA, I420, NV12."""
BYTES = {"rgb24": 3.0, "bgr24": 3.0, "gray": 1.0, "rgba": 4.0, "bgra": 4.0}
"""Of a pixel; 1.5 for the others."""
_SPEC = re.compile(r"(\d+)x(\d+)(?::(\w+))?")


@dataclass(frozen=True, slots=True)
class RawFormat:
    """What a pipe holds: frames of ``width`` x ``height`` pixels, row by row without gaps."""

    width: int
    height: int
    pixels: str = "rgb24"

    @staticmethod
    def parse(text: str) -> RawFormat:
        """``WIDTHxHEIGHT`` or ``WIDTHxHEIGHT:FORMAT``. Raises InputError for anything else."""
        found = _SPEC.fullmatch(text)
        pixels = found[3] or "rgb24" if found else ""
        if found is None or pixels not in FORMATS:
            raise InputError(
                f"--raw {text}: expected WIDTHxHEIGHT or WIDTHxHEIGHT:FORMAT, such as"
                f" 1280x720:bgr24, with one of {', '.join(FORMATS)}"
            )
        raw = RawFormat(int(found[1]), int(found[2]), pixels)
        if not 0 < raw.width * raw.height <= MAX_PIXELS:
            raise InputError(f"--raw {text}: a frame must have 1 to {MAX_PIXELS} pixels")
        if pixels in ("yuv420p", "nv12") and (raw.width % 2 or raw.height % 2):
            raise InputError(f"--raw {text}: {pixels} has even sides")
        return raw

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return int(self.width * self.height * BYTES.get(self.pixels, 1.5))

    def image(self, data: bytes) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        flat = np.frombuffer(data, np.uint8)
        if self.pixels in BYTES:
            picture = flat.reshape(self.height, self.width, -1)
            if self.pixels == "gray":
                return np.repeat(picture, 3, axis=2)
            order = [2, 1, 0] if self.pixels.startswith("bgr") else [0, 1, 2]
            return np.ascontiguousarray(picture[..., order])
        planes = flat.reshape(self.height * 3 // 2, self.width)
        frame = av.VideoFrame.from_ndarray(planes, format=self.pixels)
        return np.asarray(frame.to_ndarray(format="rgb24"))


def raw_frames(source: str, raw: RawFormat) -> Iterator[Frame]:
    """The frames of ``-`` (the standard input), ``pipe:NAME`` or a path, as they arrive; a frame
    that the end cuts off is dropped, with a ``Doubt`` about the size. Raises InputError where the
    pipe cannot be opened, or ends before its first frame."""
    name = source.removeprefix("pipe:")
    try:
        file: BinaryIO = sys.stdin.buffer if source == "-" else open(name, "rb")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{name}: cannot be opened ({error.strerror or error})") from error
    return _read(file, raw, "stdin" if source == "-" else name)


def _read(file: BinaryIO, raw: RawFormat, name: str) -> Iterator[Frame]:
    index = 0
    with file:
        while len(data := file.read(raw.size)) == raw.size:
            arrived = perf_counter()
            yield Frame(index, None, raw.image(data), arrived)
            index += 1
    if index == 0:
        raise InputError(
            f"{name}: ended before its first frame of {raw.width} x {raw.height} {raw.pixels}"
            f" ({len(data)} of {raw.size} bytes came)"
        )
    if data:
        warnings.warn(
            f"{name}: ended {len(data)} bytes into a frame of {raw.width} x {raw.height}"
            f" {raw.pixels} ({raw.size} bytes); if the pictures are torn, --raw is wrong",
            Doubt,
            stacklevel=2,
        )
