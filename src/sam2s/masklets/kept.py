"""Labelled videos whose pictures and masks are decoded once and kept in memory.

Training draws the same frames thousands of times. Processes that are forked afterwards read the
kept ones without a copy of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from typing import Protocol

import numpy as np

from sam2s.errors import InputError
from sam2s.masklets.catalogue import VideoInfo
from sam2s.masklets.masklets import MaskletVideo


class LabelledVideo(Protocol):
    """A labelled video, on disk (`MaskletVideo`) or in memory (`KeptVideo`)."""

    @property
    def name(self) -> str:
        """Its name in its folder."""
        ...

    @property
    def info(self) -> VideoInfo:
        """What the catalogue says of it."""
        ...

    @property
    def frame_names(self) -> Sequence[str]:
        """Names of its frames, in order."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        ...

    def __len__(self) -> int: ...

    def image(self, index: int) -> np.ndarray:
        """Frame ``index`` as (H, W, 3) uint8 RGB; not to be written to."""
        ...

    def mask(self, object_id: int, index: int) -> np.ndarray | None:
        """(H, W) bool, all False where the object is absent; None where the frame is not annotated
        for it."""
        ...

    def annotated(self, object_id: int) -> list[int]:
        """Indices of the frames annotated for the object, ascending."""
        ...


class KeptVideo:
    """A video in memory: pictures as (T, H, W, 3) uint8, masks packed to a bit a pixel. Raises
    InputError as `MaskletVideo` does, for files that cannot be read."""

    def __init__(self, video: MaskletVideo) -> None:
        self.name, self.info, self.size = video.name, video.info, video.size
        self.frame_names = tuple(video.frame_names)
        self._images = np.stack([video.image(index) for index in range(len(video))])
        self._masks: dict[int, dict[int, np.ndarray]] = {
            object_id: {
                index: np.packbits(mask)
                for index in video.annotated(object_id)
                if (mask := video.mask(object_id, index)) is not None
            }
            for object_id in video.info.objects
        }

    def __len__(self) -> int:
        return len(self.frame_names)

    def image(self, index: int) -> np.ndarray:
        """Frame ``index`` as (H, W, 3) uint8 RGB, not writable."""
        picture = self._images[index]
        picture.flags.writeable = False  # a view; what is kept is everybody's
        return np.asarray(picture)

    def mask(self, object_id: int, index: int) -> np.ndarray | None:
        """(H, W) bool, all False where the object is absent; None where the frame is not annotated
        for it. Raises InputError for an unknown id."""
        packed = self._of(object_id).get(index)
        if packed is None:
            return None
        height, width = self.size
        return np.unpackbits(packed, count=height * width).view(bool).reshape(height, width)

    def annotated(self, object_id: int) -> list[int]:
        """Indices of the frames annotated for the object, ascending. Raises InputError for an
        unknown id."""
        return list(self._of(object_id))

    def _of(self, object_id: int) -> dict[int, np.ndarray]:
        if object_id not in self._masks:
            raise InputError(f"{self.name}: no object {object_id}; it has {sorted(self._masks)}")
        return self._masks[object_id]


def keep_videos(
    videos: Sequence[MaskletVideo], most_bytes: float, workers: int = 1
) -> list[LabelledVideo]:
    """``videos`` in their order, each in memory as long as the pictures kept are no more than
    ``most_bytes``, the others as they are. ``workers``: processes that decode, forked where the
    system can."""
    kept, left = [], most_bytes
    for video in videos:
        size = len(video) * 3 * video.size[0] * video.size[1]
        kept.append(size <= left)
        left -= size if kept[-1] else 0
    chosen = [video for video, keeps in zip(videos, kept, strict=True) if keeps]
    if workers > 1 and len(chosen) > 1 and "fork" in get_all_start_methods():
        with ProcessPoolExecutor(min(workers, len(chosen)), get_context("fork")) as pool:
            decoded = iter(list(pool.map(KeptVideo, chosen, chunksize=4)))
    else:
        decoded = map(KeptVideo, chosen)
    return [next(decoded) if keeps else video for video, keeps in zip(videos, kept, strict=True)]
