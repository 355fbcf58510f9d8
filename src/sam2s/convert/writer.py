"""Writes converted videos: like ``MaskletWriter``, but pictures may be linked or copied and
identities come late.

Besides ``masklets.json`` it keeps ``sources.json``, which readers of masklets do not need::

    {"sources": {title: {"reader", "frames", "options", "licence", "get", "without_objects":
    [video]}},
     "videos": {name: {"source", "recording", "ids": "source" | "derived", "labelled": [class],
                       "frames": {frame: {"source_frame", "time_s"}}}}}

Both are written every few seconds and at the end. A hidden marker says that a conversion is under
way, so that what a crash left behind is known to be ours.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from sam2s.errors import InputError
from sam2s.masklets.catalogue import CATALOGUE, VideoInfo, info_to_json, read_catalogue
from sam2s.masklets.png_bits import encode_bits
from sam2s.masklets.provenance import SOURCES, read_provenance
from sam2s.media.background import Background

try:
    import fcntl
except (
    ImportError
):  # no file locks of this kind on Windows: there, two conversions into one folder are not noticed
    fcntl = None  # type: ignore[assignment]

MARKER = ".converting"
PARTS = ("JPEGImages", "Annotations")
FLUSH_SECONDS = 5.0


class ConvertedFolder:
    """The two catalogues of a folder under conversion.

    Raises InputError when ``sources.json`` says that ``settings`` of this source were others
    before.
    """

    def __init__(self, root: Path, title: str, settings: Mapping[str, Any]) -> None:
        self.root = root
        self._title, self._settings = title, settings
        self._flushed = time.monotonic()
        self._dirty = self._resumed = False
        self._lock: IO[str] | None = None
        self._load()

    def _load(self) -> None:
        self._infos = read_catalogue(self.root) or {}
        provenance = read_provenance(self.root)
        self._videos = {name: json.dumps(entry) for name, entry in provenance["videos"].items()}
        self._sources = provenance["sources"]
        before = self._sources.get(self._title, {})
        for key in ("reader", "frames", "options"):
            if before and before.get(key) != self._settings[key]:
                raise InputError(
                    f"{self.root}: {self._title} was converted there with"
                    f" {key}={before.get(key)!r}, now it is {self._settings[key]!r}; use another"
                    " folder, or the same settings to go on"
                )
        self._empty: list[str] = list(before.get("without_objects", []))
        self._sources[self._title] = {**self._settings, "without_objects": self._empty}

    def done(self, name: str) -> bool:
        """Whether the video needs no work: it is listed, or known to hold no object."""
        return name in self._infos or name in self._empty

    def marked(self) -> bool:
        """Whether a conversion is under way, or was broken off."""
        return (self.root / MARKER).exists()

    def begin(self) -> None:
        """Mark the folder as under conversion. Raises InputError when another process converts into
        it."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._resumed = self.marked()
        self._lock = (self.root / MARKER).open("w")
        if fcntl is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self._lock.close()
                raise InputError(
                    f"{self.root}: another conversion is writing there; wait for it, or use another"
                    " folder"
                ) from None
        # Whatever another conversion listed between the first look and the lock.
        self._load()

    def claim(self, name: str) -> Path:
        """An empty hidden folder for the video, after what a crash left of it is removed."""
        hidden = self.root / f".{name}.part"
        taken = [path for path in (self.root / part / name for part in PARTS) if path.exists()]
        if taken and not self._resumed:
            raise InputError(
                f"{taken[0]}: is there already, but {CATALOGUE} does not list it; move it away"
                " first"
            )
        for path in (*taken, hidden):
            if path.exists():
                shutil.rmtree(path)
        for part in PARTS:
            (hidden / part).mkdir(parents=True)
        return hidden

    def add(self, name: str, info: VideoInfo, provenance: Mapping[str, Any]) -> None:
        """Move the finished video from its hidden folder to its place and list it."""
        hidden = self.root / f".{name}.part"
        for part in PARTS:
            (self.root / part).mkdir(exist_ok=True)
            os.replace(hidden / part, self.root / part / name)
        hidden.rmdir()
        self._infos[name] = info
        self._videos[name] = json.dumps(provenance)
        self._touch()

    def drop(self, name: str, *, empty: bool) -> None:
        """Remove the hidden folder of a video. ``empty``: it holds no object and need not be tried
        again."""
        shutil.rmtree(self.root / f".{name}.part", ignore_errors=True)
        if empty:
            self._empty.append(name)
            self._touch()

    def end(self, *, complete: bool) -> None:
        """Write what is new; ``complete`` takes the marker away."""
        if self._dirty:
            self._flush()
        if complete:
            (self.root / MARKER).unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _touch(self) -> None:
        self._dirty = True
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    def _flush(self) -> None:
        lines = ",\n".join(f"  {json.dumps(name)}: {text}" for name, text in self._videos.items())
        sources = json.dumps(self._sources, indent=1)
        # Provenance first: whatever masklets.json lists is then described.
        _write_text(
            self.root / SOURCES, f'{{"sources": {sources},\n "videos": {{\n{lines}\n }}}}\n'
        )
        catalogue = {"videos": {name: info_to_json(info) for name, info in self._infos.items()}}
        _write_text(self.root / CATALOGUE, json.dumps(catalogue, indent=1) + "\n")
        self._dirty, self._flushed = False, time.monotonic()


