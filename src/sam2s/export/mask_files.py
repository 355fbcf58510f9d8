"""Masks as pictures, one folder per video: SA-V (a folder per object, binary) or DAVIS (a palette,
pixel = id)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from sam2s.masklets.masks import merge_masks, write_binary_mask, write_index_mask

MaskFormat = Literal["sav", "davis"]


class MaskFiles(Protocol):
    """Writes one frame's masks under a folder."""

    def write(self, frame: str, masks: Mapping[int, np.ndarray]) -> None:
        """{object id: (H, W) bool} of the frame named ``frame``; an absent object's mask is all
        False."""

    def take_back(self, frame: str) -> None:
        """Delete what was written of a frame, whole or in part."""

    def notes(self) -> list[str]:
        """What a user should know of the files, one sentence each."""


class SavFiles:
    """``folder/<object id, 3 digits>/<frame>.png``, white = object. Nothing is lost: objects may
    overlap."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: set[Path] = set()

    def write(self, frame: str, masks: Mapping[int, np.ndarray]) -> None:
        """One white-on-black PNG for each object, absent ones included."""
        for object_id, mask in masks.items():
            target = self._folder / f"{object_id:03d}"
            if target not in self._made:
                target.mkdir(parents=True, exist_ok=True)
                self._made.add(target)
            write_binary_mask(target / f"{frame}.png", mask)

    def take_back(self, frame: str) -> None:
        """Delete the frame's file in every object's folder."""
        for target in self._made:
            (target / f"{frame}.png").unlink(missing_ok=True)

    def notes(self) -> list[str]:
        """Nothing: this layout keeps every pixel of every object."""
        return []


class DavisFiles:
    """``folder/<frame>.png``, a pixel's value is its object's id. Where objects overlap the larger
    id lies on top."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._overlapping = 0

    def write(self, frame: str, masks: Mapping[int, np.ndarray]) -> None:
        """One palette PNG for the frame; none where no object is tracked. Raises InputError for an
        id above 254."""
        if not masks:
            return
        merged, contested = merge_masks(masks)
        self._overlapping += contested > 0
        self._folder.mkdir(parents=True, exist_ok=True)
        write_index_mask(self._folder / f"{frame}.png", merged)

    def take_back(self, frame: str) -> None:
        """Delete the frame's file."""
        (self._folder / f"{frame}.png").unlink(missing_ok=True)

    def notes(self) -> list[str]:
        """On how many frames objects overlapped, if on any."""
        if not self._overlapping:
            return []
        return [
            f"objects overlap on {self._overlapping} frames; a DAVIS palette holds one id per"
            " pixel, so the larger id was put on top (the sav format and tracks.json keep both)"
        ]


def open_mask_files(folder: Path, mask_format: MaskFormat) -> MaskFiles:
    """The writer of a format, below ``folder``."""
    return SavFiles(folder) if mask_format == "sav" else DavisFiles(folder)
