"""Writes converted videos: like ``MaskletWriter``, but pictures may be linked or copied and
identities come late.

Besides ``masklets.json`` it keeps ``sources.json`` (`sam2s.masklets.provenance`), which readers of
masklets do not need. Both are written every few seconds and at the end.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from sam2s.errors import InputError
from sam2s.files import json_text, replace_text
from sam2s.masklets.catalogue import UNFINISHED, VideoInfo, read_catalogue
from sam2s.masklets.png_bits import encode_bits
from sam2s.masklets.provenance import SOURCES, SourceSettings, VideoOrigin, read_provenance
from sam2s.masklets.staging import Staging, check_name
from sam2s.media.background import Background

FLUSH_SECONDS = 5.0


class ConvertedFolder:
    """The two catalogues of a folder under conversion.

    ``title``: of the source; ``settings``: how it is converted. Raises InputError when
    ``sources.json`` says that the settings of this source were others before.
    """

    def __init__(self, root: Path, title: str, settings: SourceSettings) -> None:
        self.root = root
        self._title, self._settings = title, settings
        self._flushed = time.monotonic()
        self._dirty = False
        self._staging: Staging | None = None
        self._infos = read_catalogue(root) or {}
        self._load_provenance()

    def _load_provenance(self) -> None:
        provenance = read_provenance(self.root)
        self._videos = {n: json_text(asdict(v)) for n, v in provenance.videos.items()}
        self._sources = dict(provenance.sources)
        before = self._sources.get(self._title)
        for key in ("reader", "frames", "options"):
            there, now = getattr(before, key, None), getattr(self._settings, key)
            if before is not None and there != now:
                raise InputError(
                    f"{self.root}: {self._title} was converted there with {key}={there!r}, now it"
                    f" is {now!r}; use another folder, or the same settings to go on"
                )
        self._empty = [] if before is None else list(before.without_objects)

    def done(self, name: str) -> bool:
        """Whether the video needs no work: it is listed, or known to hold no object."""
        return name in self._infos or name in self._empty

    def marked(self) -> bool:
        """Whether a conversion is under way, or was broken off."""
        return (self.root / UNFINISHED).exists()

    def begin(self) -> None:
        """Mark the folder as under conversion. Raises InputError when another process builds in
        it."""
        self._staging = Staging(self.root, "conversion")
        # Whatever another conversion listed between the first look and the lock.
        self._infos = self._staging.catalogue
        self._load_provenance()

    def claim(self, name: str) -> Path:
        """An empty hidden folder for the video, after what a crash left of it is removed."""
        return self._at_work.claim(name)

    def add(self, name: str, info: VideoInfo, origin: VideoOrigin) -> None:
        """Move the finished video from its hidden folder to its place and list it."""
        self._at_work.adopt(name, info)
        self._videos[name] = json_text(asdict(origin))
        self._touch()

    def drop(self, name: str, *, empty: bool) -> None:
        """Remove the hidden folder of a video. ``empty``: it holds no object and need not be tried
        again."""
        self._at_work.drop(name)
        if empty:
            self._empty.append(name)
            self._touch()

    def end(self, *, complete: bool) -> None:
        """Write what is new; ``complete`` takes the marker away."""
        try:
            if self._dirty:
                self._flush()
        except BaseException:
            complete = False
            raise
        finally:
            self._at_work.release(finished=complete)
            self._staging = None

    @property
    def _at_work(self) -> Staging:
        assert self._staging is not None, "begin was called"
        return self._staging

    def _touch(self) -> None:
        self._dirty = True
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flush()

    def _flush(self) -> None:
        settings = replace(self._settings, without_objects=tuple(self._empty))
        self._sources[self._title] = settings
        sources = {title: asdict(source) for title, source in self._sources.items()}
        lines = ",\n".join(f"  {json_text(name)}: {text}" for name, text in self._videos.items())
        # Provenance first: whatever masklets.json lists is then described.
        replace_text(
            self.root / SOURCES,
            f'{{"sources": {json_text(sources, indent=1)},\n "videos": {{\n{lines}\n }}}}\n',
        )
        self._at_work.write_catalogue()
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
        check_name(name)
        return self.folder / "JPEGImages" / f"{name}{suffix.lower()}"

    def add(
        self,
        name: str,
        size: tuple[int, int],
        masks: Mapping[int, bytes],
        others: Literal["absent", "unknown"] = "absent",
    ) -> None:
        """The masks (PNGs) of the frame ``name``, whose picture is there already; ``others``: what
        objects are that have none, absent or not annotated on it."""
        if others == "absent":
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
        left = memoryview(content)
        while left:  # a nearly full disk takes a part, and says so only when asked for the rest
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)
