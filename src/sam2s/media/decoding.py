"""Decodes a video stream up to the first sign of damage, and yields every good frame before it.

FFmpeg is made to play on: it conceals damage, drops frames it cannot decode, and ends a shortened
file as if it were whole. A tracker needs the opposite, since a lost frame moves every later mask.
The signs looked for: errors of demuxer and decoder, packets and frames that FFmpeg itself marks as
corrupt, packets whose frame never came out, and a file shorter than it says it is. Damage that
leaves a legal bitstream with other pixels in it cannot be seen by anyone.
"""

from __future__ import annotations

import errno
import heapq
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from sam2s.media.background import interruptibly
from sam2s.media.packets import CUTTABLE_FORMATS, PacketCheck
from sam2s.media.rhythm import Rhythm

ONE_FRAME_PER_PACKET = frozenset({"h264", "hevc", "av1", "vp9", "mjpeg", "ffv1", "png"})
"""Codecs of which each packet gives one frame with the packet's timestamp, so that a lost frame can
be noticed. Their frame-parallel decoding is bit-equal, and reports errors in order."""
TIMED_FORMATS = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "flv"})
"""Formats that state the presentation time of every packet. AVI does not; without B-frames its
order is the time."""
FRAME_THREADS = av.library_versions["libavcodec"][0] >= 62
"""Before FFmpeg 8 a decoder with one thread per frame may hand a picture out before it is known to
be damaged."""
HIDING_CODECS = frozenset({"vp8", "theora", "vp6", "vp6f", "vp7"})
"""Codecs with packets that are not shown. In all others that give a frame for a packet at once, a
packet without one is a lost frame, unless it is as small as a word that nothing has changed."""
NOTHING_NEW = 19
"""Bytes of such a word at most, as FFmpeg has it."""
MAX_HELD = 16
"""Frames held back at most: the deepest reordering of the codecs above."""


