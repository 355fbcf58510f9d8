"""SA-V: one JSON per video with a masklet an object, as Meta's data set has it.

``masklet`` holds a list a frame with the RLE of each object in the order of ``masklet_id``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.errors import InputError
from sam2s.formats.result import MAX_BYTES, ExportOptions, ObjectMask, Result, ResultFrame
from sam2s.masklets.masks import encode_rle
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


def read_sa_v(folder: Path) -> Result:
    """A result from the one masklet file in a folder."""
    files = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else [folder]
    if len(files) != 1:
        raise InputError(f"{folder}: expected one *{SUFFIX}")
    content = read_json(files[0], dict[str, Any], max_bytes=MAX_BYTES)
    try:
        size = (int(content["video_height"]), int(content["video_width"]))
        ids, masklets = content["masklet_id"], content["masklet"]
        indices = content.get("frame_indices", list(range(len(masklets))))
        given = zip(ids, content.get("masklet_names", [None] * len(ids)), strict=True)
        names = {i: name for i, name in given if name is not None}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{files[0]}: is no SA-V masklet file ({error!r})") from error

    def frames() -> Iterator[ResultFrame]:
        for index, row in zip(indices, masklets, strict=True):
            masks = {i: ObjectMask(rle) for i, rle in zip(ids, row, strict=True)}
            yield ResultFrame(index, None, masks)

    return Result(content["video_id"], size, content.get("fps"), names, frames)
