"""Frames of a video file, URL or device through FFmpeg (PyAV): lazy, upright, with the container's
own timestamps."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from time import perf_counter
from types import TracebackType
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.container import InputContainer
from av.sidedata.sidedata import SideDataContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from sam2s.errors import DamagedSource, InputError
from sam2s.media.address import SourceAddress
from sam2s.media.clock import Clock
from sam2s.media.decoding import FrameDecoder
from sam2s.media.opening import open_container
from sam2s.media.pictures import MAX_PIXELS, check_pixels
from sam2s.media.streams import choose_stream, mean_rate, stated_count, stream_notes
from sam2s.types import Frame

BT601 = 5
COLOUR_MATRICES = (1, 4, 5, 6, 7, 9)
"""FFmpeg's numbers of the colour matrices that its scaler knows (BT.709 is 1, BT.2020 is 9)."""
SEEKABLE_FORMATS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
"""Formats with an index of their key frames. In others, such as MPEG-TS, a seek is a guess."""
PACED_FORMATS = frozenset({"rtsp", "rtp", "sdp"})
"""Formats whose server sets the pace, also where it tells how long the video is."""
DEFAULT_STEP = 0.04
"""Seconds from one frame to the next where neither the container nor its frames tell."""


def usable_cores() -> int:
    """Cores that this process may use, as threads of a decoder: left to itself FFmpeg starts some
    for every core of the machine, in a container with two of them as well, and each thread takes
    8 MiB of address space."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class VideoFrames:
    """A video. See ``FrameSource``.

    A frame's ``time`` is its presentation timestamp times the stream's time base, not shifted, so
    it is the one every other tool reads from the file; where the container's clock jumps back, it
    goes on (``Clock``); None where the container has no timestamps. Rotation and mirroring tags are
    applied; pixels are as stored otherwise (no deinterlacing, no correction of pixel aspect).
    Colours become 8-bit RGB.

    ``count`` is what the container states to be shown, else duration times mean rate, until the
    video has been read to its end; after that it is exact.
    """

    def __init__(
        self,
        address: SourceAddress,
        *,
        max_pixels: int = MAX_PIXELS,
        options: Mapping[str, str] | None = None,
        stream: int | None = None,
        playlist: bool = False,
    ) -> None:
        self._address, self._options, self._playlist = address, dict(options or {}), playlist
        self.name, self.path = address.name, address.path
        self._max_pixels, self._chosen = max_pixels, stream
        self._closed = False
        self._open_containers: list[InputContainer] = []
        container, video = self._open()
        self._unread: tuple[InputContainer, VideoStream] | None = (container, video)
        paced = container.duration is None or container.format.name in PACED_FORMATS
        self._live = address.kind in ("device", "pipe") or (address.kind == "url" and paced)
        self.fps = mean_rate(video)
        self.count = stated_count(container, video, self.fps)
        self.count_exact = False
        self.notes: Sequence[str] = stream_notes(container, video, self.name)
        self._peeked: tuple[Frame, Iterator[Frame]] | None = None
        self._size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels as shown, after rotation; decodes the first frame, which is then not
        decoded again."""
        if self._size is None:
            # The rotation tag travels on frames. The frame that is decoded to see it is handed to
            # the next reader.
            reading = self._read(0)
            self._peeked = next(reading), reading
        assert self._size is not None  # the reader found it
        return self._size

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Frames from index ``start`` on; raises DamagedSource after the last good one."""
        if self._peeked is None:
            yield from self._read(start)
            return
        first, rest = self._peeked
        self._peeked = None
        yield from (frame for frame in chain([first], rest) if frame.index >= start)

    def frame_name(self, index: int) -> str:
        """The index in five digits."""
        return f"{index:05d}"

    def close(self) -> None:
        """Close every container that is open; frames can no longer be asked for."""
        self._closed = True
        while self._open_containers:
            self._open_containers.pop().close()

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def __enter__(self) -> VideoFrames:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> tuple[InputContainer, VideoStream]:
        """Open the container, find its video stream, and check the size that it states."""
        if self._closed:
            raise InputError(f"{self.name}: the source was closed; open it again")
        container = open_container(self._address, self._options, self._playlist)
        self._open_containers.append(container)
        try:
            stream = choose_stream(container, self._chosen, self.name)
            codec = stream.codec_context
            codec.thread_count = usable_cores()
            check_pixels(codec.height, codec.width, self._max_pixels, self.name)
        except InputError:
            self._release(container)
            raise
        return container, stream

    def _release(self, container: InputContainer, busy: bool = False) -> None:
        """Close a container, or leave one alone that a thread still waits on."""
        if container in self._open_containers:
            self._open_containers.remove(container)
            if not busy:
                container.close()

    def _read(self, start: int) -> Iterator[Frame]:
        for convert in self.unconverted(start):
            yield convert()

    def unconverted(self, start: int = 0) -> Iterator[Callable[[], Frame]]:
        """Frames from ``start`` on, decoded from the beginning, as calls that turn them into RGB:
        what is never called costs no conversion. Raises as ``frames``."""
        if self._unread is None and self._live:
            raise InputError(f"{self.name}: a live stream can be read once; open it again")
        container, stream = self._unread or self._open()
        self._unread = None
        patience = self._address.patience
        decoder = FrameDecoder(
            container, stream, path=self.path, live=self._live, patience=patience
        )
        try:
            for index, time, picture in self._decode(decoder, stream):
                if index >= start:
                    arrived = perf_counter() if self._live else None
                    yield partial(_converted, index, time, picture, arrived)
        finally:
            decoder.close()
            self._release(container, decoder.busy)

    def places(self) -> Iterator[tuple[int | None, bool, float | None]]:
        """(timestamp in the stream's time base, whether it is a key frame, time in seconds) of
        every frame, decoded without being converted: an index for ``RandomAccess``. The timestamp
        is None where the format has none to seek by. Raises as ``frames``."""
        container, stream = self._open()
        decoder = FrameDecoder(container, stream, path=self.path, live=False)
        try:
            for _, time, picture in self._decode(decoder, stream):
                stamp = picture.pts if container.format.name in SEEKABLE_FORMATS else None
                yield stamp, bool(picture.key_frame), time
        finally:
            decoder.close()
            self._release(container, decoder.busy)

    def frames_from_key(
        self,
        key: int,
        start: int,
        stamps: Sequence[int],
        times: Sequence[float | None],
    ) -> Iterator[Frame]:
        """Frames from ``start`` on, decoded from key frame ``key`` on; ``stamps`` and ``times`` of
        all frames as ``places`` gave them. The video was read whole before, so nothing is checked
        again but that every frame has the timestamp that it had. Where a seek lands behind the
        key frame (a file without its index), the video is read from its beginning."""
        container, stream = self._open()
        index, landed = key, True
        try:
            container.seek(stamps[key], stream=stream)
            for number, picture in enumerate(container.decode(stream)):
                stamp = -1 if picture.pts is None else picture.pts
                if number == 0 and stamp > stamps[key]:
                    landed = False
                    break
                if stamp < stamps[index]:
                    continue  # of the picture group before, or leaning on it
                if stamp != stamps[index]:
                    break
                if index >= start:
                    yield Frame(index, times[index], to_rgb(picture))
                index += 1
                if index == len(stamps):
                    return
        finally:
            self._release(container)
        if not landed:
            yield from self._read(start)
            return
        raise DamagedSource(
            f"{self.name}: frame {index} is not where it was; has the file changed?",
            index,
            times[index],
        )

    @property
    def live(self) -> bool:
        """Whether frames come once, as from a camera, and cannot be asked for again."""
        return self._live

    def _decode(
        self, decoder: FrameDecoder, stream: VideoStream
    ) -> Iterator[tuple[int, float | None, VideoFrame]]:
        """Index, time and picture of every good frame."""
        index, time = 0, None
        clock = Clock(1 / self.fps if self.fps else DEFAULT_STEP)
        for picture in decoder:
            check_pixels(
                picture.height, picture.width, self._max_pixels, f"{self.name}, frame {index}"
            )
            size = _shown_size(picture)
            self._size = self._size or size
            if size != self._size:
                decoder.broken = (
                    f"the picture changes from {_text(self._size)} to {_text(size)} pixels"
                )
                decoder.broken_pts = picture.pts
                break
            time = clock.time(_seconds(decoder.shown_at(picture), stream))
            yield index, time, picture
            index += 1
        if decoder.broken:
            raise self._damage(decoder, stream, index, time)
        if index == 0:
            raise InputError(f"{self.name}: the video stream holds no frames")
        self.count, self.count_exact = index, True

    def _damage(
        self, decoder: FrameDecoder, stream: VideoStream, index: int, last: float | None
    ) -> DamagedSource:
        """The report of a break before frame ``index``, at the time of the lost frame as far as it
        is known."""
        after = None if last is None else last + (1 / self.fps if self.fps else 0.0)
        lost = _seconds(decoder.lost_at, stream)
        time = after if lost is None else lost
        if after is not None and lost is not None and stream.codec_context.has_b_frames:
            time = min(
                after, lost
            )  # the lost packet may belong behind frames that were still to come
        at = "" if time is None else f" ({time:.3f} s)"
        return DamagedSource(
            f"{self.name}: broken at frame {index}{at}: {decoder.broken}", index, time
        )


def _converted(index: int, time: float | None, picture: VideoFrame, arrived: float | None) -> Frame:
    return Frame(index, time, to_rgb(picture), arrived)


_OF_THREAD = threading.local()


def _reformatter() -> VideoReformatter:
    """One a thread: a picture that is asked itself makes its own, with threads of its own, and
    keeps both until the garbage collector comes by."""
    if not hasattr(_OF_THREAD, "reformatter"):
        _OF_THREAD.reformatter = VideoReformatter()
    found: VideoReformatter = _OF_THREAD.reformatter
    return found


def to_rgb(picture: VideoFrame) -> np.ndarray:
    """A decoded picture as (H, W, 3) uint8 RGB, contiguous, turned and mirrored as its display
    matrix says."""
    # RGB has no matrix, but PyAV before 16 heeds the source's only where another one is named for
    # the result.
    matrix = picture.colorspace if picture.colorspace in COLOUR_MATRICES else BT601
    image = (
        _reformatter()
        .reformat(picture, format="rgb24", src_colorspace=matrix, dst_colorspace=BT601)
        .to_ndarray()
    )
    turned, flip_x, flip_y = _orientation(picture)
    if turned:
        image = image.swapaxes(0, 1)
    if flip_x:
        image = image[:, ::-1]
    if flip_y:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _orientation(picture: VideoFrame) -> tuple[bool, bool, bool]:
    """(swap x and y, then mirror x, then mirror y) from the picture's display matrix.

    The matrix holds nine 32-bit numbers a b u c d v x y w; a stored pixel (x, y) is shown at (a x +
    c y, b x + d y). PyAV's own ``rotation`` is missing before version 15 and leaves mirroring out.
    """
    # Not `picture.side_data`: the picture would keep it, and it the picture, some MB, until Python
    # next looks for such cycles.
    side_data = SideDataContainer(picture)  # type: ignore[call-arg]  # PyAV's stub has no arguments
    matrix = side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, False, False
    a, b, _, c, d = (
        int(v) for v in np.frombuffer(memoryview(cast(Buffer, matrix)), dtype=np.int32)[:5]
    )
    turned = abs(b) + abs(c) > abs(a) + abs(d)
    return turned, (c if turned else a) < 0, (b if turned else d) < 0


def _seconds(pts: int | None, stream: VideoStream) -> float | None:
    """A timestamp in seconds; ``VideoFrame.time`` is NaN on the last frames of a file."""
    return None if pts is None or stream.time_base is None else float(pts * stream.time_base)


def _shown_size(picture: VideoFrame) -> tuple[int, int]:
    """(H, W) after rotation."""
    turned = _orientation(picture)[0]
    return (picture.width, picture.height) if turned else (picture.height, picture.width)


def _text(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]}"
