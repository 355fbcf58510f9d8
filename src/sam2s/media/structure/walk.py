"""Going along the pieces of a file beside the packets that FFmpeg takes from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes ``start`` to ``end`` of the file, with ``frames`` packets of the video in them.

    ``key``: marked as a place where decoding may begin.
    """

    start: int
    end: int
    frames: int = 1
    key: bool = False


class Flaw(Exception):
    """The structure is broken here."""


class Walk:
    """Goes along the pieces of a file beside its packets; to be closed."""

    def __init__(self, pieces: Iterator[Piece], file: File) -> None:
        self._pieces, self._file = pieces, file
        self._piece = Piece(0, 0, 0)
        self._before = 0  # packets in the pieces before this one
        self._done = self._flawed = False

    def reaches(self, position: int, packets: int) -> bool:
        """Walk on to the packet at ``position``, before which ``packets`` came; False where the
        structure broke on the way, or held more packets than that."""
        while self._piece.end <= position and not self._done:
            self._step()
        if self._piece.end <= position:
            return not self._flawed
        return self._before <= packets

    @property
    def at_key(self) -> bool:
        """Whether the piece of the last packet is marked as a place where decoding may begin."""
        return self._piece.key

    def finish(self, packets: int) -> bool:
        """Walk to the end of the file; False where the structure broke or holds more packets."""
        while not self._done:
            self._step()
        return not self._flawed and self._before + self._piece.frames <= packets

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _step(self) -> None:
        try:
            piece = next(self._pieces, None)
        except Flaw:
            self._flawed, piece = True, None
        if piece is None:
            self._done = True
            return
        self._before += self._piece.frames
        self._piece = piece


class File:
    """A file read at any place; nothing is read beyond its end."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = open(path, "rb", buffering=0)  # noqa: SIM115 (closed with the walk)
        self.size = os.path.getsize(path)

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def read(self, position: int, count: int) -> bytes:
        """``count`` bytes; Flaw where the file ends before."""
        self._file.seek(position)
        data = self._file.read(count)
        if len(data) < count:
            raise Flaw
        return data

    def peek(self, position: int, count: int) -> bytes:
        """Up to ``count`` bytes."""
        self._file.seek(position)
        return self._file.read(count)

    def number(self, position: int, count: int, order: str = "big") -> int:
        """An unsigned number of ``count`` bytes."""
        return int.from_bytes(self.read(position, count), "big" if order == "big" else "little")


def is_name(name: bytes) -> bool:
    """Whether these four bytes can name a chunk or a box."""
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)
