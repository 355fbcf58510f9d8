"""Any frame of a source in any order: an index made in one pass, then seeks to key frames.

``FrameSource.frames`` reads a video from its beginning, since what containers state cannot be
trusted. Here one pass over the video, which decodes every picture and converts none, notes where
each frame is; after that a frame costs a seek and the pictures since the key frame before it, and
is the very one that reading from the beginning gives.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from sam2s.errors import DamagedSource, InputError
from sam2s.media.frames import FrameSource
from sam2s.types import Frame

CHUNK_BYTES = 96 * 2**20
"""Most bytes of decoded pictures that are held at a time when a video is read backwards."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame of a video is: its timestamp in the stream's time base, and whether the picture
    can be decoded without another one."""

    stamp: int | None
    key: bool


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """Of every frame its place (none for folders and arrays) and its time in seconds, None where
    the source has no clock. ``damage``: why it ends before the video does, None for whole ones.
    Stays true while the file does not change."""

    places: tuple[Place, ...]
    times: tuple[float | None, ...]
    damage: str | None = None


class RandomAccess:
    """Frames of ``source`` by index and by time.

    Folders and arrays are read as they are. A video file is indexed at the first question that
    needs it (``frame``, ``backward``, ``times``, ``at``); a live stream raises ``InputError`` then.
    ``index``: from an earlier time, so that the whole video need not be read again.
    """

    def __init__(self, source: FrameSource, index: FrameIndex | None = None) -> None:
        self.source = source
        self._index = index
        self._rising = index is not None and _rises(index)

    @property
    def is_indexed(self) -> bool:
        """Whether frames far into the video cost a seek only."""
        return self._index is not None

    def index(self, on_frame: Callable[[int], None] = lambda _: None) -> FrameIndex:
        """The index, made if there is none yet. ``on_frame`` is told how many frames of a video
        file have been read."""
        if self._index is None:
            self._index = self._make_index(on_frame)
            self._rising = _rises(self._index)
        return self._index

    def frame(self, index: int) -> Frame:
        """One frame; ``InputError`` where the source has none of that index."""
        self.index()
        found = next(self.frames(index), None) if index >= 0 else None
        if found is None:
            last = len(self.times) - 1
            raise InputError(
                f"frame {index}: {self.source.name} has frames 0 to {last}; give one of those"
            )
        return found

    def frames(self, start: int) -> Iterator[Frame]:
        """Frames from ``start`` on: by a seek where the index is there already, else as the source
        reads them, since an index costs a pass over the whole video."""
        key = None if self._index is None else self._key_before(start)
        if key is None:
            yield from self.source.frames(start)
            return
        from sam2s.media.video import VideoFrames

        assert isinstance(self.source, VideoFrames)
        index = self.index()
        stamps = [place.stamp for place in index.places if place.stamp is not None]
        yield from self.source.frames_from_key(key, start, stamps, index.times)

    def backward(self, start: int, first: int = 0) -> Iterator[Frame]:
        """Frames ``start`` down to ``first``, some of them held at a time."""
        self.index()
        height, width = self.source.size
        step = max(1, min(64, CHUNK_BYTES // (3 * height * width)))
        for end in range(start, first - 1, -step):
            begin = max(end - step + 1, first)
            chunk = []
            for frame in self.frames(begin):
                if frame.index > end:
                    break
                chunk.append(frame)
            yield from reversed(chunk)

    @property
    def times(self) -> tuple[float | None, ...]:
        """The time of every frame in seconds, None where the source has no clock."""
        return self.index().times

    def at(self, seconds: float) -> int:
        """The index of the frame that is shown at a time of the source's clock.

        Raises ``InputError`` where there is no clock, and for a time outside the recording.
        """
        times = self.times
        known = [time for time in times if time is not None]
        if len(known) < len(times) or not times:
            raise InputError(
                f"{self.source.name}: has no clock; count frames from 0 instead of giving a time"
            )
        step = (known[-1] - known[0]) / max(1, len(known) - 1)
        if not known[0] <= seconds < known[-1] + step:
            raise InputError(
                f"time {seconds:g} s: {self.source.name} runs from {known[0]:.3f} to"
                f" {known[-1] + step:.3f} s"
            )
        return bisect_right(known, seconds) - 1

    def _make_index(self, on_frame: Callable[[int], None]) -> FrameIndex:
        """One pass; a damaged video is indexed up to the damage."""
        from sam2s.media.video import VideoFrames

        if self.source.live:
            raise InputError(
                f"{self.source.name}: a live stream has no frames to go back to; record it first"
            )
        if not isinstance(self.source, VideoFrames):
            fps, count = self.source.fps, self.source.count or 0
            return FrameIndex((), tuple(None if fps is None else i / fps for i in range(count)))
        places, times = [], []
        damage = None
        try:
            for stamp, key, time in self.source.places():
                places.append(Place(stamp, key))
                times.append(time)
                on_frame(len(places))
        except DamagedSource as error:  # said again when a frame behind it is asked for
            damage = str(error)
        return FrameIndex(tuple(places), tuple(times), damage)

    def _key_before(self, index: int) -> int | None:
        """The last frame up to ``index`` to start decoding from; None to read from the beginning.

        Timestamps must rise, or a seek may land elsewhere.
        """
        places = self.index().places
        if not 0 < index < len(places) or not self._rising:
            return None
        key = next((k for k in range(index, 0, -1) if places[k].key), 0)
        return key or None


def _rises(index: FrameIndex) -> bool:
    stamps = [place.stamp for place in index.places]
    return all(a is not None and b is not None and a < b for a, b in pairwise(stamps))
