"""Label Studio's run-length code of brushes: bits of a picture of four channels, red, green, blue
and alpha, row by row.

A head says the number of values (32 bits), the bits of a value less one (5) and four widths of run
lengths less one (4 each). Then come runs: a bit that says whether one value is repeated, two bits
that choose a width, the length less one in that width, and the value, or as many values as the
length says. Source: the format of rle-pack in thi-ng/umbrella.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sam2s.errors import InputError
from sam2s.masklets.masks import run_lengths

CHANNELS = 4
WIDTHS = (3, 4, 8, 16)
"""Bits of a run's length."""
LONGEST = 2 ** WIDTHS[-1]
VALUE_BITS = 8
HEAD = 32 + 5 + 4 * len(WIDTHS)


def encode_brush(mask: np.ndarray) -> list[int]:
    """(H, W) bool -> bytes, 255 in all four channels where the mask is True."""
    lengths, values = _pieces(np.array(run_lengths(mask.T)) * CHANNELS)
    kind = np.searchsorted([2**width for width in WIDTHS], lengths)
    width = np.array(WIDTHS)[kind]
    code = ((0b100 | kind) << width | (lengths - 1)) << VALUE_BITS | values * 255
    bits = 3 + width + VALUE_BITS
    # Each code stands left-aligned in a row of bits, as many of which count as it is long.
    longest = 3 + WIDTHS[-1] + VALUE_BITS
    places = np.arange(longest)
    rows = (code << (longest - bits))[:, None] >> places[::-1] & 1
    head = f"{mask.size * CHANNELS:032b}{VALUE_BITS - 1:05b}" + "".join(
        f"{width - 1:04b}" for width in WIDTHS
    )
    flat = np.concatenate([np.array([*head], np.uint8), rows[places < bits[:, None]]])
    return np.packbits(flat.astype(np.uint8)).tolist()


def _pieces(runs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs that begin with background, none longer than the code allows: lengths and values."""
    whole, rest = np.divmod(runs, LONGEST)
    pieces = np.repeat(np.full_like(runs, LONGEST), whole)
    at = np.cumsum(whole)
    values = np.repeat(np.arange(len(runs)) % 2, whole)
    keep = rest > 0
    lengths = np.insert(pieces, at[keep], rest[keep])
    return lengths, np.insert(values, at[keep], (np.arange(len(runs)) % 2)[keep])


def decode_brush(code: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: where the last channel is not 0. Raises InputError where the code is damaged or
    of another size."""
    height, width = size
    try:
        bits = "".join(f"{value:08b}" for value in bytes(code))
        count, value_bits = int(bits[:32], 2), int(bits[32:37], 2) + 1
        widths = [int(bits[at : at + 4], 2) + 1 for at in range(37, HEAD, 4)]
        if count != height * width * CHANNELS:
            raise ValueError(f"it holds {count} values, not {height} x {width} x {CHANNELS}")
        values = _unpacked(bits, count, value_bits, widths)
    except (ValueError, TypeError) as error:
        raise InputError(f"brush: cannot be decoded ({error})") from error
    return values.reshape(height, width, CHANNELS)[:, :, CHANNELS - 1]


def _unpacked(bits: str, count: int, value_bits: int, widths: Sequence[int]) -> np.ndarray:
    """(count,) bool: the values that are not 0."""
    out = np.zeros(count, bool)
    at, done = HEAD, 0
    while done < count:
        width = widths[int(bits[at + 1 : at + 3], 2)]
        repeated, start = bits[at] == "1", at + 3
        length = int(bits[start : start + width], 2) + 1
        at = start + width
        if done + length > count:
            raise ValueError("its runs are longer than the picture")
        for _ in range(1 if repeated else length):
            out[done : done + (length if repeated else 1)] = int(bits[at : at + value_bits], 2) > 0
            done += length if repeated else 1
            at += value_bits
    return out
