"""Still pictures on disk: natural order of names, and one reader that turns any of them into RGB.

Needs Pillow and NumPy only, so training reads its frames without PyAV.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sam2s.errors import InputError
from sam2s.media.regular import regular_size

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})
"""Suffixes (lower case) of the files that a folder of frames may hold."""
MAX_PIXELS = 64_000_000
"""Default limit on width x height of one picture: a 64 megapixel frame already takes 192 MB as
RGB."""


class DamagedPicture(InputError):
    """A picture exists but cannot be decoded, or not to its end."""


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which numbers count as numbers: ``frame2`` before ``frame10``; ``1``, ``01``
    stay distinct."""
    parts = re.split(r"([0-9]+)", name)
    return (
        *((0, int(p), "") if p.isdecimal() else (1, 0, p.lower()) for p in parts if p),
        (2, 0, name),
    )


def list_pictures(folder: Path) -> list[Path]:
    """The pictures directly inside ``folder`` in natural order, without hidden files (such as
    macOS's ``._x.jpg``).

    Raises InputError where one is no file but a named pipe, a device or a socket.
    """
    found = [
        p
        for p in folder.iterdir()
        if p.suffix.lower() in PICTURE_SUFFIXES and not p.name.startswith(".")
    ]
    for path in found:
        if not path.is_file() and path.exists() and not path.is_dir():
            regular_size(path)
    return sorted(found, key=lambda path: natural_key(path.name))


def read_rgb(path: Path | str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The picture as (H, W, 3) uint8 RGB, upright by its EXIF tag; transparency is dropped, 16 bit
    becomes 8.

    Raises:
        InputError: no such file, more than ``max_pixels`` pixels, several pictures in one TIFF or
            animated PNG, or a pixel format without a fixed range (float).
        DamagedPicture: the file is not a picture, or is cut short.
    """
    with open_picture(path, max_pixels) as picture:
        pages = getattr(picture, "n_frames", 1)
        if picture.format in ("TIFF", "PNG") and pages > 1:
            raise InputError(
                f"{path}: holds {pages} pictures; save each as a file of its own in a folder"
            )
        if "exif" in picture.info:
            picture = ImageOps.exif_transpose(picture)
        return np.asarray(_to_rgb(picture, path))


def read_size(path: Path | str, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(height, width) of ``read_rgb``'s answer, from the file's header alone. Raises as
    ``read_rgb``."""
    with open_picture(path, max_pixels) as picture:
        width, height = picture.size
        sideways = "exif" in picture.info and picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        return (width, height) if sideways else (height, width)


def is_animated_png(path: Path) -> bool:
    """Whether the file is a PNG that says it holds several pictures (APNG), by the chunks before
    its first."""
    with suppress(OSError), open(path, "rb") as file:
        if file.read(8) != b"\x89PNG\r\n\x1a\n":
            return False
        while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
            if head[4:] == b"acTL":
                return int.from_bytes(file.read(4), "big") > 1
            file.seek(int.from_bytes(head[:4], "big") + 4, 1)
    return False


@contextmanager
def open_picture(path: Path | str, max_pixels: int) -> Iterator[Image.Image]:
    """Open a picture, check its size before a pixel is decoded, and turn Pillow's many errors into
    ours."""
    try:
        with warnings.catch_warnings():
            # Pillow's own size limit only warns at 89 megapixels and raises at 179: ours below is
            # stricter or chosen.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if regular_size(path) == 0:
                raise DamagedPicture(f"{path}: not a picture that can be read (it is empty)")
            with Image.open(path) as picture:
                check_pixels(picture.size[1], picture.size[0], max_pixels, str(path))
                yield picture
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder, expected a picture") from error
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it") from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: the picture is too large ({error}); scale it down first"
        ) from error
    except UnidentifiedImageError as error:
        raise DamagedPicture(
            f"{path}: not a picture that can be read (damaged or of an unknown kind)"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DamagedPicture(f"{path}: damaged picture ({error})") from error


def check_pixels(height: int, width: int, max_pixels: int, what: str) -> None:
    """Raise InputError when a picture of this size is over the limit or empty."""
    if height * width > max_pixels:
        raise InputError(
            f"{what}: {width} x {height} is {height * width / 1e6:.1f} megapixel, the limit is "
            f"{max_pixels / 1e6:g}; scale it down, or raise max_pixels"
        )


def _to_rgb(picture: Image.Image, path: Path | str) -> Image.Image:
    """Any Pillow mode -> RGB."""
    mode = picture.mode
    if mode == "RGB":
        return picture
    if mode == "F":
        raise InputError(
            f"{path}: floating-point pixels have no fixed range; save the picture with 8 or 16 bit"
        )
    if mode.startswith("I"):
        # One fixed scale for every frame: stretching each picture to its own range would make a
        # video flicker.
        grey = np.clip(np.asarray(picture).astype(np.int64), 0, 65535) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")
