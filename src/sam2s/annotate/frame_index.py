"""A video's index as bytes, to be kept in the project."""

from __future__ import annotations

import json
import zlib
from typing import Any

from sam2s.errors import InputError
from sam2s.media.random_access import FrameIndex, Place
from sam2s.typed_json import parse_json


def pack(index: FrameIndex) -> bytes:
    """Deflated JSON: timestamps, which frames are key frames ("1" or "0" each), times."""
    content = {
        "stamps": [place.stamp for place in index.places],
        "keys": "".join("01"[place.key] for place in index.places),
        "times": list(index.times),
        "damage": index.damage,
    }
    return zlib.compress(json.dumps(content).encode())


def unpack(data: bytes) -> FrameIndex:
    """The inverse of ``pack``; ``InputError`` for other bytes."""
    where = "index of a video"
    try:
        content = parse_json(zlib.decompress(data), dict[str, Any], where)
        stamps, keys, times = content["stamps"], content["keys"], content["times"]
        places = tuple(Place(s, k == "1") for s, k in zip(stamps, keys, strict=True))
    except (zlib.error, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: damaged ({error}); remove the project's index") from error
    return FrameIndex(places, tuple(times), content.get("damage"))
