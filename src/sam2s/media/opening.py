"""Opening a video with FFmpeg, and nothing beside it.

FFmpeg guesses a file's format from its content, and some formats name further files or addresses:
playlists (HLS, DASH), scripts (ffconcat), session descriptions (SDP), numbered pictures (image2).
A stranger's ``op.mp4`` can be any of them. So a file is read by the formats that hold their own
pictures and nothing else, by the one protocol ``file``; playlists take an explicit word of the
user. An address on the network may lead to other addresses, as live streams do, but never to files.
"""

from __future__ import annotations

import os
import re
import select
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError

from sam2s.errors import InputError
from sam2s.media.address import NETWORK_PROTOCOLS, SourceAddress
from sam2s.media.background import interruptibly

VIDEO_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,live_flv,asf,asf_o,ogg,mxf,gxf,nut,"
    "wtv,dv,ivf,obu,av1,h264,hevc,vvc,h263,h261,m4v,mpegvideo,mjpeg,mjpeg_2000,vc1,vc1test,dirac,"
    "cavsvideo,avs2,avs3,dnxhd,yuv4mpegpipe,gif,apng,rm,nsv,mpjpeg,smjpeg,ingenient,dhav,lmlm4,pva,"
    "ty,cine,hxvs,luodat,kux,wav,mp3,flac,aac,aiff"
)
"""The demuxers that hold their own pictures (or sound, to say so), and open no file."""
RAW_FORMATS = (
    ",h264,hevc,vvc,h263,h261,m4v,mpegvideo,mjpeg,mjpeg_2000,vc1,av1,obu,dirac,cavsvideo,avs2,avs3,"
    "dnxhd,ingenient,mp3,aac,"
)
"""... of those, the ones without a container, which FFmpeg may see in what is left of one."""
CONTAINER_SUFFIXES = (".mp4", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".mxf")
STREAM_FORMATS = "hls,dash,rtsp,rtp,sdp"
"""... and those that lead from an address on the network to others."""
SCRIPT_FORMATS = "concat"
"""... and those that lead from a file to others, as the playlists among the streams do."""
PIPE_PATIENCE = 5.0
"""Seconds that a named pipe, given without ``pipe:``, has to bring its first byte."""
URL_TIMEOUT = (30.0, 30.0)
"""Seconds to wait for a server to answer, and for each read."""


def open_container(
    address: SourceAddress, options: Mapping[str, str], playlist: bool = False
) -> InputContainer:
    """Let FFmpeg open ``origin``, and nothing beside it.

    Args:
        address: what to open.
        options: FFmpeg's options for the demuxer; they win over the limits that are set here.
        playlist: a file may be a playlist, a script or a session description, which opens the files
            and addresses it names.

    Raises InputError when FFmpeg cannot open it, or it is of a format that opens other files.
    """
    target, limits = address.target, _limits(address, playlist)
    extra: dict[str, Any] = {"timeout": URL_TIMEOUT} if address.kind == "url" else {}
    if address.path is not None:
        # "file:" keeps FFmpeg from reading a protocol into names such as "rtp:1.mp4".
        target = f"file:{address.path}"
    elif address.kind == "pipe":
        target = f"pipe:{_open_pipe(address)}"
    job: tuple[Any, ...] = (target, address.device, {**limits, **options}, extra)
    try:
        if address.path is not None:
            return _in_its_container(_av_open(*job), address.path)
        return interruptibly(_av_open, *job, patience=address.patience)
    except TimeoutError as error:
        raise InputError(
            f"{address.name}: delivered nothing that can be read as a video"
        ) from error
    except (FFmpegError, ValueError) as error:
        raise _refusal(address, error) from error


def _av_open(
    target: str, device: str | None, options: dict[str, str], extra: dict[str, Any]
) -> InputContainer:
    return av.open(target, "r", format=device, options=options, metadata_errors="replace", **extra)


def stored_frames(path: Path, stream: int) -> int:
    """Frames of a stream (by its number) in an MP4 file's index, hidden by its edit list or not."""
    with _av_open(f"file:{path}", "mov", {"ignore_editlist": "1"}, {}) as container:
        return len(container.streams[stream].index_entries)


