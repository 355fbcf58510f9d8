"""The video streams of a container: which one to read, and what the container says about it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from sam2s.errors import InputError

DEFAULT_STREAM, ATTACHED_PICTURE = 0x1, 0x400
"""FFmpeg's disposition bits."""
INDEXED_FORMATS = frozenset({"avi", "mov,mp4,m4a,3gp,3g2,mj2"})
"""Formats of which FFmpeg reads an index of every frame before the first."""
ABSURD_RATE = 1000
"""Frames per second above which a mean rate is a unit of time that FFmpeg took for one (DV)."""
STILL_BRANDS = frozenset({"heic", "heix", "heim", "heis", "mif1", "avif"})
"""What MP4 containers call themselves that hold one picture, often as a mosaic of streams."""


def choose_stream(container: InputContainer, wanted: int | None, name: str) -> VideoStream:
    """The video stream number ``wanted``, or the main one.

    That is the one the container marks as the default, else the first; a cover picture of a sound
    file is none, and one that holds a single picture gives way to one that holds more. Raises
    InputError where there is no such stream, or FFmpeg does not know its codec.
    """
    streams = list(container.streams.video)
    if wanted is not None:
        if not 0 <= wanted < len(streams):
            raise InputError(
                f"{name}: has no video stream {wanted}; it has {len(streams)}, counted from 0"
            )
        chosen = streams[wanted]
    else:
        chosen = _main_stream(container, streams, name)
    if chosen.codec_context is None:
        # Typed as never None, but it is for codecs that this FFmpeg does not know.
        raise InputError(
            f"{name}: its video codec is not known to this FFmpeg; convert it to H.264 first"
        )
    return chosen


def _main_stream(container: InputContainer, streams: list[VideoStream], name: str) -> VideoStream:
    if container.metadata.get("major_brand") in STILL_BRANDS:
        raise InputError(
            f"{name}: is a still picture (HEIF or AVIF), not a video; save it as PNG or JPEG"
        )
    moving = [stream for stream in streams if not _disposition(stream) & ATTACHED_PICTURE]
    if not moving:
        kinds = ", ".join(sorted({stream.type for stream in container.streams}))
        raise InputError(
            f"{name}: no video stream (it holds {f'{kinds} only' if kinds else 'nothing'})"
        )
    moving = [stream for stream in moving if not _holds_one(stream)] or moving
    marked = [stream for stream in moving if _disposition(stream) & DEFAULT_STREAM]
    return (marked or moving)[0]


def _holds_one(stream: VideoStream) -> bool:
    """Whether the stream says that it holds a single picture, by its count or its end."""
    end, rate = stated_end(stream.metadata), stream.guessed_rate
    return stream.frames == 1 or (end is not None and rate is not None and end * rate < 1.5)


def stated_end(metadata: Mapping[str, str]) -> float | None:
    """Seconds at which a Matroska track ends by its DURATION tag (``00:01:02.345``), if it has
    one."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", metadata.get("DURATION", ""))
    return None if match is None else 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])


def stream_notes(container: InputContainer, chosen: VideoStream, name: str) -> tuple[str, ...]:
    """What the user should know: that there are other video streams beside the one that is read."""
    streams = container.streams.video
    others = [s for s in streams if s is not chosen and not _disposition(s) & ATTACHED_PICTURE]
    if not others:
        return ()
    listed = ", ".join(f"{i}: {_described(stream)}" for i, stream in enumerate(streams))
    return (
        f"{name} holds {len(streams)} video streams ({listed}); number {streams.index(chosen)} is"
        " read, --stream chooses another",
    )


def _described(stream: VideoStream) -> str:
    codec = stream.codec_context
    if codec is None:
        return "unknown codec"
    count = f", {stream.frames} frame{'s' * (stream.frames > 1)}" if stream.frames else ""
    return f"{codec.name} {codec.width} x {codec.height}{count}"


def mean_rate(stream: VideoStream) -> float | None:
    """Frames per second over the whole stream, or None.

    AVI repeats a picture by an empty chunk, which counts in the rate that it states: there the
    chunks of its index are what is shown.
    """
    if stream.container.format.name == "avi" and stream.duration and stream.time_base:
        shown, entries = _indexed(stream), stream.index_entries
        if shown and entries[len(entries) - 1].timestamp >= 0.9 * stream.duration:
            return float(shown / (stream.duration * stream.time_base))
    rate, guess = stream.average_rate, stream.guessed_rate
    if rate is None or (guess and rate > ABSURD_RATE):
        rate = guess
    return float(rate) if rate else None


def stated_count(container: InputContainer, stream: VideoStream, fps: float | None) -> int | None:
    """Number of frames to be shown as the container states it, or as duration and rate imply.

    Of what an MP4 stores, its edit list may show a part only.
    """
    if stream.frames:
        return _indexed(stream) or stream.frames
    if stream.duration and stream.time_base and fps:
        return max(1, round(float(stream.duration * stream.time_base) * fps))
    if container.duration and fps:
        # Matroska states the end of the video, the others its length.
        start = container.start_time if container.format.name.startswith("matroska") else 0
        return max(1, round((container.duration - (start or 0)) / av.time_base * fps))
    return None


def _indexed(stream: VideoStream) -> int | None:
    """Frames to be shown by the index of an AVI or MP4 file that has a whole one."""
    if not stream.frames or stream.container.format.name not in INDEXED_FORMATS:
        return None
    return sum(not entry.is_discard for entry in stream.index_entries) or None


def _disposition(stream: VideoStream) -> int:
    disposition = stream.disposition
    return int(getattr(disposition, "value", disposition))
