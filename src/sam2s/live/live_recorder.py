"""A live run as files: raw picture, overlay and tracks, frame for frame in one clock."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam2s.export.tracks import TrackedSource, TracksWriter
from sam2s.export.video_file import VideoWriter
from sam2s.live.sink import LivePicture

RAW, OVERLAY, TRACKS = "raw.mkv", "overlay.mkv", "tracks.json"
"""Matroska: what a killed run leaves can be played."""


class LiveRecorder:
    """Writes into a folder that is there. ``about``: what ``tracks.json`` says of the run; a
    frame's time is seconds since the first frame arrived, in all three files."""

    latency = None
    name = "recording"

    def __init__(
        self, folder: Path, source: str, fps: float | None, about: Mapping[str, Any]
    ) -> None:
        self._folder, self._source, self._fps, self._about = folder, source, fps, about
        self._raw: VideoWriter | None = None
        self._overlay: VideoWriter | None = None
        self._tracks: TracksWriter | None = None

    def show(self, picture: LivePicture) -> None:
        """Write one frame to all three."""
        image, time = picture.frame.image, picture.frame.time
        if self._raw is None or self._overlay is None or self._tracks is None:
            size = image.shape[0], image.shape[1]
            self._raw = VideoWriter(self._folder / RAW, size, self._fps)
            self._overlay = VideoWriter(self._folder / OVERLAY, size, self._fps)
            info = TrackedSource(self._source, size[1], size[0], self._fps)
            self._tracks = TracksWriter(self._folder / TRACKS, info, self._about)
        self._tracks.write(picture.result)
        self._raw.write(image, time)
        self._overlay.write(picture.overlay, time)

    def close(self) -> None:
        """Complete the files."""
        for writer in (self._tracks, self._raw, self._overlay):
            if writer is not None:
                writer.close()
