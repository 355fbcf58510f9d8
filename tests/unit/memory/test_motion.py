"""Boxes of masks and the motion filter."""

from __future__ import annotations

import numpy as np
import pytest
from sightings import boxed

from sam2s.memory.motion import box_area, box_iou, box_of, predict, start, update


def test_box_of_a_mask():
    assert box_of(boxed(3, 5, 10, 2)).tolist() == [3, 5, 13, 7]
    assert box_of(np.zeros((4, 4), bool)) is None


@pytest.mark.parametrize(
    ("other", "iou"),
    [
        ([0, 0, 4, 4], 1.0),
        ([2, 0, 6, 4], 1 / 3),
        ([4, 0, 8, 4], 0.0),
        ([9, 9, 12, 12], 0.0),
        ([1, 1, 3, 3], 0.25),
    ],
)
def test_box_iou(other, iou):
    assert box_iou(np.array([0.0, 0, 4, 4]), np.array(other, float)) == pytest.approx(iou)


def test_boxes_without_area():
    empty = np.array([3.0, 3, 3, 3])
    assert box_area(np.array([5.0, 5, 2, 9])) == 0
    assert box_iou(empty, empty) == 0


def follow(speed: float, growth: float, frames: int):
    motion = None
    for time in range(frames):
        left, width = speed * time, 10 + growth * time
        box = np.array([left, 20, left + width, 30])
        motion = start(box, time) if motion is None else update(predict(motion, time), box)
    return motion


def test_the_filter_learns_velocity_and_growth():
    motion = follow(speed=3.0, growth=0.5, frames=40)
    assert motion.run == 40
    np.testing.assert_allclose(predict(motion, 44).box, [132, 20, 164, 30], atol=0.5)


def test_uncertainty_grows_while_nothing_is_seen_and_shrinks_with_a_box():
    motion = follow(speed=1.0, growth=0.0, frames=10)
    near, far = predict(motion, 11), predict(motion, 20)
    assert np.trace(far.covariance) > np.trace(near.covariance) > np.trace(motion.covariance)
    assert np.trace(update(near, near.box).covariance) < np.trace(near.covariance)
    np.testing.assert_allclose(near.covariance, near.covariance.T)


def test_no_prediction_into_the_past():
    motion = follow(speed=1.0, growth=0.0, frames=3)
    assert predict(motion, 1) is motion
