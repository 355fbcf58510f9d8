"""Formats that are a row of frames: FLV, GIF, animated PNG, IVF, YUV4MPEG, MXF, DV."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from av.video.format import VideoFormat
from av.video.stream import VideoStream

from sam2s.media.structure.walk import File, Flaw, Piece


def flv_pieces(file: File, _stream: VideoStream) -> Iterator[Piece]:
    """The tags of a Flash video, of any kind."""
    position = file.number(5, 4) + 4
    while position < file.size:
        if file.number(position, 1) & 0x1F not in (8, 9, 18):
            raise Flaw
        end = position + 11 + file.number(position + 1, 3) + 4
        if end > file.size + 4:  # the last length is sometimes left out
            raise Flaw
        yield Piece(position, end, 0)
        position = end


def gif_pieces(file: File, _stream: VideoStream) -> Iterator[Piece]:
    """The pictures of a GIF, each with the extensions before it; the last byte is its trailer."""
    colours = file.number(10, 1)
    position = begin = 13 + (3 << (colours & 7) + 1 if colours & 0x80 else 0)
    while (label := file.number(position, 1)) != 0x3B:
        if label == 0x21:
            position = _behind_blocks(file, position + 2)
        elif label == 0x2C:
            colours = file.number(position + 9, 1)
            table = 3 << (colours & 7) + 1 if colours & 0x80 else 0
            inside, position = position + 10 + table, _behind_blocks(file, position + 11 + table)
            _check_lzw(file.read(inside, position - inside))
            yield Piece(begin, position)
            begin = position
        else:
            raise Flaw
    if file.read(position + 1, file.size - position - 1).strip(b"\0"):
        raise Flaw  # more than padding comes behind what should be the end


def _behind_blocks(file: File, position: int) -> int:
    while length := file.number(position, 1):
        position += 1 + length
    return position + 1


def _check_lzw(data: bytes) -> None:
    """Raise Flaw where the codes of a picture are impossible, or end long before its blocks do: a
    damaged length makes a reader take the pictures behind it for a part of this one."""
    bits, codes, position = data[0], bytearray(), 1
    while length := data[position]:
        codes += data[position + 1 : position + 1 + length]
        position += 1 + length
    clear, width, size, fresh = 1 << bits, bits + 1, (1 << bits) + 2, True
    buffer = filled = 0
    for place, byte in enumerate(codes):
        buffer, filled = buffer | byte << filled, filled + 8
        while filled >= width:
            code = buffer & (1 << width) - 1
            buffer, filled = buffer >> width, filled - width
            if code == clear:
                width, size, fresh = bits + 1, clear + 2, True
            elif code == clear + 1:
                if len(codes) - place > 8:
                    raise Flaw
                return
            elif code > size or (fresh and code >= size):
                raise Flaw
            elif fresh:
                fresh = False
            elif size < 4096:
                size += 1
                width += size == 1 << width and width < 12


def apng_pieces(file: File, _stream: VideoStream) -> Iterator[Piece]:
    """The pictures of an animated PNG, as many as it says, each chunk with its checksum right."""
    position, stated, begun = 8, 0, None
    while True:
        length, kind = file.number(position, 4), file.read(position + 4, 4)
        end = position + 12 + length
        if end > file.size:
            raise Flaw
        if zlib.crc32(file.read(position + 4, length + 4)) != file.number(end - 4, 4):
            raise Flaw
        if kind == b"acTL":
            stated = file.number(position + 8, 4)
        if kind in (b"fcTL", b"IEND"):
            if begun is not None:
                yield Piece(begun, position)
                stated -= 1
            begun = position
        if kind == b"IEND":
            if stated > 0:
                raise Flaw
            return
        position = end


def ivf_pieces(file: File, _stream: VideoStream) -> Iterator[Piece]:
    """The frames of an IVF file, each behind its length."""
    position = file.number(6, 2, "little")
    while position < file.size:
        end = position + 12 + file.number(position, 4, "little")
        if end > file.size:
            raise Flaw
        yield Piece(position, end)
        position = end


def yuv4mpeg_pieces(file: File, stream: VideoStream) -> Iterator[Piece]:
    """The frames of an uncompressed stream, each behind the word FRAME."""
    position = _behind_line(file, 0)
    codec = stream.codec_context
    picture = VideoFormat(codec.pix_fmt or "", codec.width, codec.height)
    length = sum(c.width * c.height * (c.bits + 7 >> 3) for c in picture.components)
    while position < file.size:
        if file.read(position, 5) != b"FRAME":
            raise Flaw
        end = _behind_line(file, position) + length
        if end > file.size:
            raise Flaw
        yield Piece(position, end)
        position = end


def _behind_line(file: File, position: int) -> int:
    line = file.peek(position, 512)
    if b"\n" not in line:
        raise Flaw
    return position + line.index(b"\n") + 1


UNIVERSAL = b"\x06\x0e\x2b\x34"
RUN_IN = 1 << 16
"""Bytes that may come before the first of them."""
PICTURES = (0x05, 0x15)
"""Item types of essence elements that hold pictures: of the content package, and generic."""


def mxf_pieces(file: File, stream: VideoStream) -> Iterator[Piece]:
    """The key-length-value triplets; in files that wrap frame by frame, those with a picture must
    be as many as the file states."""
    alone = len(stream.container.streams.video) == 1  # else whose picture it is remains open
    found, position = 0, file.peek(0, RUN_IN).find(UNIVERSAL)
    if position < 0:
        raise Flaw
    while position < file.size:
        key = file.read(position, 16)
        if key[:4] != UNIVERSAL:
            raise Flaw
        length, width = file.number(position + 16, 1), 1
        if length & 0x80:
            width += length & 0x7F
            length = file.number(position + 17, width - 1)
        end = position + 16 + width + length
        if end > file.size:
            raise Flaw
        picture = key[4:8] == b"\x01\x02\x01\x01" and key[12] in PICTURES
        found += picture
        yield Piece(position, end, int(picture and alone))
        position = end
    if 1 < found < (stream.duration or 0):
        raise Flaw


DV_SEQUENCE = 12_000
"""Bytes of a sequence of DV blocks, the first of which is a header."""


def dv_pieces(file: File, _stream: VideoStream) -> Iterator[Piece]:
    """The sequences of blocks, of which a frame has ten to forty-eight by its system and kind."""
    for position in range(0, file.size, DV_SEQUENCE):
        if position + DV_SEQUENCE > file.size or file.number(position, 1) != 0x1F:
            raise Flaw
        yield Piece(position, position + DV_SEQUENCE, 0)
