"""Frame sources that need no decoder of video: folders of pictures, single pictures, arrays,
iterators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

from sam2s.errors import DamagedSource, InputError
from sam2s.media.pictures import (
    MAX_PIXELS,
    PICTURE_SUFFIXES,
    by_stem,
    check_pixels,
    list_pictures,
    other_pictures,
    read_rgb,
    read_size,
)
from sam2s.types import Frame


class PictureFrames:
    """A folder of pictures in natural order, or one picture. See ``FrameSource``; times exist only
    with ``fps``."""

    count_exact = True
    live = False

    def __init__(
        self, path: Path, *, fps: float | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        folder = path.is_dir()
        self._paths = list_pictures(path) if folder else [path]
        left_out = other_pictures(path) if folder else []
        self.notes: Sequence[str] = [_left_out(left_out)] if left_out else []
        if not self._paths:
            kinds = ", ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
            raise InputError(
                f"{path}: no pictures in this folder; expected files ending in {kinds}"
                + (f", found files such as {left_out[0]}" if left_out else "")
            )
        by_stem(self._paths)
        self.name = path.resolve().name
        self.path: Path | None = path
        self.fps = fps
        self.count: int | None = len(self._paths)
        self._max_pixels = max_pixels
        self._size: tuple[int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels of the first picture, from its header."""
        if self._size is None:
            self._size = read_size(self._paths[0], self._max_pixels)
        return self._size

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Frames from index ``start`` on; raises DamagedSource at a picture that cannot be read or
        is of another size."""
        size = self.size
        for index in range(start, len(self._paths)):
            time = None if self.fps is None else index / self.fps
            yield Frame(index, time, self._read(index, time, size))

    def _read(self, index: int, time: float | None, size: tuple[int, int]) -> np.ndarray:
        path = self._paths[index]
        try:
            image = read_rgb(path, self._max_pixels)
        except InputError as error:
            raise DamagedSource(f"frame {index}: {error}", index, time) from error
        return _same_size(image, size, index, time, path.name)

    def frame_name(self, index: int) -> str:
        """The stem of the picture's file name."""
        return self._paths[index].stem

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def close(self) -> None:
        """Does nothing: a picture's file is closed as soon as it is read."""

    def __enter__(self) -> PictureFrames:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class ArrayFrames:
    """An array (T, H, W, 3) or (H, W, 3), a list, or an iterator of pictures. See ``FrameSource``.

    ``Frame`` objects pass with their own index and time. An iterator or generator can be read once.
    """

    name = "array"
    path: Path | None = None
    notes: Sequence[str] = ()

    def __init__(
        self, pictures: Any, *, fps: float | None = None, max_pixels: int = MAX_PIXELS
    ) -> None:
        if hasattr(pictures, "__array__") and not isinstance(pictures, Image.Image):
            pictures = _split_array(pictures)
        elif isinstance(pictures, Image.Image):
            pictures = [pictures]
        self._again = not isinstance(pictures, Iterator)
        self._pictures: Iterable[Any] = pictures
        self.fps = fps
        self.count: int | None = len(pictures) if hasattr(pictures, "__len__") else None
        self.count_exact = self.count is not None
        if self.count == 0:
            raise InputError("source: holds no frames")
        self._max_pixels = max_pixels
        self._size: tuple[int, int] | None = None
        self._spent = False

    @property
    def live(self) -> bool:
        """Whether the pictures came as an iterator, which can be read once."""
        return not self._again

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels of the first picture, which an iterator still yields afterwards."""
        if self._size is None:
            pictures = iter(self._pictures)
            first = next(pictures, None)
            if first is None:
                raise InputError("source: holds no frames")
            if not self._again:
                self._pictures = chain([first], pictures)
            self._size = self._to_frame(0, first).size
        return self._size

    def frames(self, start: int = 0) -> Iterator[Frame]:
        """Frames from place ``start`` on. Raises InputError for an iterator that was read before, a
        picture of an impossible shape or indices that do not rise, DamagedSource for a picture of
        another size than the first."""
        if self._spent:
            raise InputError("source: an iterator can be read once; make a new one, or give a list")
        size = self.size
        self._spent = not self._again
        last = -1
        for index, picture in enumerate(islice(self._pictures, start, None), start):
            frame = self._to_frame(index, picture)
            if frame.index <= last:
                raise InputError(
                    f"source: frame {frame.index} comes after frame {last}; indices must rise"
                )
            last = frame.index
            _same_size(frame.image, size, frame.index, frame.time, "the picture")
            yield frame

    def _to_frame(self, index: int, picture: Any) -> Frame:
        if isinstance(picture, Frame):
            return replace(picture, image=self._to_rgb(picture.image, picture.index))
        time = None if self.fps is None else index / self.fps
        return Frame(index, time, self._to_rgb(picture, index))

    def _to_rgb(self, picture: Any, index: int) -> np.ndarray:
        if isinstance(picture, str | Path):
            return read_rgb(picture, self._max_pixels)
        if isinstance(picture, Image.Image):
            picture = picture.convert("RGB")
        image = np.asarray(picture)
        if image.ndim == 2:
            image = np.stack([image] * 3, axis=-1)
        if (
            image.ndim != 3
            or image.shape[2] not in (3, 4)
            or image.dtype != np.uint8
            or 0 in image.shape
        ):
            raise InputError(
                f"frame {index}: expected a (height, width, 3) uint8 RGB picture, got {image.shape}"
                f" {image.dtype}"
            )
        check_pixels(image.shape[0], image.shape[1], self._max_pixels, f"frame {index}")
        return np.ascontiguousarray(image[..., :3])

    def frame_name(self, index: int) -> str:
        """The index in five digits."""
        return f"{index:05d}"

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def close(self) -> None:
        """Does nothing: there is no file to close."""

    def __enter__(self) -> ArrayFrames:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _left_out(names: Sequence[str]) -> str:
    return (
        f"left out {len(names)} picture{'s' * (len(names) > 1)} of unsupported formats, such as"
        f" {names[0]}; save them as jpg, png, tif or bmp"
    )


def _split_array(array: Any) -> np.ndarray:
    """(T, H, W, 3) as it is, (H, W, 3) as one frame."""
    array = np.asarray(array)
    if array.ndim == 3 and array.shape[2] in (3, 4):
        return array[None]
    if array.ndim != 4:
        raise InputError(
            "source: expected an array (frames, height, width, 3) or (height, width, 3), got"
            f" {array.shape}"
        )
    return array


def _same_size(
    image: np.ndarray, size: tuple[int, int], index: int, time: float | None, what: str
) -> np.ndarray:
    if image.shape[:2] != size:
        got, want = image.shape[:2], size
        raise DamagedSource(
            f"frame {index}: {what} is {got[1]} x {got[0]} pixels, the frames before it {want[1]} x"
            f" {want[0]}",
            index,
            time,
        )
    return image
