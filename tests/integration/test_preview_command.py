"""``sam2s preview``: a frame with its pixels counted, and what prompts give on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.export.ruler import with_rulers
from sam2s.media.frames import open_frames
from sam2s.tracking.tracker import Tracker
from sam2s.types import Points
from sam2s.weights.load import load_model


def inside(path: Path, image: np.ndarray) -> np.ndarray:
    """The picture of the frame in the preview, without its rulers."""
    height, width = image.shape[:2]
    with Image.open(path) as picture:
        return np.asarray(picture)[-height:, -width:]


def test_a_frame_by_number_and_by_time(sam2s, video: Path, tmp_path: Path):
    frames = list(open_frames(video))
    for options, index in (("--frame 7", 7), ("--time 0.5", 5), ("", 0)):
        said = sam2s(f"preview {video} --out {tmp_path}/p.png {options}")
        assert said.code == 0, said.err
        assert said.out == (
            f"frame {index} ({frames[index].time:.3f} s), 64 x 48 pixels: {tmp_path}/p.png\n"
        )
        shown = inside(tmp_path / "p.png", frames[index].image)
        np.testing.assert_array_equal(shown[1:9, 1:9], frames[index].image[1:9, 1:9])


def test_clicks_are_drawn_with_the_mask_that_they_give(
    sam2s, video: Path, model_folder: Path, tmp_path: Path
):
    said = sam2s(
        f"preview {video} --frame 3 --click 1:16,18 --click 1:40,40,- --out {tmp_path}/p.jpg"
        f" --model {model_folder} --device cpu"
    )
    assert said.code == 0, said.err
    frame = list(open_frames(video))[3]
    clicks = Points([[16, 18], [40, 40]], [1, 0])
    result = Tracker(load_model(model_folder)).preview(frame, {1: clicks})
    assert f"score {result.scores[1]:.2f}, {100 * result.masks[1].mean():.1f} % of" in said.out
    with Image.open(tmp_path / "p.jpg") as shown:
        assert shown.format == "JPEG"


def test_rulers_count_pixels_and_leave_them_in_their_place():
    image = np.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=np.uint8)
    ruled = with_rulers(image)
    top, left = ruled.shape[0] - 120, ruled.shape[1] - 200
    assert 10 <= top < left < 60
    shown = ruled[top:, left:]
    changed = (shown != image).any(axis=2)
    rows = [y for y in range(120) if changed[y].mean() > 0.5]
    columns = [x for x in range(200) if changed[:, x].mean() > 0.5]
    assert rows == list(range(50, 120, 50))
    assert columns == list(range(50, 200, 50))
    assert (ruled[:top] < 100).any(), "numbers"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--frame 99", "--frame 99: op.mp4 has no such frame"),
        ("--frame -1", "--frame -1: op.mp4 has no such frame"),
        ("--time never", "--time never: expected MM:SS"),
        ("--time 99", "op.mp4 runs from 0.000"),
        ("--out {tmp}/p.gif", "p.gif: the picture's name must end in .png"),
        ("--click 1:500,500", "lies outside the picture"),
    ],
)
def test_what_cannot_be_shown(sam2s, video: Path, tmp_path: Path, options: str, words: str):
    said = sam2s(f"preview {video} --out {tmp_path}/p.png {options.format(tmp=tmp_path)}")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert words in said.err
    assert not list(tmp_path.glob("p.*"))


def test_python_m_sam2s():
    command = [sys.executable, "-m", "sam2s", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("sam2s ")
