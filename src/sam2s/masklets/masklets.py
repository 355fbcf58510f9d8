"""Masklet folders: the project's one on-disk format for videos with labelled objects.

::

    JPEGImages/<video>/<frame>.jpg Annotations/<video>/<object id, 3 digits>/<frame>.png     binary;
    no file = not annotated, all zero = absent masklets.json    {"videos": {name: {"source",
    "procedure", "split", "fps",
                                        "objects": {id: {"class", "kind": "instrument" |
                                        "tissue"}}}}}

Folders of DAVIS, YouTube-VOS (``Annotations/<video>/<frame>.png``, pixel = id) and SA-V are read as
well; they need no ``masklets.json``. Reading needs Pillow and NumPy only.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from sam2s.errors import InputError
from sam2s.masklets.annotations import Annotations, open_annotations
from sam2s.masklets.catalogue import (
    CATALOGUE,
    ObjectInfo,
    VideoInfo,
    read_finished_catalogue,
)
from sam2s.masklets.masklet_writer import MaskletWriter
from sam2s.media.pictures import list_pictures, natural_key, read_rgb, read_size

__all__ = [
    "MaskletFolder",
    "MaskletVideo",
    "MaskletWriter",
    "ObjectInfo",
    "VideoInfo",
    "open_masklets",
]

IMAGE_FOLDERS = ("JPEGImages", "JPEGImages_24fps")
"""Names of the picture folder: DAVIS, YouTube-VOS and ours; SA-V."""
MASK_FOLDERS = ("Annotations", "Annotations_6fps")
RESOLUTIONS = ("480p", "Full-Resolution")
"""DAVIS 2017 puts one more level between the folder and its videos."""


class MaskletVideo:
    """One labelled video. Nothing is read before it is asked for; pictures and masks are not kept.

    ``name``; ``info``: what the catalogue says, or, without one, the ids that were found;
    ``frame_names``: in natural order, so a frame's index is its place in that order.
    """

    def __init__(self, name: str, images: Path, masks: Path, info: VideoInfo | None) -> None:
        self.name = name
        self._images = images
        self._masks = masks
        self._info = info

    def __repr__(self) -> str:
        return f"MaskletVideo({self.name!r}, {self._images})"

    def __len__(self) -> int:
        return len(self.frame_names)

    def relabelled(self, name: str, source: str) -> MaskletVideo:
        """The same video under another name, and from ``source`` where its own info names none."""
        return MaskletVideo(
            name, self._images, self._masks, replace(self.info, source=self.info.source or source)
        )

    @property
    def images(self) -> Path:
        """The folder of its pictures."""
        return self._images

    @cached_property
    def info(self) -> VideoInfo:
        """The catalogue's entry; without one, the ids found in the masks, with no class or kind
        known."""
        if self._info is not None:
            return self._info
        return VideoInfo(objects={object_id: ObjectInfo() for object_id in self._annotations.ids()})

    @cached_property
    def frame_names(self) -> list[str]:
        """The stems of the pictures in natural order. Raises InputError when the folder of pictures
        is missing or empty."""
        return [path.stem for path in self._pictures]

    @cached_property
    def size(self) -> tuple[int, int]:
        """(H, W) of the video, from its first picture; the others must agree."""
        return read_size(self._pictures[0])

    def image(self, index: int) -> np.ndarray:
        """Frame ``index`` as (H, W, 3) uint8 RGB. Raises InputError when it is damaged or of
        another size."""
        image = read_rgb(self._pictures[index])
        return self._checked(image, self._pictures[index])

    def mask(self, object_id: int, index: int) -> np.ndarray | None:
        """(H, W) bool, all False where the object is absent; None where the frame is not annotated
        for it.

        Raises InputError for an unknown id, a damaged file, or a mask that is not of the picture's
        size.
        """
        self._require(object_id)
        frame = self.frame_names[index]
        mask = self._annotations.read(object_id, frame)
        return (
            None if mask is None else self._checked(mask, self._masks / f"{object_id:03d}" / frame)
        )

    def annotated(self, object_id: int) -> list[int]:
        """Indices of the frames annotated for the object, ascending. Raises InputError for an
        unknown id."""
        self._require(object_id)
        frames = self._annotations.frames(object_id)
        missing = [frame for frame in frames if frame not in self._index]
        if missing:
            raise InputError(
                f"{self._masks}: object {object_id} has a mask '{missing[0]}' ({len(missing)} in"
                f" all) without a picture of that name in {self._images}"
            )
        return sorted(self._index[frame] for frame in frames)

    @cached_property
    def _pictures(self) -> list[Path]:
        if not self._images.is_dir():
            raise InputError(
                f"{self._images}: no such folder of pictures; {CATALOGUE} or the masks name this"
                " video"
            )
        pictures = list_pictures(self._images)
        if not pictures:
            raise InputError(f"{self._images}: no pictures (jpg, png, tif, bmp) in this folder")
        return pictures

    @cached_property
    def _index(self) -> dict[str, int]:
        index = {name: i for i, name in enumerate(self.frame_names)}
        if len(index) < len(self.frame_names):
            twice = next(name for i, name in enumerate(self.frame_names) if index[name] != i)
            raise InputError(
                f"{self._images}: two pictures are named '{twice}', with different suffixes;"
                " keep one"
            )
        return index

    @cached_property
    def _annotations(self) -> Annotations:
        declared = None if self._info is None else self._info.objects
        annotations = open_annotations(self._masks, declared)
        unknown = sorted(set(annotations.ids()) - set(declared)) if declared is not None else []
        if unknown:
            raise InputError(
                f"{self._masks}: holds masks of objects {unknown}, which {CATALOGUE} does not list"
            )
        return annotations

    def _require(self, object_id: int) -> None:
        if object_id not in self.info.objects:
            raise InputError(
                f"{self.name}: no object {object_id}; it has {sorted(self.info.objects)}"
            )

    def _checked(self, pixels: np.ndarray, path: Path) -> np.ndarray:
        if pixels.shape[:2] != self.size:
            got, want = pixels.shape[:2], self.size
            raise InputError(
                f"{path}: is {got[1]} x {got[0]} pixels, the video's first picture {want[1]} x"
                f" {want[0]}"
            )
        return pixels


class MaskletFolder:
    """A folder of labelled videos. ``videos``: {name: MaskletVideo}, in the catalogue's order, else
    natural order."""

    def __init__(self, root: Path, videos: dict[str, MaskletVideo]) -> None:
        self.root = root
        self.videos = videos

    def __repr__(self) -> str:
        return f"MaskletFolder({self.root}, {len(self.videos)} videos)"

    def __len__(self) -> int:
        return len(self.videos)


def open_masklets(root: Path | str) -> MaskletFolder:
    """Open a masklet, DAVIS, YouTube-VOS or SA-V folder; only names are read now.

    With a ``masklets.json`` its videos are the folder's videos (others are unfinished or not
    meant); without one, every folder below ``Annotations`` is a video. Raises InputError when the
    folder, one of its two parts, or a video that the catalogue lists is missing, when it holds no
    video, and when the folder is not finished.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    catalogue = read_finished_catalogue(root)
    images, masks = _part(root, IMAGE_FOLDERS), _part(root, MASK_FOLDERS)
    present = {p.name for p in masks.iterdir() if p.is_dir() and not p.name.startswith(".")}
    if catalogue is None:
        infos: dict[str, VideoInfo | None] = dict.fromkeys(sorted(present, key=natural_key))
    else:
        infos = dict(catalogue)
        missing = [name for name in infos if name not in present or not (images / name).is_dir()]
        if missing:
            raise InputError(
                f"{root / CATALOGUE}: lists video '{missing[0]}' ({len(missing)} such), but"
                f" {images / missing[0]} or {masks / missing[0]} is missing"
            )
    if not infos:
        raise InputError(f"{masks}: no videos; expected one folder per video in it")
    return MaskletFolder(
        root, {name: MaskletVideo(name, images / name, masks / name, infos[name]) for name in infos}
    )


def _part(root: Path, names: tuple[str, ...]) -> Path:
    """The folder of pictures or of masks inside ``root``."""
    for name in names:
        if (root / name).is_dir():
            deeper = [root / name / resolution for resolution in RESOLUTIONS]
            return next((path for path in deeper if path.is_dir()), root / name)
    raise InputError(f"{root}: expected a folder named {' or '.join(names)} in it")
