"""Are the packets that FFmpeg hands out all that the file holds, and whole?"""

from __future__ import annotations

from pathlib import Path

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from sam2s.media.container import missing_bytes
from sam2s.media.streams import stated_end
from sam2s.media.structure import walk_of
from sam2s.media.structure.jpeg import is_whole_jpeg

DAMAGED = "the file is cut short or damaged"
CUTTABLE_FORMATS = frozenset(
    {"mpegts", "mpeg", "mpegvideo", "h264", "hevc", "flv", "rtsp", "hls", "rtp", "sdp"}
)
"""Formats that may begin in the middle of a picture group, where what cannot be decoded before the
first frame is normal, and that may end anywhere without a sign of it. MPEG-TS marks packets as
corrupt where two good files were joined, so there only its counters and the decoder's word count.
"""


class PacketCheck:
    """Looks at the packets of one stream in their order. ``path``: the file; None where there is
    none to look into. ``count``: packets that were well so far."""

    def __init__(self, container: InputContainer, stream: VideoStream, path: Path | None) -> None:
        self._stream, self._path = stream, path
        self._cuttable = container.format.name in CUTTABLE_FORMATS
        self._walk = None if path is None else walk_of(container, stream, path)
        self._is_jpeg = stream.codec_context.codec.canonical_name == "mjpeg"
        self._ended: bool | None = None  # whether this video's JPEGs have an end marker
        self._end = 0  # of the last frame to be shown, by the packets' timestamps
        self.count = 0

    @property
    def begins_whole(self) -> bool:
        """Whether the packet checked last is the first, and marked as one to begin decoding at."""
        return self.count == 1 and self._walk is not None and self._walk.at_key

    def loss_before(self, packet: Packet) -> str | None:
        """Why something is missing between this packet and the one before, or None."""
        if self._walk is None or packet.pos is None or packet.pos < 0:
            return None
        return None if self._walk.reaches(packet.pos, self.count) else DAMAGED

    def damage_of(self, packet: Packet) -> str | None:
        """Why this packet is not whole, or None; then it counts."""
        if packet.is_corrupt and not self._cuttable:
            return DAMAGED
        if self._is_jpeg:
            whole = is_whole_jpeg(bytes(packet))
            self._ended = whole if self._ended is None else self._ended
            if whole != self._ended:
                return "the picture is cut short or damaged"
        self.count += 1
        self._end = max(self._end, (packet.pts or 0) + (packet.duration or 0))
        return None

    def loss_at_end(self) -> str | None:
        """Why more should have come, or None."""
        if self._path is None:
            return None
        if self._walk is not None and not self._walk.finish(self.count):
            return DAMAGED
        complete = self._stream.frames and self.count >= self._stream.frames
        stated, base = stated_end(self._stream.metadata), self._stream.time_base
        ends_early = stated is not None and base is not None and self._end * base < stated - 1
        cut = not complete and (ends_early or missing_bytes(self._path) > 0)
        return "the file is cut short" if cut else None

    def close(self) -> None:
        """Release the file."""
        if self._walk is not None:
            self._walk.close()
