"""When a video's frames were taken: by the true times that a conversion kept, else by the frame
rate."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from sam2s.masklets.masklets import MaskletVideo
from sam2s.masklets.provenance import (
    NOWHERE,
    SOURCES,
    FrameOrigin,
    VideoOrigin,
    read_provenance,
)


def frame_times(video: MaskletVideo) -> list[float | None]:
    """Seconds of every frame, None where not known. Raises InputError when ``sources.json`` is
    damaged."""
    root = video.images.parent.parent
    file = root / SOURCES
    origins = _origins(root, file.stat().st_mtime_ns) if file.is_file() else {}
    known = origins.get(video.images.name, NOWHERE).frames
    times = [known.get(name, FrameOrigin()).time_s for name in video.frame_names]
    if any(time is not None for time in times) or video.info.fps is None:
        return times
    return [index / video.info.fps for index in range(len(video))]


@lru_cache(maxsize=4)
def _origins(root: Path, _written: int) -> Mapping[str, VideoOrigin]:
    """The videos of ``root/sources.json`` as it was when it was last written, which is part of
    what is cached by; a large folder's file is not read for each video."""
    return read_provenance(root).videos
