"""OpenCV, an optional dependency: ``from sam2s.opencv import cv2`` everywhere, `import_opencv` to
find out early.

``cv2`` is looked up when it is used: importing the package neither needs nor loads OpenCV, and the
first use without it is an InputError that says what to install.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sam2s.errors import InputError
from sam2s.extras import missing_extra


def import_opencv() -> Any:
    """The module ``cv2``; InputError that says what to install where there is none."""
    try:
        import cv2
    except ImportError as error:
        raise missing_extra("this", "OpenCV", "synth") from error
    return cv2


class _OpenCV:
    """Stands in for the module until one of its functions is asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_opencv(), name)


cv2: Any = _OpenCV()


def single_threaded() -> None:
    """Turn OpenCV's threads off in this process, where it is installed: pictures are small, and
    work that is done in parallel has a process for each core already."""
    with suppress(InputError):
        cv2.setNumThreads(1)
