"""Is this file the one that was annotated? Told from its size and samples of its content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sam2s.errors import InputError
from sam2s.media.pictures import list_pictures

SAMPLES, SAMPLE = 64, 2**16
"""How many places of a file are read, evenly spread from its first byte to its last, and how many
bytes at each: hours of video are recognised in milliseconds. Files of up to 4 MiB are read whole.
What lies between the samples may change unseen."""


def fingerprint(path: Path) -> str:
    """SHA-256 of the content of a video, or of the pictures of a folder with their names.

    Raises ``InputError`` when it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        files = list_pictures(path) if path.is_dir() else [path]
        for file in files:
            if path.is_dir():
                digest.update(file.name.encode("utf-8", "surrogateescape") + b"\0")
            _add(digest, file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    return digest.hexdigest()


def _add(digest: hashlib._Hash, file: Path) -> None:
    size = file.stat().st_size
    digest.update(size.to_bytes(8, "big"))
    with file.open("rb") as opened:
        if size <= SAMPLES * SAMPLE:
            digest.update(opened.read())
            return
        for k in range(SAMPLES):
            opened.seek((size - SAMPLE) * k // (SAMPLES - 1))
            digest.update(opened.read(SAMPLE))
