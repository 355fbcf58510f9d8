"""Black-and-white PNGs, several times faster than by a general encoder: converting a set writes a
million of them."""

from __future__ import annotations

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
UP = 2
"""PNG's filter that stores a row as its difference from the one above, which for masks is mostly
zeros."""


def encode_bits(mask: np.ndarray) -> bytes:
    """(H, W) bool -> 1-bit grey PNG, white = object."""
    height, width = mask.shape
    rows = np.packbits(mask, axis=1)
    lines = np.empty((height, rows.shape[1] + 1), dtype=np.uint8)
    lines[:, 0] = UP
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    packer = zlib.compressobj(level=6, strategy=zlib.Z_RLE)
    data = packer.compress(lines.data) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
    )
