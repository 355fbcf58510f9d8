"""Still pictures on disk: natural order of names, and one reader that turns any of them into RGB.

Needs Pillow and NumPy only, so training reads its frames without PyAV.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sam2s.errors import Doubt, InputError
from sam2s.media.regular import regular_size

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})
"""Suffixes (lower case) of the files that a folder of frames may hold."""
OTHER_PICTURES = re.compile(
    r"\.(webp|gif|apng|jfif|jpe|jif|jp2|j2k|jxl|heic|heif|avif|dib|tga|p[pgbn]m|exr|hdr|psd|svg|eps"
    r"|pcx|dcm|dicom|dng|raw|nef|cr2|arw)",
    re.IGNORECASE,
)
"""Suffixes of pictures that are not read, to say that a folder holds some."""
FORMATS = ("JPEG", "PNG", "TIFF", "BMP")
"""The kinds of files that are opened as pictures, by Pillow's names."""
ORIENTATION = 0x0112
TILE_WIDTH, TILE_LENGTH = 322, 323
LARGEST_TILE = 4096
"""Tiles of a TIFF may be larger than the picture, but not by much."""
TWELVE_BITS = 1 << 12
_FILTERS = Lock()
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

    Raises InputError where one is not a file but a named pipe, a device or a socket.
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


def other_pictures(folder: Path) -> list[str]:
    """Names of the pictures in ``folder`` that ``list_pictures`` leaves out for their kind, in
    natural order."""
    left_out = [
        p.name
        for p in folder.iterdir()
        if OTHER_PICTURES.fullmatch(p.suffix) and not p.name.startswith(".")
    ]
    return sorted(left_out, key=natural_key)


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """{stem: path}. Raises InputError when two have one stem, since files made from them would have
    one name."""
    table: dict[str, Path] = {}
    for path in paths:
        if path.stem in table:
            raise InputError(
                f"{path.parent}: two pictures are named '{path.stem}'"
                f" ({table[path.stem].name} and {path.name}); keep one"
            )
        table[path.stem] = path
    return table


def read_rgb(path: Path | str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The picture as (H, W, 3) uint8 RGB, upright by its orientation tag; transparency is dropped,
    16 bit becomes 8.

    Raises as ``read_picture``, and InputError for pixels without a fixed range (float).
    """
    return _to_rgb(read_picture(path, max_pixels), path)


def read_size(path: Path | str, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """(height, width) of ``read_rgb``'s answer, from the file's header alone. Raises as
    ``read_picture``, short of what only decoding tells."""
    with open_picture(path, max_pixels) as picture:
        width, height = picture.size
        # Pillow turns the size of a TIFF by itself.
        sideways = picture.format != "TIFF" and _orientation(picture) in (5, 6, 7, 8)
        return (width, height) if sideways else (height, width)


def read_picture(path: Path | str | BinaryIO, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The one picture of a file, decoded to its end and upright; ``format`` and ``info`` are kept.

    Raises:
        InputError: no such file, more than ``max_pixels`` pixels, several pictures in one TIFF or
            animated PNG.
        DamagedPicture: the file is not a picture of ``FORMATS``, or is cut short.
    """
    with open_picture(path, max_pixels) as picture:
        pages = getattr(picture, "n_frames", 1)
        if picture.format in ("TIFF", "PNG") and pages > 1:
            raise InputError(
                f"{path}: holds {pages} pictures; save each as a file of its own in a folder"
            )
        turned = picture.format != "TIFF" and _orientation(picture) != 1
        picture.load()
        if not turned:
            return picture
        upright = ImageOps.exif_transpose(picture)
        upright.format = picture.format
        return upright


def _orientation(picture: Image.Image) -> int:
    """The EXIF tag, 1 where there is none in front of the pixels."""
    if "exif" not in picture.info:
        return 1
    with _quietly():
        return picture.getexif().get(ORIENTATION, 1)


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
def open_picture(
    path: Path | str | BinaryIO, max_pixels: int = MAX_PIXELS
) -> Iterator[Image.Image]:
    """A picture whose header was read and whose size was checked; it decodes itself when its pixels
    are asked for. What its bytes make Pillow raise, of whatever type, is a DamagedPicture.

    The one place where pictures are opened: by ``FORMATS``, whatever the file is called. Others
    start programs (EPS starts Ghostscript) or have readers that few people ever looked at.
    """
    try:
        if isinstance(path, str | Path) and regular_size(path) == 0:
            raise DamagedPicture(f"{path}: not a readable picture (it is empty)")
        with _file(path) as file:
            with _quietly():
                picture = Image.open(file, formats=FORMATS)
            check_pixels(picture.size[1], picture.size[0], max_pixels, str(path))
            _check_tiles(picture, path)
            yield picture
    except InputError:
        raise
    except PermissionError as error:
        raise InputError(f"{path}: no permission to read it") from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: the picture is too large ({error}); scale it down first"
        ) from error
    except UnidentifiedImageError as error:
        raise DamagedPicture(
            f"{path}: not a readable picture (damaged, or not JPEG, PNG, TIFF or BMP)"
        ) from error
    except MemoryError as error:
        raise DamagedPicture(f"{path}: not enough memory to read it") from error
    except Exception as error:
        raise DamagedPicture(f"{path}: damaged picture ({error})") from error


