"""The pieces of a file that hold a video's pictures, found by walking its structure.

FFmpeg searches on where a container is damaged and hands out what it finds next, without a word
about what lay between. So the reader walks along: every packet must lie in the next piece of the
file's own structure, and the walk must reach the end. It reads the lengths in front of the pieces,
never the pictures, and only as far as the packets have come.

Formats without such a structure (MPEG-PS, raw streams) are not walked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from av.container import InputContainer
from av.video.stream import VideoStream

from sam2s.media.structure.asf import asf_pieces
from sam2s.media.structure.boxes import indexed_pieces, is_fragmented, mp4_pieces
from sam2s.media.structure.matroska import matroska_pieces
from sam2s.media.structure.riff import avi_pieces
from sam2s.media.structure.simple import (
    apng_pieces,
    dv_pieces,
    flv_pieces,
    gif_pieces,
    ivf_pieces,
    mxf_pieces,
    yuv4mpeg_pieces,
)
from sam2s.media.structure.transport import transport_pieces
from sam2s.media.structure.walk import File, Piece, Walk

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's name of the MP4 and QuickTime formats."""
WALKERS: dict[str, Callable[[File, VideoStream], Iterator[Piece]]] = {
    MP4: mp4_pieces,
    "matroska,webm": matroska_pieces,
    "avi": avi_pieces,
    "asf": asf_pieces,
    "flv": flv_pieces,
    "gif": gif_pieces,
    "apng": apng_pieces,
    "ivf": ivf_pieces,
    "yuv4mpegpipe": yuv4mpeg_pieces,
    "mxf": mxf_pieces,
    "dv": dv_pieces,
    "mpegts": transport_pieces,
}
"""By FFmpeg's name of the format."""


def walk_of(container: InputContainer, stream: VideoStream, path: Path) -> Walk | None:
    """The walk along a file's structure, or None for formats that have none."""
    name, file = container.format.name, File(path)
    stated, walker = stream.frames, WALKERS.get(name)
    whole_index = name == "avi" and len(stream.index_entries) >= stated
    if stated and (whole_index or (name == MP4 and not is_fragmented(file))):
        pieces = indexed_pieces(stream, path if name == MP4 else None)
    elif walker is not None:
        pieces = walker(file, stream)
    else:
        file.close()
        return None
    return Walk(pieces, file)
