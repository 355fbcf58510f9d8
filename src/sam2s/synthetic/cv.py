"""OpenCV, or one clear line when it is not installed: every module of this package takes ``cv2``
from here."""

from __future__ import annotations

from typing import Any

from sam2s.errors import InputError


class _Missing:
    """Stands in for cv2; any use says what to install."""

    def __getattr__(self, name: str) -> Any:
        raise InputError(
            "synthetic scenes need OpenCV, which is not installed; run: pip install 'sam2s[synth]'"
        )


cv2: Any
try:
    import cv2
except ImportError:
    cv2 = _Missing()
