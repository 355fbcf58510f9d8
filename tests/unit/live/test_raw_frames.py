"""Raw frames, to the pixel, in every format."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sam2s.errors import Doubt, InputError
from sam2s.live import raw_frames as module
from sam2s.live.raw_frames import FORMATS, RawFormat, raw_frames

RGB = np.array([[(200, 30, 40), (10, 220, 30)], [(20, 30, 210), (99, 98, 97)]], np.uint8)


def data(pixels: str) -> bytes:
    if pixels in ("yuv420p", "nv12"):
        return bytes([120] * 4 + [128] * 2)
    if pixels == "gray":
        return RGB[..., 0].tobytes()
    order = RGB[..., ::-1] if pixels.startswith("bgr") else RGB
    if pixels.endswith("a"):
        order = np.concatenate([order, np.full((2, 2, 1), 255, np.uint8)], axis=2)
    return order.tobytes()


@pytest.mark.parametrize("pixels", FORMATS)
def test_a_frame_and_what_is_cut_off(pixels: str, monkeypatch: pytest.MonkeyPatch):
    raw = RawFormat.parse(f"2x2:{pixels}")
    stream = io.BytesIO(2 * data(pixels) + data(pixels)[:-1])
    monkeypatch.setattr(module.sys, "stdin", SimpleNamespace(buffer=stream))
    with pytest.warns(Doubt, match=f"bytes into a frame of 2 x 2 {pixels} .*; if the pictures"):
        found = list(raw_frames("-", raw))
    assert [frame.index for frame in found] == [0, 1]
    assert all(frame.arrived is not None for frame in found)
    image = found[1].image
    assert image.shape == (2, 2, 3)
    if pixels in ("yuv420p", "nv12"):
        assert np.ptp(image) <= 2
    elif pixels == "gray":
        np.testing.assert_array_equal(image, np.repeat(RGB[..., :1], 3, axis=2))
    else:
        np.testing.assert_array_equal(image, RGB)


def test_a_named_pipe(tmp_path: Path):
    pipe = tmp_path / "frames"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(3 * data("rgb24")))
    writer.start()
    assert len(list(raw_frames(f"pipe:{pipe}", RawFormat(2, 2)))) == 3
    writer.join()


def test_what_is_no_raw_video(tmp_path: Path):
    for text in ("", "2", "2x", "axb", "2x2:rgb", "0x4", "99999x99999", "3x2:nv12"):
        with pytest.raises(InputError, match=f"--raw {text}"):
            RawFormat.parse(text)
    with pytest.raises(InputError, match="cannot be opened"):
        next(raw_frames(str(tmp_path / "none"), RawFormat(2, 2)))
    (tmp_path / "short").write_bytes(b"12345")
    with pytest.raises(InputError, match=r"ended before its first frame.*5 of 12 bytes"):
        next(raw_frames(str(tmp_path / "short"), RawFormat(2, 2)))
