"""The media objects of an ASF (WMV) file: its frames, cut into payloads, packed into packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from av.video.stream import VideoStream

from sam2s.media.structure.walk import File, Flaw, Piece

HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
"""GUIDs of the header, of the data, and of the file's properties in the header."""
WIDTHS = (0, 1, 2, 4)
"""Bytes of a number by its two bits of type."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A part of media object ``number``, which lies at ``offset`` of its ``size`` bytes."""

    stream: int
    number: int
    numbers: int
    offset: int
    size: int
    length: int


def asf_pieces(file: File, stream: VideoStream) -> Iterator[Piece]:
    """The packets, each with the frames that begin in it. Frames are numbered, and each must be
    whole before the next begins."""
    if file.read(0, 16) != HEADER:
        raise Flaw
    size, position = _packet_size(file), file.number(16, 8, "little")
    if file.read(position, 16) != DATA or not size:
        raise Flaw
    packets, position = file.number(position + 40, 8, "little"), position + 50
    number, missing = None, 0
    for _ in range(packets):
        begun = 0
        for payload in _payloads(file.read(position, size)):
            if payload.stream != stream.id:
                continue
            if payload.size == 0:
                raise Flaw
            if payload.offset == 0:
                if missing or number not in (None, payload.number):
                    raise Flaw
                missing, begun = payload.size, begun + 1
                number = (payload.number + 1) % payload.numbers
            missing -= payload.length
        yield Piece(position, position + size, begun)
        position += size
    if missing:
        raise Flaw


def _packet_size(file: File) -> int:
    """The one size that all packets have, by the properties in the header."""
    position, end = 30, file.number(16, 8, "little")
    while position < end:
        if file.read(position, 16) == PROPERTIES:
            return file.number(position + 92, 4, "little")
        length = file.number(position + 16, 8, "little")
        if length < 24:
            raise Flaw
        position += length
    raise Flaw


class _Bytes:
    """Little-endian numbers, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self.position = data, 0

    def take(self, width: int) -> int:
        self.position += width
        if self.position > len(self._data):
            raise Flaw
        return int.from_bytes(self._data[self.position - width : self.position], "little")


def _payloads(packet: bytes) -> Iterator[Payload]:
    data = _Bytes(packet)
    flags = data.take(1)
    if flags & 0x80:  # error correction comes first
        data.take(flags & 0x0F)
        flags = data.take(1)
    kinds = data.take(1)
    if kinds >> 6 != 1:  # the number of a stream is one byte, always
        raise Flaw
    end = data.take(WIDTHS[flags >> 5 & 3]) or len(packet)
    data.take(WIDTHS[flags >> 1 & 3])
    end = min(end, len(packet)) - data.take(WIDTHS[flags >> 3 & 3])
    data.take(6)
    several = flags & 1
    count = data.take(1) if several else 1
    for _ in range(count & 0x3F):
        payload, rest = _payload(data, kinds), end
        length = data.take(WIDTHS[count >> 6]) if several else rest - data.position
        if length < 0 or data.position + length > end:
            raise Flaw
        data.position += length
        yield Payload(*payload, length)


def _payload(data: _Bytes, kinds: int) -> tuple[int, int, int, int, int]:
    """(stream, number of the object, how many numbers there are, offset, size of the object)."""
    stream = data.take(1) & 0x7F
    width = WIDTHS[kinds >> 4 & 3]
    number, offset = data.take(width), data.take(WIDTHS[kinds >> 2 & 3])
    replicated = data.take(WIDTHS[kinds & 3])
    if stream == 0 or 1 < replicated < 8:
        raise Flaw
    if replicated < 8:  # small objects in a group, as sound has them; their sizes are not told
        data.position += replicated
        return stream, number, 1 << 8 * width, offset, 0
    size = data.take(4)
    data.take(4)
    data.position += replicated - 8
    return stream, number, 1 << 8 * width, offset, size
