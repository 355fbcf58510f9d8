"""Folders of masks alone, as trackers write them and data sets ship them: no pictures needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sam2s.errors import InputError
from sam2s.masklets.annotations import Annotations, open_annotations
from sam2s.masklets.catalogue import ObjectInfo, VideoInfo, read_finished_catalogue
from sam2s.masklets.masklets import MASK_FOLDERS, RESOLUTIONS
from sam2s.media.pictures import natural_key


@dataclass(frozen=True, slots=True)
class VideoMasks:
    """One video's masks. ``info``: what the catalogue says, or nothing."""

    name: str
    masks: Annotations
    info: VideoInfo = field(default_factory=VideoInfo)

    @property
    def objects(self) -> Mapping[int, ObjectInfo]:
        """{object id: what is known of it}, ascending."""
        return {
            i: self.info.objects.get(i, ObjectInfo())
            for i in sorted({*self.info.objects, *self.masks.ids()})
        }


def open_mask_folder(root: Path | str) -> dict[str, VideoMasks]:
    """{video: its masks} from a masklet, DAVIS, YouTube-VOS or SA-V folder, from its folder of
    annotations, or from the masks of a single video, which is then called after the folder. Raises
    InputError when there are no masks.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder")
    catalogue = read_finished_catalogue(root)
    folder = _annotations_of(root)
    # Below a folder of annotations lie videos, even if they are named by numbers as objects are.
    if folder.name not in (*MASK_FOLDERS, *RESOLUTIONS) and _is_video(folder):
        return {root.name: VideoMasks(root.name, open_annotations(folder))}
    if catalogue is None:
        found = (
            p.name
            for p in folder.iterdir()
            if p.is_dir() and not p.name.startswith(".") and _is_video(p)
        )
        catalogue = {name: VideoInfo() for name in sorted(found, key=natural_key)}
    if not catalogue:
        raise InputError(
            f"{folder}: no masks; expected <video>/<object id>/<frame>.png or <video>/<frame>.png"
            " in it"
        )
    return {
        name: VideoMasks(name, open_annotations(folder / name, info.objects or None), info)
        for name, info in catalogue.items()
    }


def _annotations_of(root: Path) -> Path:
    for name in MASK_FOLDERS:
        if (root / name).is_dir():
            return next(
                (deep for r in RESOLUTIONS if (deep := root / name / r).is_dir()), root / name
            )
    return root


def _is_video(folder: Path) -> bool:
    """Whether the folder holds masks: PNG files, or folders of them named by an object's number."""
    entries = [p for p in folder.iterdir() if not p.name.startswith(".")]
    if any(p.is_file() and p.suffix.lower() == ".png" for p in entries):
        return True
    numbered = [p for p in entries if p.is_dir() and p.name.isdecimal()]
    return any(
        any(q.is_file() and q.suffix.lower() == ".png" for q in p.iterdir()) for p in numbered
    )
