"""Pixels of a source's frames: from picture files, and from videos whose frames are asked for in
rising order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.convert.sources.base import Picture
from sam2s.errors import InputError
from sam2s.media.pictures import read_rgb, read_size
from sam2s.media.regular import regular_size


class PictureReader:
    """Reads ``Picture``s; keeps one video open and goes forward in it. Context manager."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._container: Any = None
        self._frames: Iterator[Any] = iter(())
        self._next = 0

    def __enter__(self) -> PictureReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def read(self, picture: Picture) -> np.ndarray:
        """(H, W, 3) uint8 RGB after the crop. Raises InputError when the file or the frame in it is
        missing."""
        pixels = (
            read_rgb(picture.path)
            if picture.index is None
            else self._frame(picture.path, picture.index)
        )
        if picture.crop is None:
            return pixels
        x, y, width, height = picture.crop
        return np.ascontiguousarray(pixels[y : y + height, x : x + width])

    def close(self) -> None:
        """Close the video that is open, if any."""
        if self._container is not None:
            self._container.close()
        self._path, self._container, self._frames, self._next = None, None, iter(()), 0

    def _frame(self, path: Path, index: int) -> np.ndarray:
        # Here, since masks and pictures must be readable where PyAV is not installed.
        from av.error import FFmpegError

        if self._path != path or index < self._next:
            self._open(path)
        try:
            for frame in self._frames:
                self._next += 1
                if self._next == index + 1:
                    return frame.to_ndarray(format="rgb24")
        except (FFmpegError, OSError, ValueError) as error:
            raise InputError(
                f"{path}: broken at frame {self._next} ({error}), expected a frame {index}"
            ) from error
        raise InputError(
            f"{path}: expected a frame {index}, found {self._next} frames; the video is cut short"
        )

    def _open(self, path: Path) -> None:
        from sam2s.media.address import SourceAddress
        from sam2s.media.opening import open_container

        self.close()
        regular_size(path)
        try:
            self._container = open_container(SourceAddress("file", str(path), path.name, path), {})
            self._frames = iter(self._container.decode(video=0))
        except (ValueError, IndexError) as error:  # InputError is a ValueError
            raise InputError(f"{path}: cannot be read as a video ({error})") from error
        self._path = path


def picture_size(picture: Picture) -> tuple[int, int] | None:
    """(H, W) after the crop, from a header alone; None for a frame of a video."""
    if picture.crop is not None:
        return picture.crop[3], picture.crop[2]
    return None if picture.index is not None else read_size(picture.path)
