"""Is a video file cut short? Answered from its own size fields, not from durations, which healthy
files get wrong.

MP4 / MOV are a row of boxes, Matroska / WebM one Segment element, AVI a row of RIFF chunks, each
with its length in front. A file that ends before the length it states was truncated (an interrupted
copy, recording or download). FFmpeg reads such a file to where it ends and reports nothing. Formats
without lengths (MPEG-TS, raw H.264) cannot tell.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

EBML_HEADER = b"\x1a\x45\xdf\xa3"
SEGMENT = b"\x18\x53\x80\x67"


def missing_bytes(path: Path | str) -> int:
    """Bytes that the file should have beyond its end; 0 for a whole file and where its format does
    not say."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF":
            return _missing_riff(file, size)
        if head[:4] == EBML_HEADER:
            return _missing_matroska(file, size)
        if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp"):
            return _missing_mp4(file, size)
    return 0


def _missing_mp4(file: BinaryIO, size: int) -> int:
    """Walk the top-level boxes: 4 bytes length, 4 bytes type; length 1 = 8 more bytes hold it, 0 =
    to the end."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 0:
            return 0
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < 8:
            return 0
        position += length
    return max(0, position - size)


def _missing_riff(file: BinaryIO, size: int) -> int:
    """Walk the RIFF chunks (files above 1 GB have several): 4 bytes name, 4 bytes length, padded to
    even."""
    position = 0
    while position + 8 <= size:
        file.seek(position)
        header = file.read(8)
        length = int.from_bytes(header[4:], "little")
        if header[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):
            return 0
        position += 8 + length + length % 2
    return max(0, position - size - 1)


def _missing_matroska(file: BinaryIO, size: int) -> int:
    """The Segment follows the EBML header; a length of all ones means unknown (a live
    recording)."""
    file.seek(4)
    header = _read_length(file)
    if header is None:
        return 0
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != SEGMENT:
        return 0
    length = _read_length(file)
    return 0 if length is None else max(0, file.tell() + length - size)


def _read_length(file: BinaryIO) -> int | None:
    """An EBML number: the leading zero bits of the first byte tell how many bytes follow. None =
    unknown length."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    extra = 8 - first[0].bit_length()
    value = first[0] & (0x7F >> extra)
    for byte in file.read(extra):
        value = value << 8 | byte
    return None if value == (1 << 7 * (extra + 1)) - 1 else value
