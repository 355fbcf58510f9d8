"""Videos and folders of pictures that are damaged somewhere."""

from __future__ import annotations

from pathlib import Path

import av
from PIL import Image

from footage import FAST, Clip, numbered

COUNT, BAD = 30, 17
CLIP = Clip(".mp4", count=COUNT, options={"bf": "0"}, muxer=FAST, size=(96, 128))


def cut_short(folder: Path, name: str = "cut") -> Path:
    """An mp4 whose last third is missing, as after a copy that was broken off."""
    path = CLIP.write(folder, name)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def with_a_hole(folder: Path, name: str = "hole") -> Path:
    """An mp4 in which the bytes of frame ``BAD`` are zero."""
    path = CLIP.write(folder, name)
    with av.open(str(path)) as film:
        packet = [packet for packet in film.demux(video=0) if packet.size][BAD]
        place, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[place : place + size] = bytes(size)
    path.write_bytes(data)
    return path


def without_its_head(folder: Path, name: str = "headless") -> Path:
    """An mp4 of whose index nothing is left, as of a recorder that lost its power."""
    path = Clip(".mp4", count=COUNT, options={"bf": "0"}, size=(96, 128)).write(folder, name)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    return path


def pictures_with_a_bad_one(folder: Path) -> Path:
    """A folder of pictures, of which number ``BAD`` is none."""
    folder.mkdir()
    for k in range(COUNT):
        Image.fromarray(numbered(k, (96, 128))).save(folder / f"{k:03d}.png")
    bad = folder / f"{BAD:03d}.png"
    bad.write_bytes(bad.read_bytes()[:200])
    return folder
