"""The pictures that a result's masks are of, from the source that was tracked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.result import Result
from sam2s.media.frames import open_frames


def pictures_of(source: Path, result: Result) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 RGB of every frame of the result, in its order. Raises InputError where the
    source has other pictures, or too few."""
    wanted = {frame.index for frame in result.frames()}
    last = max(wanted, default=-1)
    for frame in open_frames(source).frames():
        if frame.index > last:
            break
        if frame.index not in wanted:
            continue
        if frame.image.shape[:2] != result.size:
            height, width = frame.image.shape[:2]
            raise InputError(
                f"{source}: is {width} x {height} pixels, the masks {result.size[1]} x"
                f" {result.size[0]}; give the source that was tracked"
            )
        wanted.discard(frame.index)
        yield frame.image
    if wanted:
        raise InputError(
            f"{source}: lacks {len(wanted)} of the result's frames, such as {min(wanted)}; give"
            " the source that was tracked"
        )