class VideoFolder:
    """One video in its hidden folder: pictures, masks, and at the end the all-zero masks of absent
    objects.

    Copies and masks are written in the background; they are complete when ``background`` is left.
    """

    def __init__(self, folder: Path, background: Background) -> None:
        self.folder = folder
        self._background = background
        self._names: list[str] = []
        self._written: dict[int, set[str]] = {}
        self._size = (0, 0)

    def link(self, name: str, picture: Path) -> None:
        """The picture as a symbolic link."""
        self._target(name, picture.suffix).symlink_to(picture.resolve())

    def copy(self, name: str, picture: Path) -> None:
        """The picture byte for byte."""
        self._background.run(shutil.copyfile, picture, self._target(name, picture.suffix))

    def encode(self, name: str, pixels: np.ndarray, quality: int = 95) -> Path:
        """(H, W, 3) uint8 as a JPEG, which is there at once."""
        target = self._target(name, ".jpg")
        Image.fromarray(pixels).save(target, quality=quality)
        return target

    def _target(self, name: str, suffix: str) -> Path:
        return self.folder / "JPEGImages" / f"{name}{suffix.lower()}"

    def add(self, name: str, size: tuple[int, int], masks: Mapping[int, bytes]) -> None:
        """The masks (PNGs) of the frame ``name``, whose picture is there already; objects left out
        are absent on it."""
        self._names.append(name)
        self._size = size
        for object_id in masks:
            if object_id not in self._written:
                (self.folder / "Annotations" / f"{object_id:03d}").mkdir()
                self._written[object_id] = set()
            self._written[object_id].add(name)
        if masks:
            self._background.run(_write_masks, self.folder / "Annotations", f"{name}.png", masks)

    def fill(self) -> None:
        """Write the all-zero masks: every object on every frame on which it was not seen."""
        content = encode_bits(np.zeros(self._size, dtype=bool))
        for object_id, there in self._written.items():
            folder = self.folder / "Annotations" / f"{object_id:03d}"
            for name in self._names:
                if name not in there:
                    _write_bytes(f"{folder}/{name}.png", content)


def _write_masks(folder: Path, name: str, masks: Mapping[int, bytes]) -> None:
    for object_id, content in masks.items():
        _write_bytes(f"{folder}/{object_id:03d}/{name}", content)


def _write_bytes(path: str, content: bytes) -> None:
    """Three system calls: buffered files cost more than the masks in them."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
