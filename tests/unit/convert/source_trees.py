"""Made-up trees in the layout of public sources, and one call that converts them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sam2s.convert.convert import ConvertReport, ConvertSettings, convert
from sam2s.masklets.masklets import MaskletFolder, MaskletVideo, open_masklets
from sam2s.masklets.provenance import SOURCES

SIZE = (32, 40)
"""(H, W) of made-up pictures."""


def write(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    """An array as a picture of the kind that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def picture(path: Path, size: tuple[int, int] = SIZE, seed: int = 0) -> Path:
    """A coloured picture, different for every seed."""
    pixels = np.zeros((*size, 3), dtype=np.uint8)
    pixels[...] = np.random.default_rng(seed).integers(30, 220, 3)
    pixels[:: 2 + seed % 3, :, 0] = 90
    return write(path, pixels)


def box(top: int, left: int, height: int, width: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W) bool with one rectangle."""
    mask = np.zeros(size, dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


def grey(mask: np.ndarray, value: int = 255) -> np.ndarray:
    """(H, W) bool -> uint8 with ``value`` inside."""
    return mask.astype(np.uint8) * np.uint8(value)


def codes(
    size: tuple[int, int] = SIZE, fill: int = 0, **regions: tuple[int, np.ndarray]
) -> np.ndarray:
    """(H, W) uint8 codes; later regions lie on top."""
    pixels = np.full(size, fill, dtype=np.uint8)
    for code, mask in regions.values():
        pixels[mask] = code
    return pixels


def thrice(pixels: np.ndarray) -> np.ndarray:
    """A code in three equal channels."""
    return np.repeat(pixels[..., None], 3, axis=2)


def junk(root: Path, *folders: str) -> None:
    """What archives and desktops leave: AppleDouble files, folder settings, zero-byte files."""
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / ".DS_Store").write_bytes(b"junk")
        (root / folder / "Thumbs.db").write_bytes(b"junk")
        for name in [path.name for path in (root / folder).iterdir() if path.is_file()]:
            if not name.startswith("._"):
                (root / folder / f"._{name}").write_bytes(b"\0\5\x16\7")
        if any((root / folder).iterdir()):
            twin = root / "__MACOSX" / folder
            twin.mkdir(parents=True, exist_ok=True)
            for path in (root / folder).iterdir():
                if path.is_file():
                    (twin / path.name).write_bytes(b"\0\5\x16\7")


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@dataclass
class Converted:
    """A conversion and how it reads back."""

    report: ConvertReport
    folder: MaskletFolder
    provenance: dict[str, Any]

    def names(self) -> list[str]:
        return list(self.folder.videos)

    def classes(self, video: str) -> dict[int, str | None]:
        return {i: known.class_name for i, known in self.folder.videos[video].info.objects.items()}

    def present(self, video: str) -> dict[int, list[str]]:
        """{object id: names of the frames on which it is seen}; fails when a frame is not annotated
        for it."""
        read = self.folder.videos[video]
        return {
            i: [read.frame_names[t] for t in read.annotated(i) if mask(read, i, t).any()]
            for i in read.info.objects
        }

    def frames(self, video: str) -> dict[str, dict[str, Any]]:
        return self.provenance["videos"][video]["frames"]


def mask(video: MaskletVideo, object_id: int, index: int) -> np.ndarray:
    found = video.mask(object_id, index)
    assert found is not None
    return found


def converted(name: str, root: Path, out: Path, frames: Any = "copy", **options: str) -> Converted:
    report = convert(name, root, out, frames, False, ConvertSettings(options))
    return Converted(report, open_masklets(out), json.loads((out / SOURCES).read_text()))
