"""Writes masklet folders (layout in ``masklets``), one video after another, so that a crash keeps
the finished ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image

from sam2s.errors import InputError
from sam2s.masklets.catalogue import VideoInfo, read_catalogue
from sam2s.masklets.masks import write_binary_mask
from sam2s.masklets.staging import Staging, check_name


class StagedVideo:
    """Writes the frames of one video into ``folder``, which holds a folder for each of
    `staging.PARTS`.

    ``quality``: of the JPEGs, 1 to 95 (Pillow's scale). ``frames``: names of what was written.
    """

    def __init__(self, folder: Path, name: str, info: VideoInfo, quality: int) -> None:
        self.name, self.info = name, info
        self.frames: set[str] = set()
        self._folder, self._quality = folder, quality
        self._size: tuple[int, int] | None = None
        self._made: set[int] = set()

    def write(self, frame_name: str, image: np.ndarray, masks: Mapping[int, np.ndarray]) -> None:
        """Write one frame; arguments and errors as of `MaskletWriter.write`."""
        self._check(frame_name, image, masks)
        picture = self._folder / "JPEGImages" / f"{frame_name}.jpg"
        Image.fromarray(image).save(picture, quality=self._quality)
        for object_id, mask in masks.items():
            target = self._folder / "Annotations" / f"{object_id:03d}"
            if object_id not in self._made:
                target.mkdir(exist_ok=True)
                self._made.add(object_id)
            write_binary_mask(target / f"{frame_name}.png", mask)
        self.frames.add(frame_name)

    def _check(self, frame_name: str, image: np.ndarray, masks: Mapping[int, np.ndarray]) -> None:
        name, info = self.name, self.info
        check_name(frame_name)
        if frame_name in self.frames:
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


class MaskletWriter:
    """Context manager that writes videos frame by frame into ``root``.

    A video grows in a hidden folder; ``finish`` (or the next ``add_video``, or leaving the context)
    moves it to its place and then lists it in ``masklets.json``. When the context is left by an
    error the unfinished video is dropped. Opening an existing folder goes on with it: ``finished``
    names the videos it already lists. One writer per folder at a time: a second one is an
    InputError.

    ``quality``: of the JPEGs, 1 to 95 (Pillow's scale).
    """

    def __init__(self, root: Path | str, *, quality: int = 95) -> None:
        self.root = Path(root)
        self.staging: Staging | None = None
        self._quality = quality
        self._catalogue = read_catalogue(self.root) or {}
        self._video: StagedVideo | None = None

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
        self._list_video()
        check_name(name)
        if self.staging is None:
            self.staging = Staging(self.root, "writer", by_video=True)
            self._catalogue = self.staging.catalogue
        if name in self._catalogue:
            raise InputError(f"{self.root}: video '{name}' is already there and finished")
        self._video = StagedVideo(self.staging.claim(name), name, info, self._quality)

    def write(
        self, video: str, frame_name: str, image: np.ndarray, masks: Mapping[int, np.ndarray]
    ) -> None:
        """Write one frame of the open video.

        ``image``: (H, W, 3) uint8 RGB; ``masks``: {object id: (H, W) bool}, all False = absent; an
        id that is left out is not annotated on this frame. Raises InputError for another video, a
        frame written before, an id that the video's info does not list, or sizes that differ.
        """
        if self._video is None or self._video.name != video:
            raise InputError(f"{self.root}: video '{video}' is not open; call add_video first")
        self._video.write(frame_name, image, masks)

    def finish(self) -> None:
        """Move the open video to its final place, list it in ``masklets.json``, and leave the
        folder to others. Nothing to do when none is open."""
        try:
            self._list_video()
        finally:
            self.discard()

    def discard(self) -> None:
        """Drop the open video, and leave the folder to others."""
        if self.staging is None:
            return
        if self._video is not None:
            self.staging.drop(self._video.name)
            self._video = None
        self.staging.release(finished=True)
        self.staging = None

    def _list_video(self) -> None:
        if self._video is None or self.staging is None:
            return
        video = self._video
        if not video.frames:
            self.discard()
            raise InputError(f"{self.root}: video '{video.name}' has no frames")
        self.staging.adopt(video.name, video.info)
        self.staging.write_catalogue()
        self._video = None
