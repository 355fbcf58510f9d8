"""The masks of one video on disk, in either of the field's two layouts.

SA-V: one folder per object, ``<object id>/<frame>.png``, binary; objects may overlap; a frame
without a file is not annotated for that object. DAVIS / YouTube-VOS: ``<frame>.png`` whose pixel
values are object ids, so a file annotates every object. ``open_annotations`` tells them apart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from sam2s.errors import InputError
from sam2s.masklets.masks import VOID, is_black_and_white, read_binary_mask, read_index_mask
from sam2s.media.pictures import OTHER_PICTURES, PICTURE_SUFFIXES, by_stem, natural_key


class Annotations(Protocol):
    """Masks of one video, addressed by object id and frame name (a file's stem)."""

    def ids(self) -> list[int]:
        """Ids that have at least one file (SA-V) or pixel (DAVIS), ascending."""

    def frames(self, object_id: int) -> list[str]:
        """Names of the frames annotated for the object, in natural order; an id it does not hold
        has none."""

    def read(self, object_id: int, frame: str) -> np.ndarray | None:
        """(H, W) bool, all False where the object is absent; None where the frame is not annotated
        for it."""

    def notes(self) -> list[str]:
        """What else the folder holds besides masks of objects, one sentence each."""


class ObjectFolders:
    """SA-V layout: ``folder/<id>/<frame>.png``, the object is what each picture shows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _folders(self) -> dict[int, Path]:
        named = [p for p in self.folder.iterdir() if p.is_dir() and p.name.isdecimal()]
        folders = {int(p.name): p for p in sorted(named, key=lambda path: int(path.name))}
        if len(folders) < len(named):
            raise InputError(
                f"{self.folder}: two folders name the same object id (such as 1 and 001); keep one"
            )
        return folders

    @cached_property
    def _files(self) -> dict[int, dict[str, Path]]:
        return {object_id: _png_files(folder) for object_id, folder in self._folders.items()}

    def ids(self) -> list[int]:
        """The numbers that name a folder, ascending. Raises InputError when two folders name one
        number."""
        return list(self._folders)

    def frames(self, object_id: int) -> list[str]:
        """The stems of the object's files in natural order; none for an unknown id."""
        return list(self._files.get(object_id, ()))

    def read(self, object_id: int, frame: str) -> np.ndarray | None:
        """(H, W) bool, True where the picture shows the object; None where the object has no file
        for this frame."""
        path = self._files.get(object_id, {}).get(frame)
        return None if path is None else read_binary_mask(path)

    def notes(self) -> list[str]:
        """Folders not named by a number, and pictures beside the masks that are not PNG."""
        strange = [p.name for p in self.folder.iterdir() if p.is_dir() and not p.name.isdecimal()]
        numbers = "are not named by an object's number and were left out"
        return [
            *_some(sorted(n for n in strange if not n.startswith(".")), "folders", numbers),
            *(note for folder in self._folders.values() for note in _other_files(folder)),
        ]


class PaletteFolder:
    """DAVIS layout: ``folder/<frame>.png``, a pixel's value is its object id, 0 is background.

    ``declared``: ids of a catalogue, which saves reading every file to find them. Value 255 is void
    unless declared. Folders that only hold 0 and 255 in grey, and perhaps soft edges between them
    (DAVIS 2016, hand-made masks), are one object, id 1.
    """

    def __init__(self, folder: Path, declared: Collection[int] | None = None) -> None:
        self.folder = folder
        self._declared = None if declared is None else sorted(declared)
        self._latest: tuple[str, np.ndarray] | None = None

    @cached_property
    def _files(self) -> dict[str, Path]:
        return _png_files(self.folder)

    @cached_property
    def _scan(self) -> tuple[list[int], bool]:
        """The ids, and whether the folder holds black-and-white masks of one object."""
        values, grey = self._used
        if grey and is_black_and_white(values):
            return [1], True
        return sorted(values - {0, VOID}), False

    @cached_property
    def _used(self) -> tuple[set[int], bool]:
        """The values in all files, and whether none has a palette."""
        values: set[int] = set()
        grey = True
        for path in self._files.values():
            ids, palette = read_index_mask(path)
            values.update(np.flatnonzero(np.bincount(ids.ravel(), minlength=256)).tolist())
            grey &= not palette
        return values, grey

    def ids(self) -> list[int]:
        """The declared ids; without a declaration every file is read once to find them."""
        return self._scan[0] if self._declared is None else self._declared

    def frames(self, object_id: int) -> list[str]:
        """The stems of all files, since a file annotates every object; none for an unknown id."""
        return list(self._files) if object_id in self.ids() else []

    def read(self, object_id: int, frame: str) -> np.ndarray | None:
        """(H, W) bool, True where the pixel is the object's id; None where there is no file of this
        name, or no object of this id."""
        path = self._files.get(frame)
        if path is None or object_id not in self.ids():
            return None
        if self._declared is None and self._scan[1]:
            return read_binary_mask(path)
        return self._values(frame, path) == object_id

    def notes(self) -> list[str]:
        """Pictures that are not PNG, void pixels that were not taken as an object, and values that
        the declaration does not hold."""
        said = _other_files(self.folder)
        if self._declared is None and VOID in self._used[0] and not self._scan[1]:
            said.append(f"value {VOID} was taken as void, not as an object")
        if self._declared is not None:
            unknown = sorted(self._used[0] - {0, VOID, *self._declared})
            said += _some([str(value) for value in unknown], "values", "belong to no listed object")
        return said

    def _values(self, frame: str, path: Path) -> np.ndarray:
        """The file's ids; the latest file is kept, since objects are asked for one after
        another."""
        if self._latest is None or self._latest[0] != frame:
            self._latest = frame, read_index_mask(path)[0]
        return self._latest[1]


def open_annotations(folder: Path | str, declared: Collection[int] | None = None) -> Annotations:
    """The masks of one video from its folder, in whichever layout it has.

    Raises InputError when the folder is missing, holds both object folders and loose masks, or
    holds loose masks whose pixels cannot have the declared ids.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder of masks; expected <object id>/<frame>.png or <frame>.png"
            " in it"
        )
    objects = any(p.is_dir() and p.name.isdecimal() for p in folder.iterdir())
    loose = any(p.suffix.lower() == ".png" and not p.name.startswith(".") for p in folder.iterdir())
    if objects and loose:
        raise InputError(
            f"{folder}: holds both object folders (SA-V) and loose masks (DAVIS); keep one of them"
        )
    unfit = [i for i in declared or () if not 1 <= i <= VOID]
    if loose and unfit:
        raise InputError(
            f"{folder}: its masks hold object ids as pixel values, 1 to {VOID}; the catalogue lists"
            f" object {unfit[0]}"
        )
    return PaletteFolder(folder, declared) if loose else ObjectFolders(folder)


def _png_files(folder: Path) -> dict[str, Path]:
    found = [
        p for p in folder.iterdir() if p.suffix.lower() == ".png" and not p.name.startswith(".")
    ]
    return by_stem(sorted(found, key=lambda path: natural_key(path.name)))


def _other_files(folder: Path) -> list[str]:
    """Pictures beside the masks that are not PNG: whoever put them there meant them to be read."""
    names = [
        p.name
        for p in folder.iterdir()
        if not p.name.startswith(".")
        and (p.suffix.lower() in PICTURE_SUFFIXES - {".png"} or OTHER_PICTURES.fullmatch(p.suffix))
    ]
    return _some(sorted(names, key=natural_key), "pictures", "are not PNG files and were left out")


def _some(names: Sequence[str], what: str, why: str) -> list[str]:
    """No sentence, or one, with an example."""
    return [f"{len(names)} {what}, such as {names[0]}, {why}"] if names else []