def _in_its_container(container: InputContainer, path: Path) -> InputContainer:
    """The container, unless the file lost its own and FFmpeg found a raw stream in the rest."""
    name = container.format.name
    if f",{name}," not in RAW_FORMATS or path.suffix.lower() not in CONTAINER_SUFFIXES:
        return container
    container.close()
    raise InputError(
        f"{path.name}: cannot be opened as a video (no {path.suffix[1:].lower()} container, at most"
        f" a raw {name} stream); it is damaged, or has the wrong suffix"
    )


def _limits(address: SourceAddress, playlist: bool) -> dict[str, str]:
    """FFmpeg's white lists for the kind of source; a device is what the user wrote."""
    if address.kind == "device":
        return {}
    formats, protocols = VIDEO_FORMATS, "pipe" if address.kind == "pipe" else "file"
    if address.kind == "url":
        formats, protocols = f"{formats},{STREAM_FORMATS}", NETWORK_PROTOCOLS
    elif address.kind == "file" and playlist:
        protocols = f"{protocols},{NETWORK_PROTOCOLS}"
    if playlist:
        formats = f"{VIDEO_FORMATS},{STREAM_FORMATS},{SCRIPT_FORMATS}"
    return {"format_whitelist": formats, "protocol_whitelist": protocols}


def _open_pipe(address: SourceAddress) -> int:
    """The descriptor of an open pipe. Without ``patience`` the user meant a live stream, and its
    writer may come when it will; otherwise one must be there."""
    try:
        if address.target.isdecimal():
            descriptor = int(address.target)
            os.fstat(descriptor)  # raises where it is not open
            if os.isatty(descriptor):
                raise InputError(f"{address.name}: is a terminal; send a video into it")
            return descriptor
        if address.patience is None:
            return os.open(address.target, os.O_RDONLY)
        descriptor = os.open(address.target, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(descriptor, True)
    except InputError:
        raise
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{address.name}: cannot be opened ({reason})") from error
    if select.select([descriptor], [], [], PIPE_PATIENCE)[0]:
        return descriptor
    os.close(descriptor)
    raise InputError(
        f"{address.name}: is a named pipe that nobody writes to; use"
        f" pipe:{address.target} to wait for a live stream"
    )


KINDS_BY_CONTENT = (
    (rb"\s*(\xef\xbb\xbf)?#EXTM3U", "an HLS playlist, which opens other files"),
    (rb"ffconcat version", "a concat script, which opens other files"),
    (rb"\s*v=0\s", "a session description (SDP), which opens network connections"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?<MPD", "a DASH playlist, which opens other files"),
    (rb"RIFF....WEBPVP8X[\s\S]{4}[\x02\x03\x12\x13\x22\x23\x32\x33]", "an animated WebP"),
    (rb"RIFF....WEBP", "a WebP picture"),
    (rb"\xff\xd8\xff", "a JPEG picture"),
    (rb"\x89PNG", "a PNG picture"),
    (rb"II\*\x00|MM\x00\*", "a TIFF picture"),
    (rb"BM[\s\S]{4}\x00{4}", "a BMP picture"),
)
"""How files that are not videos begin, and what to call them."""


def _refusal(address: SourceAddress, error: Exception) -> InputError:
    """What to tell the user when FFmpeg cannot open a source, or may not."""
    reason = getattr(error, "strerror", None) or str(error)
    if address.path is None:
        return InputError(
            f"{address.name}: cannot be opened ({reason}); check the address or device"
        )
    kind = next(
        (kind for head, kind in KINDS_BY_CONTENT if re.match(head, _head(address.path), re.DOTALL)),
        None,
    )
    if kind is None:
        return InputError(
            f"{address.name}: cannot be opened as a video ({reason}); it is not a video, or is"
            " damaged or cut short where its index should be"
        )
    if "opens" in kind:
        advice = "give the video itself, or allow playlists (--playlist, playlist=True)"
    elif "WebP" in kind:
        advice = "WebP cannot be read; save it as PNG or as a video"
    else:
        advice = "give the file its proper suffix"
    return InputError(f"{address.name}: cannot be opened as a video (it is {kind}); {advice}")


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(512)
    except OSError:
        return b""
