"""What the name of a source stands for: a file or folder, an address, a device, a pipe."""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sam2s.errors import InputError
from sam2s.media.pictures import PICTURE_SUFFIXES
from sam2s.media.regular import regular_size

DEVICE_FORMATS = (
    "v4l2",
    "avfoundation",
    "dshow",
    "x11grab",
    "gdigrab",
    "decklink",
    "fbdev",
    "lavfi",
)
"""FFmpeg input devices that may be named as ``format:name``, for example ``v4l2:/dev/video0``."""
NETWORK_PROTOCOLS = (
    "http,https,httpproxy,tls,tcp,udp,udplite,rtp,srtp,rtsp,rtsps,rtmp,rtmps,rtmpt,rtmpts,rtmpe,"
    "srt,rist,mms,mmsh,mmst,ftp,sftp,crypto,data"
)
"""FFmpeg's names of the protocols that reach no file of this machine."""
SCHEMES = frozenset(NETWORK_PROTOCOLS.split(",")) - {"httpproxy", "crypto", "data"}
"""What an address may begin with; ``file://`` is a file."""
SILENCE = 30.0
"""Seconds that a named pipe, given without ``pipe:``, may be silent."""
VIDEO4LINUX = 81
"""Major number of cameras among Linux's character devices."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """Where a video is read from.

    ``target``: what FFmpeg is told to open; ``name``: fit for messages and reports, without folder,
    user, password and query; ``path``: of a file; ``device``: FFmpeg's input format of a device;
    ``patience``: seconds to wait for each piece of a live stream, None = as long as it takes.
    """

    kind: Literal["file", "url", "device", "pipe"]
    target: str
    name: str
    path: Path | None = None
    device: str | None = None
    patience: float | None = None


def address_of(source: str) -> SourceAddress | Path:
    """Tell devices, addresses, pipes, files and folders apart; a Path is an existing folder or
    regular file.

    Raises InputError where nothing is there, or something that is none of these.
    """
    device, _, name = source.partition(":")
    if device in DEVICE_FORMATS and name:
        return SourceAddress("device", name, name, device=device)
    if source == "-":
        return SourceAddress("pipe", "0", "stdin")
    if device == "pipe" and name:
        return SourceAddress("pipe", name, name)
    scheme = _SCHEME.match(source)
    if scheme is None or scheme[1].lower() == "file":
        return _local(source if scheme is None else source[scheme.end() :])
    if scheme[1].lower() not in SCHEMES:
        raise InputError(
            f"{scheme[1]}://: not an address that can be read; expected one of"
            f" {', '.join(sorted(SCHEMES))}, or the name of a file"
        )
    return SourceAddress("url", source, re.sub(r"//[^/@]*@", "//", source.split("?")[0]))


def names_a_file(source: str) -> bool:
    """Whether ``source`` is the name of a file or folder, there or not, rather than a device, a
    pipe or an address (``file://`` is one)."""
    kind, _, name = source.partition(":")
    live = source == "-" or (bool(name) and kind in (*DEVICE_FORMATS, "pipe"))
    return not live and _SCHEME.match(source) is None


def camera(index: int) -> str:
    """The name of a camera that is given by its number, as other libraries count them.

    Raises InputError where there is none, or cameras have no numbers.
    """
    if sys.platform == "darwin":
        return f"avfoundation:{index}"
    if sys.platform == "win32":
        raise InputError(
            f"camera {index}: cameras have names here, such as dshow:video=NAME"
            " (ffmpeg -list_devices true -f dshow -i dummy lists them)"
        )
    if not os.path.exists(f"/dev/video{index}"):
        there = sorted(name for name in os.listdir("/dev") if re.fullmatch(r"video\d+", name))
        raise InputError(
            f"camera {index}: there is no v4l2:/dev/video{index}"
            f" ({'cameras: ' + ', '.join(there) if there else 'this machine has no camera'})"
        )
    return f"v4l2:/dev/video{index}"


def _local(source: str) -> SourceAddress | Path:
    path = Path(source)
    try:
        state = path.stat() if source else None
    except (OSError, ValueError):
        state = None  # also a name that is too long, or holds a NUL
    if state is None:
        shown = source if len(source) <= 200 else f"{source[:200]}..."
        raise InputError(f"{shown or '(empty)'}: no such file or folder")
    if stat.S_ISFIFO(state.st_mode) and path.suffix.lower() not in PICTURE_SUFFIXES:
        return SourceAddress("pipe", source, path.name, patience=SILENCE)
    if stat.S_ISCHR(state.st_mode) and os.major(state.st_rdev) == VIDEO4LINUX:
        return SourceAddress("device", source, source, device="v4l2")
    if not stat.S_ISDIR(state.st_mode) and regular_size(path) == 0:
        raise InputError(f"{path}: cannot be opened as a video or picture (it is empty)")
    return path
