"""The one way to OpenCV: late, and with a line that says what to install."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from sam2s.errors import InputError
from sam2s.opencv import cv2, import_opencv, single_threaded


def test_without_opencv_the_first_use_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    for use in (import_opencv, lambda: cv2.remap()):
        with pytest.raises(InputError, match=r"OpenCV.*pip install 'sam2s\[synth\]'"):
            use()
    single_threaded()


def test_its_functions_are_opencvs() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(cv2.flip(grey, 1), grey[:, ::-1])


def test_threads_are_turned_off() -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(4)
        single_threaded()
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)
