"""Small videos whose every frame carries its own number, so that a lost or doubled one cannot go
unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 8
SIZE = (64, 96)


def numbered(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A moving gradient (H, W, 3) under a row of black and white blocks that spell ``index``, proof
    against coding."""
    y, x = np.mgrid[: size[0], : size[1]]
    channels = [(x * 2 + index * 7) % 256, (y * 3) % 256, (x + y + index * 3) % 256]
    image = (np.stack(channels, axis=-1) // 2 + 64).astype(np.uint8)
    for bit in range(BITS):
        image[:16, bit * 11 : bit * 11 + 11] = 255 if index >> bit & 1 else 0
    return image


def number_of(image: np.ndarray) -> int:
    """The number that ``numbered`` wrote."""
    return sum(
        1 << bit for bit in range(BITS) if image[4:12, bit * 11 + 3 : bit * 11 + 8].mean() > 127
    )


@dataclass(frozen=True)
class Clip:
    """How to encode: ``ticks`` are timestamps in units of ``time_base``; by default frame i is at i
    / 25 s."""

    suffix: str
    codec: str = "libx264"
    count: int = 30
    options: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)
    ticks: Sequence[int] | None = None
    time_base: Fraction = Fraction(1, 25)
    pixels: str = "yuv420p"
    size: tuple[int, int] = SIZE
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def times(self) -> list[float]:
        """Seconds of each frame."""
        return [float(tick * self.time_base) for tick in self.ticks or range(self.count)]

    def write(self, folder: Path, name: str = "clip") -> Path:
        """Encode into ``folder``."""
        path = folder / f"{name}{self.suffix}"
        with av.open(f"file:{path}", "w", options=self.muxer) as container:
            container.metadata.update(self.metadata)
            stream = container.add_stream(self.codec, rate=25, options=self.options)
            stream.height, stream.width = self.size
            stream.pix_fmt, stream.gop_size = self.pixels, 10
            stream.codec_context.time_base = self.time_base
            for index in range(self.count):
                frame = av.VideoFrame.from_ndarray(numbered(index, self.size), format="rgb24")
                frame.pts = index if self.ticks is None else self.ticks[index]
                frame.time_base = self.time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path


VFR_TICKS = (
    0,
    1,
    2,
    5,
    6,
    15,
    16,
    18,
    40,
    41,
    42,
    43,
    60,
    61,
    63,
    64,
    90,
    91,
    95,
    96,
    97,
    98,
    99,
    130,
    131,
    140,
    141,
    142,
    160,
    250,
)
BFRAMES = {"bf": "3", "b-pyramid": "normal"}
FAST = {"movflags": "faststart"}

HEALTHY = {
    "cfr": Clip(".mp4", options={"bf": "0"}),
    "b-frames": Clip(".mp4", options=BFRAMES, muxer=FAST),
    "fragmented": Clip(".mp4", options={"bf": "0"}, muxer={"movflags": "frag_keyframe+empty_moov"}),
    "open gop": Clip(".mp4", options={"x264-params": "open-gop=1:bframes=3:keyint=10"}),
    "intra refresh": Clip(".mp4", options={"x264-params": "intra-refresh=1"}),
    "interlaced": Clip(".mp4", options={"x264-params": "interlaced=1:tff=1"}),
    "vfr": Clip(".mp4", ticks=VFR_TICKS, time_base=Fraction(1, 100), options=BFRAMES),
    "vfr mkv": Clip(".mkv", ticks=VFR_TICKS, time_base=Fraction(1, 100), options=BFRAMES),
    "mkv": Clip(".mkv", options=BFRAMES),
    "starts late": Clip(".mkv", ticks=range(500, 530)),
    "mpeg-ts": Clip(".ts", options=BFRAMES),
    "flv": Clip(".flv", options={"bf": "0"}),
    "avi": Clip(".avi", codec="mpeg4"),
    "avi b-frames": Clip(".avi", codec="mpeg4", options={"bf": "2"}),
    "h264 in avi": Clip(".avi", options=BFRAMES),
    "motion jpeg": Clip(".avi", codec="mjpeg", pixels="yuvj420p"),
    "vp8 hidden frames": Clip(
        ".webm", codec="libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"}
    ),
    "vp9 hidden frames": Clip(
        ".webm", codec="libvpx-vp9", options={"cpu-used": "5", "lag-in-frames": "16"}
    ),
    "mpeg-2": Clip(".mpg", codec="mpeg2video"),
    "png in mov": Clip(".mov", codec="png", pixels="rgb24"),
    "raw h264": Clip(".h264", options={"bf": "2"}),
}
"""Clips that nothing is wrong with, each hard to read in its own way."""


def boxes(data: bytes, path: str) -> list[int]:
    """Positions of the MP4 boxes at ``path`` (such as ``moov/trak/tkhd``)."""
    found = [(0, len(data))]
    for kind in path.split("/"):
        inner = []
        for start, end in found:
            position = start
            while position + 8 <= end:
                length = int.from_bytes(data[position : position + 4], "big")
                if data[position + 4 : position + 8] == kind.encode():
                    inner.append((position + 8, position + length))
                position += max(length, 8)
        found = inner
    return [start for start, _ in found]


def packets(path: Path) -> list[tuple[int, int]]:
    """(position, size) in the file of each video packet, in file order."""
    with av.open(f"file:{path}") as container:
        return [(p.pos, p.size) for p in container.demux(container.streams.video[0]) if p.size]