def _file(path: Path | str | BinaryIO) -> AbstractContextManager[BinaryIO]:
    """Pillow is given an open file, never a name: by name it maps uncompressed TIFFs into memory,
    and scrambles those whose tag turns them by a quarter (seen in 13.0)."""
    return open(path, "rb") if isinstance(path, str | Path) else nullcontext(path)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Pillow's warnings of what it finds odd in a file, and of pictures from 89 to 179
    megapixels: the limit here is stricter or chosen. Filters of warnings are the whole program's,
    hence the lock."""
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _check_tiles(picture: Image.Image, path: Path | str | BinaryIO) -> None:
    """A TIFF says how large its tiles are, beside how large it is, and libtiff unpacks whole
    ones."""
    tags = getattr(picture, "tag_v2", {})
    for tag, side in ((TILE_WIDTH, picture.size[0]), (TILE_LENGTH, picture.size[1])):
        given = tags.get(tag, 0)
        if not isinstance(given, int) or given > max(side, LARGEST_TILE):
            raise DamagedPicture(
                f"{path}: its tiles are {given} pixels long, the picture {picture.size[0]} x"
                f" {picture.size[1]}"
            )


def check_pixels(height: int, width: int, max_pixels: int, what: str) -> None:
    """Raise InputError when a picture of this size is over the limit or empty."""
    if height * width > max_pixels:
        raise InputError(
            f"{what}: {width} x {height} is {height * width / 1e6:.1f} megapixel, the limit is "
            f"{max_pixels / 1e6:g}; scale it down, or raise max_pixels"
        )


def _to_rgb(picture: Image.Image, path: Path | str) -> np.ndarray:
    """Any Pillow mode -> (H, W, 3) uint8."""
    mode = picture.mode
    if mode == "F":
        raise InputError(
            f"{path}: floating-point pixels have no fixed range; save the picture with 8 or 16 bit"
        )
    if mode.startswith("I"):
        # One fixed scale for every frame: stretching each picture to its own range would make a
        # video flicker.
        grey = np.asarray(picture)
        if grey.dtype.itemsize > 2:
            grey = np.clip(grey, 0, 65535).astype(np.uint16)
        if 0 < grey.max() < TWELVE_BITS:
            warnings.warn(
                "16-bit pictures with no value above 4095 come out nearly black; if they hold 10 or"
                " 12 bit, scale them to the whole range first",
                Doubt,
                stacklevel=3,
            )
        return np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return np.asarray(picture if mode == "RGB" else picture.convert("RGB"))
