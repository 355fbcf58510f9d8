"""The blocks of a Matroska or WebM file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from av.video.stream import VideoStream

from sam2s.media.structure.walk import File, Flaw, Piece

SEGMENT, CLUSTER, TRACKS, TRACK = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE
TRACK_NUMBER, TRACK_TYPE, VIDEO = 0xD7, 0x83, 1
SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xA3, 0xA0, 0xA1
VOID, CHECKSUM = 0xEC, 0xBF
TOP = frozenset(
    {0x114D9B74, 0x1549A966, TRACKS, CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367}
)
"""Elements of a segment: seek head, info, tracks, clusters, cues, attachments, chapters, tags."""
IN_CLUSTER = frozenset({0xE7, 0xA7, 0xAB, 0x5854, 0xAF, SIMPLE_BLOCK, BLOCK_GROUP})
"""Elements of a cluster: timestamp, position, previous size, silent tracks, blocks."""


@dataclass(frozen=True, slots=True)
class Element:
    """An EBML element: its content lies from ``inside`` to ``end``, None = until another begins."""

    id: int
    start: int
    inside: int
    end: int | None


def matroska_pieces(file: File, stream: VideoStream) -> Iterator[Piece]:
    """The blocks of the stream's track, cluster by cluster."""
    head = _element(file, 0, file.size)
    segment = _element(file, head.end or 0, None)
    if segment.id != SEGMENT:
        raise Flaw
    end = file.size if segment.end is None else min(segment.end, file.size)
    number = list(stream.container.streams.video).index(stream)
    known: list[tuple[int, int]] = []
    position = segment.inside
    while position < end:
        element = _element(file, position, end)
        if element.id == TRACKS and element.end is not None:
            known = _tracks(file, element.inside, element.end)
        if element.id == CLUSTER:
            ours = [track for track, kind in known if kind == VIDEO][number : number + 1]
            position = yield from _cluster(file, element, end, ours, [track for track, _ in known])
        elif element.id in TOP or element.id in (VOID, CHECKSUM):
            position = end if element.end is None else element.end
        else:
            raise Flaw


def _cluster(
    file: File, cluster: Element, limit: int, ours: list[int], known: list[int]
) -> Generator[Piece, None, int]:
    """The blocks of one cluster, which a cut may have left the front of; gives the position behind
    it."""
    position = cluster.inside
    end = limit if cluster.end is None else min(cluster.end, limit)
    while position < end:
        element = _element(file, position, end)
        if cluster.end is None and element.id in TOP:
            return position
        if element.id not in IN_CLUSTER and element.id not in (VOID, CHECKSUM):
            raise Flaw
        if element.end is None:
            raise Flaw
        block = element
        if element.id == BLOCK_GROUP:
            block = _child(file, element, BLOCK)
        if block.id in (SIMPLE_BLOCK, BLOCK):
            track = _variable(file, block.inside)[0]
            if track not in known:
                raise Flaw
            yield Piece(element.start, element.end, int(track in ours))
        position = element.end
    return end


def _tracks(file: File, position: int, end: int) -> list[tuple[int, int]]:
    """(number, type) of every track."""
    found = []
    while position < end:
        track = _element(file, position, end)
        if track.id == TRACK:
            kinds = [
                file.number(e.inside, (e.end or e.inside) - e.inside)
                for e in (_child(file, track, TRACK_NUMBER), _child(file, track, TRACK_TYPE))
            ]
            found.append((kinds[0], kinds[1]))
        position = track.end or end
    return found


def _child(file: File, parent: Element, wanted: int) -> Element:
    position = parent.inside
    while parent.end is not None and position < parent.end:
        element = _element(file, position, parent.end)
        if element.id == wanted:
            return element
        position = parent.end if element.end is None else element.end
    raise Flaw


def _element(file: File, position: int, limit: int | None) -> Element:
    """The element at ``position``, which must end before ``limit``."""
    head = file.peek(position, 12)
    if not head or head[0] < 0x10:  # identifiers have four bytes at most
        raise Flaw
    width = 9 - head[0].bit_length()
    length, inside = _variable(file, position + width)
    end = None if length is None else inside + length
    identifier = int.from_bytes(head[:width], "big")
    if end is not None and limit is not None and end > limit and identifier != CLUSTER:
        raise Flaw
    return Element(identifier, position, inside, end)


def _variable(file: File, position: int) -> tuple[int | None, int]:
    """An EBML number and the position behind it; None = unknown."""
    head = file.peek(position, 8)
    if not head or head[0] == 0:
        raise Flaw
    width = 9 - head[0].bit_length()
    value = int.from_bytes(head[:width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), position + width
