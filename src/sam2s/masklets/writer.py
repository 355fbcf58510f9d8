"""Writes masklet folders (layout in ``masklets``), one video after another, so that a crash keeps
the finished ones."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from sam2s.errors import InputError
from sam2s.masklets.catalogue import CATALOGUE, VideoInfo, info_to_json, read_catalogue
from sam2s.masklets.masks import write_binary_mask


class MaskletWriter:
    """Context manager that writes videos frame by frame into ``root``.

    A video grows in a hidden folder; ``finish`` (or the next ``add_video``, or leaving the context)
    moves it to its place and then lists it in ``masklets.json``. When the context is left by an
    error the unfinished video is dropped. Opening an existing folder goes on with it: ``finished``
    names the videos it already lists. One writer per folder at a time.

    ``quality``: of the JPEGs, 1 to 95 (Pillow's scale).
    """

    def __init__(self, root: Path | str, *, quality: int = 95) -> None:
        self.root = Path(root)
        self._quality = quality
        self._catalogue: dict[str, VideoInfo] = read_catalogue(self.root) or {}
        self._open: tuple[str, VideoInfo] | None = None
        self._frames: set[str] = set()
        self._size: tuple[int, int] | None = None
        self._folders: set[Path] = set()

    @property
    def finished(self) -> frozenset[str]:
        """Names of the videos that ``masklets.json`` lists; they need not be made again."""
        return frozenset(self._catalogue)

    def __enter__(self) -> MaskletWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()

    def add_video(self, name: str, info: VideoInfo) -> None:
        """Finish the video before, begin the next. Raises InputError when ``name`` is taken or
        cannot be a folder."""
        self.finish()
        _check_name(name)
        if name in self._catalogue:
            raise InputError(f"{self.root}: video '{name}' is already there and finished")
        self._clear_leftovers(name)
        for part in ("JPEGImages", "Annotations"):
            (self._hidden(name) / part).mkdir(parents=True)
        self._open = name, info
        self._frames, self._folders, self._size = set(), set(), None

    def write(
        self, video: str, frame_name: str, image: np.ndarray, masks: Mapping[int, np.ndarray]
    ) -> None:
        """Write one frame of the open video.

        ``image``: (H, W, 3) uint8 RGB; ``masks``: {object id: (H, W) bool}, all False = absent; an
        id that is left out is not annotated on this frame. Raises InputError for another video, a
        frame written before, an id that the video's info does not list, or sizes that differ.
        """
        if self._open is None or self._open[0] != video:
            raise InputError(f"{self.root}: video '{video}' is not open; call add_video first")
        self._check_frame(frame_name, image, masks)
        folder = self._hidden(video)
        Image.fromarray(image).save(
            folder / "JPEGImages" / f"{frame_name}.jpg", quality=self._quality
        )
        for object_id, mask in masks.items():
            target = folder / "Annotations" / f"{object_id:03d}"
            if target not in self._folders:
                target.mkdir(exist_ok=True)
                self._folders.add(target)
            write_binary_mask(target / f"{frame_name}.png", mask)
        self._frames.add(frame_name)

    def finish(self) -> None:
        """Move the open video to its final place and list it in ``masklets.json``. Nothing to do
        when none is open."""
        if self._open is None:
            return
        name, info = self._open
        if not self._frames:
            self.discard()
            raise InputError(f"{self.root}: video '{name}' has no frames")
        hidden = self._hidden(name)
        for part in ("JPEGImages", "Annotations"):
            (self.root / part).mkdir(exist_ok=True)
            os.replace(hidden / part, self.root / part / name)
        self._catalogue[name] = info
        self._write_catalogue()
        hidden.rmdir()
        self._open = None

    def discard(self) -> None:
        """Drop the open video."""
        if self._open is not None:
            shutil.rmtree(self._hidden(self._open[0]), ignore_errors=True)
            self._open = None

    def _hidden(self, name: str) -> Path:
        return self.root / f".{name}.part"

    def _clear_leftovers(self, name: str) -> None:
        """Remove what a crash left of this video: its hidden folder says that the rest is ours
        too."""
        final = [self.root / part / name for part in ("JPEGImages", "Annotations")]
        hidden = self._hidden(name)
        taken = [path for path in final if path.exists()]
        if taken and not hidden.exists():
            raise InputError(
                f"{taken[0]}: is there already, but {CATALOGUE} does not list it; move it away"
                " first"
            )
        for path in (*taken, hidden):
            if path.exists():
                shutil.rmtree(path)

    def _check_frame(
        self, frame_name: str, image: np.ndarray, masks: Mapping[int, np.ndarray]
    ) -> None:
        assert self._open is not None
        name, info = self._open
        _check_name(frame_name)
        if frame_name in self._frames:
            raise InputError(f"{name}: frame '{frame_name}' was written before")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(
                f"{name}, frame {frame_name}: expected an (H, W, 3) uint8 picture, got"
                f" {image.shape}"
            )
        self._size = self._size or image.shape[:2]
        if image.shape[:2] != self._size:
            raise InputError(
                f"{name}, frame {frame_name}: is {image.shape[:2]}, the frames before {self._size}"
            )
        for object_id, mask in masks.items():
            if object_id not in info.objects:
                raise InputError(
                    f"{name}: object {object_id} is not in the video's info"
                    f" ({sorted(info.objects)})"
                )
            if mask.shape != self._size:
                raise InputError(
                    f"{name}, frame {frame_name}: mask of {object_id} is {mask.shape}, not"
                    f" {self._size}"
                )

    def _write_catalogue(self) -> None:
        text = json.dumps(
            {"videos": {name: info_to_json(info) for name, info in self._catalogue.items()}},
            indent=1,
        )
        temporary = self.root / f".{CATALOGUE}.part"
        temporary.write_text(text + "\n", encoding="utf-8")
        os.replace(temporary, self.root / CATALOGUE)


def _check_name(name: str) -> None:
    if (
        not name
        or name.startswith(".")
        or any(c in name for c in '/\\\0<>:"|?*')
        or name != name.strip()
    ):
        raise InputError(
            f"'{name}': cannot name a video or frame; use letters, digits, '-' and '_'"
        )