class FrameDecoder:
    """Iterate once for the good frames in display order; then ``broken`` says why it ended early,
    or is None.

    ``live``: a stream from a camera or server, which never ends for damage; damaged frames are left
    out, and each packet is waited for in a way that can be interrupted, at most ``patience``
    seconds. ``path``: the file, to see whether it is cut short. ``broken_pts``: where the first
    lost frame belongs (in the stream's time base), when known. ``shows_in_order``: the format has
    no presentation times, and its k-th frame is shown at the time of its k-th packet.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        *,
        path: Path | None,
        live: bool,
        patience: float | None = None,
    ) -> None:
        self._container, self._stream, self._live = container, stream, live
        self._patience = patience
        codec = stream.codec_context.codec.canonical_name  # AV1's decoder is called libdav1d
        one_to_one = codec in ONE_FRAME_PER_PACKET
        self._cuttable = container.format.name in CUTTABLE_FORMATS
        avi, reordered = container.format.name == "avi", stream.codec_context.has_b_frames
        self._timed = (avi and not reordered) or container.format.name in TIMED_FORMATS
        # With one thread per frame, an error behind the last frame is swallowed, and only the
        # timestamps tell.
        self._threaded = one_to_one and self._timed and not live and FRAME_THREADS
        stream.thread_type = "AUTO" if self._threaded else "SLICE"
        self.shows_in_order = avi
        self._times: deque[int | None] = deque(maxlen=None if avi else 0)  # of frames to come
        self.busy = False  # a thread waits on the container
        self._counts = one_to_one and not live and self._timed
        self._hides_nothing = not one_to_one and codec not in HIDING_CODECS
        self._pending: list[int] = []  # heap: timestamps whose frame has not come out yet
        self._first_key: int | None = None
        self._seen_key = self._seen_frame = False
        self._begins_whole = False  # the stream says that it can be decoded from its first packet
        self._checks = None if live else PacketCheck(container, stream, path)
        self._latest: int | None = None
        self._safe_until: int | None = None
        self._rhythm = Rhythm()
        self._late_word = (
            False  # a decoder with one thread per frame reports an error some packets later
        )
        self.broken: str | None = None
        self.broken_pts: int | None = None
        self.broken_dts: int | None = None

    def __iter__(self) -> Iterator[VideoFrame]:
        """A B-frame leans on a frame that is shown after it, so it is held until that one has
        proved to be whole."""
        held: deque[VideoFrame] = deque()
        for frame in self._checked_frames():
            if frame is None:
                return  # a damaged picture came out: those held may have been made from it
            held.append(frame)
            while held and (self._live or frame.pict_type != PictureType.B or len(held) > MAX_HELD):
                yield held.popleft()
        yield from held

    def _checked_frames(self) -> Iterator[VideoFrame | None]:
        """Good frames in display order; None at the end when the last thing to come out was a
        damaged picture."""
        for packet in self._demux():
            for frame in self._decode(packet):
                if self._is_good(frame):
                    yield frame
                elif not self._live:
                    yield None
                    return
                else:
                    self.shown_at(frame)
            if self.broken:
                break
        yield from self._drain()
        if self._late_word:
            yield None

    def _demux(self) -> Iterator[Packet]:
        """Packets up to the end of the file, an error, or a packet that the demuxer marks as
        damaged."""
        after: int | None = None
        try:
            for packet in self._packets_in_time():
                if packet.size == 0:  # the end, or AVI's "nothing new", which holds no frame
                    continue
                if self._checks is not None:
                    lost = self._checks.loss_before(packet)
                    if lost:
                        self.broken, self._safe_until = lost, after
                        return
                    damage = self._checks.damage_of(packet)
                    if damage:
                        self._break(damage, packet)
                        return
                after = None if packet.dts is None else packet.dts + (packet.duration or 0)
                yield packet
        except (FFmpegError, ValueError) as error:
            self.broken, self._safe_until = f"reading failed ({reason_of(error)})", after
            return
        except TimeoutError:
            self.broken = f"nothing came for {self._patience:.0f} seconds"
            return
        lost = self._checks.loss_at_end() if self._checks is not None else None
        if lost:
            self.broken, self._safe_until = lost, after

    def close(self) -> None:
        """Release the file, which is read beside the container."""
        if self._checks is not None:
            self._checks.close()

    def _packets_in_time(self) -> Iterator[Packet]:
        packets = self._container.demux(self._stream)
        if not self._live:
            yield from packets
            return
        while True:
            self.busy = True  # and is still after an interrupt
            try:
                packet = interruptibly(next, packets, None, patience=self._patience)
            except FFmpegError as error:
                self.busy = False
                if error.errno == errno.EIO and self._container.size <= 0:
                    return  # FFmpeg's word for the end of an HTTP stream of unknown length
                raise
            self.busy = False
            if packet is None:
                return
            yield packet

    def shown_at(self, frame: VideoFrame) -> int | None:
        """The timestamp of the last frame returned; to be called once per frame, in
        order."""
        if not self.shows_in_order:
            return frame.pts
        return self._times.popleft() if self._times else None

    @property
    def lost_at(self) -> int | None:
        """The timestamp at which the frame behind the last good one was to be shown, if known."""
        if self.broken_pts is None or not self.shows_in_order:
            return self.broken_pts
        return self._times[0] if self._times else self.broken_dts

    def _decode(self, packet: Packet) -> list[VideoFrame]:
        self._note(packet)
        try:
            frames = self._stream.decode(packet)
            if frames or not self._seen_frame or self._threaded:
                self._times.append(packet.dts)
            elif not self._live and self._hides_nothing and packet.size > NOTHING_NEW:
                self._break("a frame could not be decoded", packet)
            return frames
        except (FFmpegError, ValueError) as error:
            if self._seen_key and not self._live:
                self._break(f"decoding failed ({reason_of(error)})", packet)
                self._late_word = self._threaded
            return []

    def _note(self, packet: Packet) -> None:
        """Remember which frames must come out: those from the first key frame on, which files begin
        with."""
        if packet.dts is not None and self._latest is not None and packet.dts < self._latest:
            self._counts, self._pending = (
                False,
                [],
            )  # the clock restarts, as where two recordings were joined
        self._latest = packet.dts
        marked = self._checks is not None and self._checks.begins_whole
        self._begins_whole = self._begins_whole or marked
        if not self._seen_key and (packet.is_keyframe or marked or not self._cuttable):
            self._seen_key, self._first_key = True, packet.pts
        expected = self._counts and self._seen_key and not packet.is_discard
        if (
            expected
            and packet.pts is not None
            and (self._first_key is None or packet.pts >= self._first_key)
        ):
            heapq.heappush(self._pending, packet.pts)

    def _is_good(self, frame: VideoFrame) -> bool:
        """Whether the frame is whole and the next in line; otherwise ``broken`` is set."""
        if frame.interlaced_frame:  # two packets may make one frame
            self._counts, self._pending = False, []
        cut = self._cuttable and not self._begins_whole
        if not self._seen_frame and cut and frame.pts is not None:
            self._pending = sorted(pts for pts in self._pending if pts >= frame.pts)
        if frame.is_corrupt:
            return self._fail("the picture is damaged", frame.pts)
        if self._pending and frame.pts is not None:
            if self._pending[0] < frame.pts:
                return self._fail("a frame could not be decoded", self._pending[0])
            if self._pending[0] == frame.pts:
                heapq.heappop(self._pending)
        self._rhythm.note(frame.pts)
        self._seen_frame = True
        return True

    def _drain(self) -> Iterator[VideoFrame | None]:
        """The frames still inside the decoder. After a break only those that no missing frame can
        precede."""
        try:
            frames = self._stream.decode(None)
        except (FFmpegError, ValueError) as error:
            self.broken = self.broken or f"decoding failed ({reason_of(error)})"
            return
        for frame in frames:
            if not self._is_safe(frame.pts):
                return
            if not self._is_good(frame):
                yield None
                return
            yield frame
        if self._pending and not self.broken and not self._live:
            self._fail(
                f"the last {len(self._pending)} frames could not be decoded", self._pending[0]
            )

    def _is_safe(self, pts: int | None) -> bool:
        """Whether no lost frame belongs before this one, now that no more packets come."""
        if self.broken and not self._timed and self._stream.codec_context.has_b_frames:
            return False
        if pts is None:
            return True
        limit = self._first_key if self._safe_until is None else self._safe_until
        if self._cuttable and not self._live and self._rhythm.skips(pts):
            self._fail("the file is cut short", None)
            return False
        # A frame is never shown before its packet is decoded, so lost ones have a pts >= the dts
        # where reading broke.
        return not (self.broken and limit is not None and pts > limit)

    def _break(self, reason: str, packet: Packet) -> None:
        self.broken, self._safe_until, self.broken_pts = reason, packet.dts, packet.pts
        self.broken_dts = packet.dts

    def _fail(self, reason: str, pts: int | None) -> bool:
        if not self.broken and not self._live:
            self.broken, self.broken_pts = reason, pts
        return False


def reason_of(error: BaseException) -> str:
    """FFmpeg's own words for an error, without the address that PyAV adds."""
    if isinstance(error, ExitError):  # what PyAV's time limits come as
        return "nothing came for too long"
    return getattr(error, "strerror", None) or str(error)
