"""Frames by way of the decoder process are the frames, and its death is one line."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from footage import Clip
from sam2s.annotate import frame_reader
from sam2s.annotate.frame_reader import DecoderLost, FrameReader
from sam2s.errors import DamagedSource, InputError
from sam2s.media.frames import open_frames

FRAMES = 10


@pytest.fixture(scope="module")
def reader(video: Path):
    opened = FrameReader(video)
    opened.about()
    yield opened
    opened.close()


def test_frames_in_any_order_are_those_of_the_video(reader: FrameReader, video: Path):
    with open_frames(video) as source:
        truth = [frame.image for frame in source]
    told: list[int] = []
    index = reader.make_index(told.append)
    assert reader.about()["indexed"]
    assert reader.about()["count"] == FRAMES
    for k in (3, 4, 9, 0, 0):
        found = reader.frame(k)
        assert found.index == k
        assert (found.image == truth[k]).all()
    assert [f.index for f in reader.frames(7)] == [7, 8, 9]
    assert [(f.image == truth[f.index]).all() for f in reader.backward(2)] == [True] * 3
    jpeg = Image.open(io.BytesIO(reader.jpeg(5)))
    assert np.abs(np.asarray(jpeg).astype(int) - truth[5]).mean() < 12
    assert max(Image.open(io.BytesIO(reader.jpeg(5, 40))).size) == 40
    again = FrameReader(video, index)
    assert again.about()["indexed"]
    again.close()


def test_a_frame_that_is_not_there_is_said(reader: FrameReader):
    for index in (-1, FRAMES, 10**9):
        with pytest.raises(InputError, match=r"no such frame"):
            reader.frame(index)
    assert reader.frame(2).index == 2, "the decoder goes on"


def test_a_decoder_that_dies_is_one_line_and_the_next_question_is_answered(reader: FrameReader):
    reader.frame(1)
    reader._child.process.kill()
    with pytest.raises(DecoderLost, match="crashed or took longer"):
        reader.frame(1)
    assert reader.frame(1).index == 1


def test_a_decoder_that_hangs_is_ended(reader: FrameReader, monkeypatch: pytest.MonkeyPatch):
    import os
    import signal

    reader.frame(1)
    monkeypatch.setattr(frame_reader, "PATIENCE", 0.3)
    os.kill(reader._child.process.pid, signal.SIGSTOP)
    with pytest.raises(DecoderLost, match=r"longer than 0\.3 s"):
        reader.frame(2)


def test_damage_is_said_behind_the_last_good_frame(tmp_path: Path):
    whole = Clip(".mkv", options={"bf": "0"}).write(tmp_path)
    data = whole.read_bytes()
    broken = tmp_path / "cut.mkv"
    broken.write_bytes(data[: len(data) * 2 // 3])
    reader = FrameReader(broken)
    good: list[int] = []
    with pytest.raises(DamagedSource, match="broken at frame"):
        good.extend(frame.index for frame in reader.frames(0))
    reader.close()


def test_a_huge_picture_is_refused_before_it_is_unpacked(reader: FrameReader):
    def chunk(kind: bytes, data: bytes) -> bytes:
        import zlib

        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    side = (30_000).to_bytes(4, "big")
    head = chunk(b"IHDR", side + side + bytes([8, 0, 0, 0, 0]))
    huge = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"x\x9c") + chunk(b"IEND", b"")
    pictures = FrameReader(None)
    with pytest.raises(InputError, match=r"^the picture: .*900000000 pixels"):
        pictures.mask(huge)
    with pytest.raises(InputError, match="not a readable picture"):
        pictures.mask(b"no picture")
    small = io.BytesIO()
    Image.fromarray(np.eye(4, dtype=np.uint8) * 255).save(small, "PNG")
    assert (pictures.mask(small.getvalue()) == np.eye(4, dtype=bool)).all()
    pictures.close()
