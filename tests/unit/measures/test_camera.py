"""The camera's motion, told from pictures that were moved by a known amount."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from instruments import SIZE, result_of, shaft

from sam2s.errors import InputError
from sam2s.measures.camera_motion import camera_motion
from sam2s.media.frames import open_frames

FRAMES = 8


@pytest.fixture(scope="module")
def ground() -> np.ndarray:
    rng = np.random.default_rng(0)
    rough = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
    return cv2.resize(rough, (320, 240), interpolation=cv2.INTER_CUBIC)


def step_of(turn: float, shift: tuple[float, float]) -> np.ndarray:
    c, s = np.cos(turn), np.sin(turn)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def film(ground: np.ndarray, step: np.ndarray, count: int = FRAMES) -> list[np.ndarray]:
    """Pictures whose ground moves by ``step`` from one to the next, with an instrument that stands
    still in front of it."""
    tool = shaft((0, 60), (90, 60), 24)
    whole, pictures = np.eye(3), []
    whole[:2, 2] = -60, -60
    for _ in range(count):
        picture = cv2.warpAffine(ground, whole[:2], SIZE[::-1])
        picture[tool] = np.indices(SIZE).sum(0)[tool][:, None] % 16 * 12
        pictures.append(picture)
        whole = np.vstack([step, (0, 0, 1)]) @ whole
    return pictures


@pytest.mark.parametrize("step", [step_of(0.0, (1.5, -0.8)), step_of(0.01, (0.4, 0.9))])
def test_it_is_that_of_the_ground_and_not_of_the_instrument(ground: np.ndarray, step: np.ndarray):
    tool = shaft((0, 60), (90, 60), 24)
    pictures = film(ground, step)
    found = camera_motion(open_frames(pictures), result_of([{1: tool}] * FRAMES))
    assert sorted(found.steps) == list(range(1, FRAMES))
    corners = np.array([(0, 0), (159, 0), (159, 119), (0, 119)], float)
    for moved in found.steps.values():
        got, expected = (corners @ m[:, :2].T + m[:, 2] for m in (moved, step))
        assert np.abs(got - expected).max() < 0.6


def test_a_picture_without_texture_tells_nothing(ground: np.ndarray):
    flat = [np.full((*SIZE, 3), 90, np.uint8)] * 4
    found = camera_motion(open_frames(flat), result_of([{1: np.zeros(SIZE, bool)}] * 4))
    assert found.steps == {}


def test_another_video_is_refused(ground: np.ndarray):
    result = result_of([{1: np.zeros(SIZE, bool)}] * 4)
    with pytest.raises(InputError, match="is 80 x 60 pixels, the result 160 x 120"):
        camera_motion(open_frames([np.zeros((60, 80, 3), np.uint8)] * 4), result)
    with pytest.raises(InputError, match="ends at frame 1, the result has frame 3"):
        camera_motion(open_frames([np.zeros((*SIZE, 3), np.uint8)] * 2), result)
