"""Is a JPEG picture in a video whole? Decoders fill in what is missing, without a word."""

from __future__ import annotations

import re

START, END, SCAN = b"\xff\xd8", 0xD9, 0xDA
LONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length: temporary, restarts, start of image."""
_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_IN_SCAN = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")


def is_whole_jpeg(data: bytes) -> bool:
    """Whether every picture in ``data`` (two, where a frame is stored as fields) goes on to its end
    marker, and only padding comes after."""
    position = 0
    while data.startswith(START, position):
        end = _end_of(data, position + 2)
        if end is None:
            return False
        rest = data[end:].lstrip(b"\0\xff")
        position = len(data) - len(rest)
        if rest.startswith(START[1:]):  # the padding took its first byte
            position -= 1
    return 0 < position == len(data)


def _end_of(data: bytes, position: int) -> int | None:
    """Position behind the end marker of the picture whose segments begin at ``position``."""
    pattern = _MARKER
    while match := pattern.search(data, position):
        kind, position = match[1][0], match.end()
        if kind == END:
            return position
        pattern = _IN_SCAN if kind == SCAN else _MARKER
        if kind not in LONE:
            position += int.from_bytes(data[position : position + 2], "big")
    return None
