"""Masks as JSON lines, for whatever program comes next."""

from __future__ import annotations

import json
from typing import Any, TextIO

import numpy as np

from sam2s.live.sink import LivePicture
from sam2s.masklets.masks import bounding_window, encode_rle


class JsonLines:
    """One line a frame: ``{"index", "time", "latency_ms", "blanked", "objects": {id: {"presence",
    "score", "box", "rle"}}}``. ``time``: seconds since the first frame; ``box``: left, top, right,
    bottom in pixels, ends exclusive, null with an empty mask; ``rle``: COCO's text code."""

    latency = None

    def __init__(self, stream: TextIO, name: str, *, owned: bool) -> None:
        self.name, self._stream, self._owned = name, stream, owned

    def show(self, picture: LivePicture) -> None:
        """Write one line, and flush."""
        result = picture.result
        line = {
            "index": result.index,
            "time": None if picture.frame.time is None else round(picture.frame.time, 6),
            "latency_ms": None if result.latency is None else round(1000 * result.latency, 3),
            "blanked": picture.blanked,
            "objects": {
                str(i): {
                    "name": picture.names.get(i, result.classes.get(i)),
                    "presence": round(float(result.presence[i]), 6),
                    "score": round(float(result.scores[i]), 6),
                    "box": _box(mask),
                    "rle": encode_rle(mask),
                }
                for i, mask in sorted(result.masks.items())
            },
        }
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Close a file; the standard output stays open."""
        if self._owned:
            self._stream.close()


def _box(mask: np.ndarray) -> list[Any] | None:
    window = bounding_window(mask)
    if window is None:
        return None
    high, wide = window
    return [wide.start, high.start, wide.stop, high.stop]
