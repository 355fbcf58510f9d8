"""Motion whose path, speed and acceleration are known by its formula."""

from __future__ import annotations

import numpy as np
import pytest

from sam2s.measures.camera_motion import CameraMotion
from sam2s.measures.course import FrameTimes
from sam2s.measures.path_segments import MeasureSettings, stretches_of
from sam2s.measures.point_motion import PointMotion, motion_of

RATE = 25.0
SIZE = (300, 400)  # a diagonal of 500 px


def clock(count: int) -> FrameTimes:
    index = np.arange(count)
    return FrameTimes(index, index / RATE, 1 / RATE)


def measured(points: np.ndarray, camera: CameraMotion | None = None) -> PointMotion:
    settings = MeasureSettings()
    found = motion_of(stretches_of(clock(len(points)), points, settings, camera), SIZE, settings)
    assert found is not None
    return found


def circle(turns: float, radius: float = 50.0, seconds: float = 8.0) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi * turns, round(seconds * RATE) + 1)
    return np.stack([200 + radius * np.cos(angle), 150 + radius * np.sin(angle)], axis=1)


def test_a_circle():
    found = measured(circle(2))
    speed = 2 * 2 * np.pi * 50 / 8
    assert found.seconds == pytest.approx(8.0)
    assert found.path.px == pytest.approx(4 * np.pi * 50, rel=0.01)
    assert found.path.share == pytest.approx(found.path.px / 500)
    assert found.speed_mean.px == pytest.approx(speed, rel=0.01)
    assert found.acceleration_mean.px == pytest.approx(speed**2 / 50, rel=0.02)
    assert found.working_area.px == pytest.approx(np.pi * 50**2, rel=0.01)
    assert found.working_area.share == pytest.approx(found.working_area.px / (300 * 400))
    assert found.idle_share == 0.0
    assert len(found.actions) == 1
    assert found.economy == pytest.approx(0.0, abs=0.01), "it ends where it began"


def test_two_moves_and_a_pause():
    move = 100 * (1 - np.cos(np.linspace(0, np.pi, 26))) / 2  # one second each
    x = np.concatenate([move, np.full(50, 100.0), 100 + move])
    found = measured(np.stack([50 + x, np.full(len(x), 90.0)], axis=1))
    assert len(found.actions) == 2
    assert found.economy == pytest.approx(1.0, abs=1e-6)
    assert found.path.px == pytest.approx(200, rel=0.01)
    assert 0.45 < found.idle_share < 0.65
    assert found.working_area.px == 0.0, "a line has no area"
    assert found.smoothness is not None
    assert -2.0 < found.smoothness.sparc < -1.3


def test_jitter_of_a_pixel_is_no_motion():
    rng = np.random.default_rng(0)
    still = np.full((200, 2), 100.0) + rng.normal(0, 0.5, (200, 2))
    found = measured(still)
    raw = np.hypot(*np.diff(still, axis=0).T).sum()
    assert found.path.px < 0.4 * raw
    assert found.idle_share > 0.9


def test_a_gap_ends_a_stretch_and_a_flicker_does_not():
    points = circle(2)
    points[40:43] = np.nan
    points[100:130] = np.nan
    found = stretches_of(clock(len(points)), points, MeasureSettings())
    assert [round(one.seconds * RATE) for one in found.found] == [99, 70]
    speed, place = found.at(np.array([1.0, 4.5, 7.0]))
    assert np.isnan(speed).tolist() == [False, True, False]
    assert place[2] == pytest.approx(points[175], abs=0.5)


def test_a_stretch_that_is_too_short_is_left_out_and_counted():
    points = circle(2)[:7]
    found = stretches_of(clock(7), points, MeasureSettings())
    assert (found.found, found.too_short) == ((), 1)
    assert found.longest == pytest.approx(7 / RATE)
    assert motion_of(found, SIZE, MeasureSettings()) is None


def test_what_stands_on_the_ground_does_not_move_when_the_camera_is_subtracted():
    turn, zoom = np.deg2rad(0.4), 1.002
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    step = np.hstack([linear, [[0.7], [-0.3]]])
    points = [np.array([80.0, 60.0])]
    for _ in range(99):
        points.append(step[:, :2] @ points[-1] + step[:, 2])
    camera = CameraMotion(dict.fromkeys(range(1, 100), step))
    assert measured(np.array(points)).path.px > 60
    assert measured(np.array(points), camera).path.px == pytest.approx(0.0, abs=1e-6)


def test_a_cut_of_the_camera_begins_a_new_stretch():
    points = circle(2)
    still = np.hstack([np.eye(2), np.zeros((2, 1))])
    steps = {t: still for t in range(1, len(points)) if t != 80}
    found = stretches_of(clock(len(points)), points, MeasureSettings(), CameraMotion(steps))
    assert [len(one.times) for one in found.found] == [80, len(points) - 80]


def test_uneven_times_do_not_change_the_speed():
    rng = np.random.default_rng(1)
    index = np.arange(200)
    times = (index + rng.uniform(-0.3, 0.3, 200)) / RATE
    points = np.stack([30 * times, 40 * times], axis=1)
    found = stretches_of(FrameTimes(index, times, 1 / RATE), points, MeasureSettings()).found[0]
    np.testing.assert_allclose(found.speed, 50.0, rtol=1e-6)


def test_frames_that_a_live_run_dropped_break_nothing():
    rng = np.random.default_rng(2)
    points = circle(2)
    kept = np.cumsum(rng.integers(1, 5, len(points)))
    kept = kept[kept < len(points)]
    times = FrameTimes(kept, kept / RATE, float(np.median(np.diff(kept))) / RATE)
    whole = measured(points)
    step = np.hstack([np.eye(2), [[0.3], [0.1]]])
    camera = CameraMotion(dict.fromkeys(range(1, len(points)), step))
    found = stretches_of(times, points[kept], MeasureSettings())
    assert len(found.found) == 1
    assert found.found[0].path == pytest.approx(whole.path.px, rel=0.05)
    (moved,) = stretches_of(times, points[kept], MeasureSettings(), camera).found
    expected = stretches_of(clock(len(points)), points, MeasureSettings(), camera).found[0]
    assert moved.path == pytest.approx(expected.path, rel=0.05)


def test_two_runs_far_apart_are_two_stretches():
    index = np.concatenate([np.arange(50), np.arange(100, 150)])
    points = circle(2)[index]
    times = FrameTimes(index, index / RATE, 1 / RATE)
    assert [len(one.times) for one in stretches_of(times, points, MeasureSettings()).found] == [
        50,
        50,
    ]
