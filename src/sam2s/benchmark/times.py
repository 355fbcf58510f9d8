"""When a video's frames were taken: by the true times that a conversion kept, else by the frame
rate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from sam2s.masklets.masklets import MaskletVideo
from sam2s.masklets.provenance import SOURCES, read_provenance


def frame_times(video: MaskletVideo) -> list[float | None]:
    """Seconds of every frame, None where not known. Raises InputError when ``sources.json`` is
    damaged."""
    root = video.images.parent.parent
    file = root / SOURCES
    entries = (
        _entries(root, file.stat().st_mtime_ns).get(video.images.name, {}) if file.is_file() else {}
    )
    known = entries.get("frames", {})
    times = [known.get(name, {}).get("time_s") for name in video.frame_names]
    if any(time is not None for time in times) or video.info.fps is None:
        return times
    return [index / video.info.fps for index in range(len(video))]


@lru_cache(maxsize=4)
def _entries(root: Path, written: int) -> Mapping[str, Any]:
    """The videos of ``root/sources.json`` as it was ``written`` then; a large folder's is not read
    for each video."""
    return read_provenance(root)["videos"]
