"""The chunks of an AVI file."""

from __future__ import annotations

from collections.abc import Iterator

from av.video.stream import VideoStream

from sam2s.media.structure.walk import File, Flaw, Piece, is_name


def avi_pieces(file: File, stream: VideoStream) -> Iterator[Piece]:
    """The chunks of the stream in the ``movi`` lists; empty ones count among those that the header
    states, but are not frames."""
    own, chunks = f"{stream.index:02d}".encode(), 0
    for start, name, length in _avi_chunks(file, 0, file.size):
        if name[:2] == own and name[2:] not in (b"wb", b"pc", b"tx", b"ix"):
            chunks += 1
            yield Piece(start, start + 8 + length, int(length > 0))
    if chunks < stream.frames:
        raise Flaw


def _avi_chunks(file: File, position: int, end: int) -> Iterator[tuple[int, bytes, int]]:
    """(start, name, length) of the chunks from ``position`` to ``end``, and of those in lists."""
    while position + 8 <= end:
        head = file.read(position, 8)
        if not is_name(head[:4]) and position % 2 == 0 and is_name(file.peek(position - 1, 4)):
            position -= 1  # written without the padding to an even length
            head = file.read(position, 8)
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if not is_name(name):
            raise Flaw
        if name in (b"RIFF", b"LIST"):
            inner_end = min(position + 8 + length, end) if length else end
            kind = file.read(position + 8, 4)
            if kind in (b"AVI ", b"AVIX", b"movi", b"rec "):
                yield from _avi_chunks(file, position + 12, inner_end)
        if position + 8 + length > end and name != b"RIFF":
            raise Flaw
        if name not in (b"RIFF", b"LIST"):
            yield position, name, length
        position += 8 + length + length % 2
