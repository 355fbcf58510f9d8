"""OpenCV for training data, or one clear line when it is not installed."""

from __future__ import annotations

from typing import Any

from sam2s.errors import InputError


class _Missing:
    """Stands in for cv2; any use says what to install."""

    def __getattr__(self, name: str) -> Any:
        raise InputError(
            "training on stills needs OpenCV, which is not installed; run: pip install"
            " 'sam2s[train]'"
        )


cv2: Any
try:
    import cv2

    # Frames are small and every loading process has a core of its own: OpenCV's threads would only
    # get in the way.
    cv2.setNumThreads(1)
except ImportError:
    cv2 = _Missing()
