"""The packets of an MPEG transport stream, and the pictures (PES packets) they carry.

Each packet of a track has a counter of four bits, so that a loss shows. It also shows where two
good recordings were joined: there a picture begins, at another time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from av.video.stream import VideoStream

from sam2s.media.structure.walk import File, Flaw, Piece

PACKET, SYNC = 188, 0x47
STRIDES = (188, 192, 204)
"""Bytes from packet to packet: plain, with a time stamp in front (M2TS), with check bytes."""
AT_ONCE = 4096
CLOCK = 90_000
"""Ticks per second of the time stamps."""
PAUSE = 10.0
"""Seconds from which on a step of the clock is a pause between recordings, no loss."""


def transport_pieces(file: File, stream: VideoStream) -> Iterator[Piece]:
    """The pictures of the stream's track, each when it has come to its end unharmed."""
    track = _Track()
    for position, row, jumped in _packets_of(file, stream.id):
        begins = bool(row[1] & 0x40)
        if row[1] & 0x80 or (jumped and not begins and track.begun is not None):
            raise Flaw  # marked as damaged, or a part of a picture is missing
        if begins and not _is_picture(row):
            raise Flaw
        if begins:
            if track.begun is not None:
                yield Piece(track.begun, track.begun + PACKET, 0, track.key)
            track.begin(position, _decoding_time(row), jumped)
            track.key = bool(row[3] & 0x20 and row[4] and row[5] & 0x40)
    if track.begun is not None:
        yield Piece(track.begun, track.begun + PACKET, 0, track.key)


class _Track:
    """Where the picture under way began, and the steps of the clock so far."""

    def __init__(self) -> None:
        self.begun: int | None = None
        self.key = False
        self._time: int | None = None
        self._step = 0

    def begin(self, position: int, time: int | None, jumped: bool) -> None:
        """A picture begins; Flaw where pictures are missing before it."""
        self.begun = position
        if time is None:
            return
        step = 0 if self._time is None else time - self._time
        self._time = time
        if jumped and self._step and 1.5 * self._step < step < PAUSE * CLOCK:
            raise Flaw
        if not jumped:
            self._step = max(self._step, step)


def _packets_of(file: File, track: int) -> Iterator[tuple[int, np.ndarray, bool]]:
    """(position, packet, whether packets may be missing before it) where a picture begins or
    packets are missing. Flaw where no more packets are found before the end of the file."""
    stride, position = _packing(file, 0)
    counter: int | None = None
    slipped = False
    while position + PACKET <= file.size:
        block = np.frombuffer(file.peek(position, stride * AT_ONCE), np.uint8)
        count = (len(block) + stride - PACKET) // stride
        block = np.pad(block, (0, max(0, count * stride - len(block))))
        rows = block[: count * stride].reshape(count, stride)
        lost = np.flatnonzero(rows[:, 0] != SYNC)
        good = rows[: lost[0]] if len(lost) else rows
        ours = ((good[:, 1] & 0x1F).astype(int) << 8 | good[:, 2]) == track
        chosen = np.flatnonzero(ours & (good[:, 3] & 0x10 > 0))
        if len(chosen):
            counters = (good[chosen, 3] & 0x0F).astype(int)
            first = counters[0] - 1 if counter is None else counter
            steps = (counters - [first, *counters[:-1]]) % 16
            marked = (good[chosen, 1] & 0xC0 > 0) & (steps > 0)  # begins, or said to be damaged
            for k in np.flatnonzero((steps > 1) | marked):
                place = position + int(chosen[k]) * stride
                yield place, good[chosen[k]], slipped or bool(steps[k] > 1)
                slipped = False
            counter = int(counters[-1])
        position += len(good) * stride
        if len(lost):
            stride, position = _packing(file, position)
            slipped = True
    if position < file.size or slipped:
        raise Flaw


def _packing(file: File, position: int) -> tuple[int, int]:
    """(bytes from packet to packet, position of the first) from ``position`` on."""
    while position + PACKET <= file.size:
        block = file.peek(position, 1 << 16)
        for start in range(len(block)):
            if block[start] != SYNC:
                continue
            for stride in STRIDES:
                if all(byte == SYNC for byte in block[start : start + 4 * stride : stride]):
                    return stride, position + start
        position += len(block)
    raise Flaw


def _is_picture(packet: np.ndarray) -> bool:
    """Whether a PES packet begins where it should."""
    data = packet.tobytes()
    start = 4 + (1 + data[4] if data[3] & 0x20 else 0)
    return data[start : start + 3] == b"\0\0\1"


def _decoding_time(packet: np.ndarray) -> int | None:
    """The time stamp at which the picture is decoded, in ticks, of the packet that begins it."""
    data = packet.tobytes()
    start = 4 + (1 + data[4] if data[3] & 0x20 else 0)
    header = data[start : start + 19]
    if len(header) < 19:
        return None
    stamps = header[7] >> 6
    if not stamps & 2:
        return None
    field = header[14:19] if stamps == 3 else header[9:14]
    return (
        (field[0] >> 1 & 7) << 30
        | field[1] << 22
        | (field[2] >> 1) << 15
        | field[3] << 7
        | field[4] >> 1
    )
