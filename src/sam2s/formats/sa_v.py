"""SA-V: one JSON per video with a masklet an object, as Meta's data set has it.

``masklet`` holds a list a frame with the RLE of each object in the order of ``masklet_id``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.result import MAX_BYTES, ExportOptions, ObjectMask, Result, ResultFrame
from sam2s.masklets.masks import Rle, encode_rle
from sam2s.media.pictures import MAX_PIXELS, check_pixels
from sam2s.typed_json import read_json

SUFFIX = "_manual.json"
"""What SA-V calls masklets that a person has seen."""


def write_sa_v(result: Result, out: Path, _options: ExportOptions) -> None:
    """``out/<video>_manual.json``."""
    ids = result.ids
    nothing = encode_rle(np.zeros(result.size, bool))
    frames = list(result.frames())
    masklets = [
        [found.rle if (found := frame.masks.get(i)) is not None else nothing for i in ids]
        for frame in frames
    ]
    height, width = result.size
    content = {
        "video_id": result.video,
        "video_height": height,
        "video_width": width,
        "video_frame_count": len(frames),
        "fps": result.fps,
        "frame_indices": [frame.index for frame in frames],
        "masklet_id": list(ids),
        "masklet_names": [result.names.get(i) for i in ids],
        "masklet_num": len(ids),
        "masklet": masklets,
    }
    text = json.dumps(content, allow_nan=False)
    (out / f"{result.video}{SUFFIX}").write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class SavMasklets:
    """A masklet file. Meta's own files have no ``frame_indices``, and every fourth frame of a
    video of ``frame_count`` frames."""

    video: str = field(metadata={"key": "video_id"})
    height: float = field(metadata={"key": "video_height"})
    width: float = field(metadata={"key": "video_width"})
    ids: tuple[int, ...] = field(metadata={"key": "masklet_id"})
    masklets: tuple[tuple[Rle, ...], ...] = field(metadata={"key": "masklet"})
    frame_count: float = field(default=0, metadata={"key": "video_frame_count"})
    fps: float | None = None
    frame_indices: tuple[int, ...] | None = None
    names: tuple[str | None, ...] = field(default=(), metadata={"key": "masklet_names"})

    @property
    def numbers(self) -> tuple[int, ...]:
        """The frame of each row of masks."""
        if self.frame_indices is not None:
            return self.frame_indices
        step = max(1, round(self.frame_count / max(1, len(self.masklets))))
        return tuple(range(0, step * len(self.masklets), step))


def read_sa_v(folder: Path) -> Result:
    """A result from a masklet file of SA-V, or from the folder that holds one. Raises InputError
    for other files."""
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else [folder]
    if len(files) != 1:
        raise InputError(f"{folder}: expected one *{SUFFIX}")
    path = files[0]
    content = read_json(path, SavMasklets, max_bytes=MAX_BYTES)
    size, ids = (int(content.height), int(content.width)), content.ids
    check_pixels(*size, MAX_PIXELS, str(path))
    if len(content.numbers) != len(content.masklets) or len(content.names) not in (0, len(ids)):
        raise InputError(f"{path}: its lists of frames, masklets and names are of other lengths")
    for place, row in enumerate(content.masklets):
        if len(row) != len(ids) or any(rle.get("size") != [*size] for rle in row):
            raise InputError(
                f"{path}: masklet[{place}]: expected {len(ids)} masks of {size[1]} x {size[0]}"
                " pixels"
            )

    def frames() -> Iterator[ResultFrame]:
        for index, row in zip(content.numbers, content.masklets, strict=True):
            masks = {i: ObjectMask(rle) for i, rle in zip(ids, row, strict=True)}
            yield ResultFrame(index, None, masks)

    given = zip(ids, content.names, strict=False)
    names = {i: name for i, name in given if name is not None}
    return Result(content.video, size, content.fps, names, frames)
