"""The boxes of an MP4 or QuickTime file, and the samples of its fragments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from av.video.stream import VideoStream

from sam2s.media.opening import stored_frames
from sam2s.media.structure.walk import File, Flaw, Piece, is_name


def indexed_pieces(stream: VideoStream, path: Path | None = None) -> Iterator[Piece]:
    """The frames of FFmpeg's index, as AVI and MP4 have one. With the ``path`` of an MP4 the index
    is held against the number of frames that the file states: edit lists take from it, damage
    does, too."""
    entries = stream.index_entries
    for entry in entries:
        yield Piece(entry.pos, entry.pos + max(entry.size, 1) + 8)
    stated = stream.frames
    if path is not None and len(entries) < stated > stored_frames(path, stream.index):
        raise Flaw


def is_fragmented(file: File) -> bool:
    """Whether the file announces fragments, beside samples of its own or instead of them."""
    try:
        for kind, inside, end in boxes(file, 0, file.size):
            if kind == b"moov":
                return any(child == b"mvex" for child, _, _ in boxes(file, inside, end))
    except Flaw:
        pass
    return False


def mp4_pieces(file: File, stream: VideoStream) -> Iterator[Piece]:
    """The boxes of a file; its ``moov`` and each ``moof`` tell how many samples of the track the
    data behind them hold."""
    frames = stream.frames
    for kind, inside, end in boxes(file, 0, file.size):
        if kind == b"moof":
            frames = _samples(file, inside, end, stream.id)
        yield Piece(inside, end, frames if kind == b"mdat" else 0)
        frames = 0 if kind == b"mdat" else frames


def _samples(file: File, position: int, end: int, track: int) -> int:
    """Samples of the track in the runs (``trun``) of a fragment."""
    found = 0
    for kind, inside, inner_end in boxes(file, position, end):
        if kind == b"traf":
            inner = list(boxes(file, inside, inner_end))
            if any(k == b"tfhd" and file.number(i + 4, 4) == track for k, i, _ in inner):
                found += sum(file.number(i + 4, 4) for k, i, _ in inner if k == b"trun")
    return found


def boxes(file: File, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start of its content, end) of the boxes from ``position`` to ``end``."""
    while position < end:
        kind, inside, inner_end = _box(file, position, end)
        yield kind, inside, inner_end
        position = inner_end


def _box(file: File, position: int, limit: int) -> tuple[bytes, int, int]:
    """(kind, start of its content, end): 4 bytes length, 4 bytes kind; length 1 = 8 more bytes hold
    it, 0 = to the end."""
    length, kind, inside = file.number(position, 4), file.read(position + 4, 4), position + 8
    if length == 1:
        length, inside = file.number(position + 8, 8), position + 16
    end = limit if length == 0 else position + length
    if not is_name(kind) or end < inside or end > limit:
        raise Flaw
    return kind, inside, end
