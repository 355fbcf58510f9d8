"""Where an object should be next: boxes around masks, and a constant-velocity Kalman filter over
them.

Boxes are (4,) float64 left, top, right, bottom in cells of the mask grid, right and bottom
exclusive. The filter's state is SAMURAI's (arXiv 2411.11922, section 4.1): centre, width, height
and the velocity of each. The paper leaves the noise open; here its standard deviations are a share
of the object's size, as is usual in box trackers: 1/20 of it for position and size, 1/160 a frame
for velocity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POSITION_NOISE = 1 / 20
VELOCITY_NOISE = 1 / 160
"""Standard deviations per frame, as a share of the object's size."""
"""Standard deviations per frame, as a share of the object's size."""
"""Standard deviations per frame, as a share of the object's size."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A filter's estimate at ``time``: ``mean`` (8,) float64, centre x and y, width, height and
    their velocities per frame; ``covariance`` (8, 8); ``run``: how many frames in a row a box
    confirmed it."""

    mean: np.ndarray
    covariance: np.ndarray
    time: int
    run: int = 1

    @property
    def box(self) -> np.ndarray:
        """The estimated box; its sides are never negative."""
        centre, size = self.mean[:2], self.mean[2:4].clip(min=0)
        return np.concatenate([centre - size / 2, centre + size / 2])


def box_of(mask: np.ndarray) -> np.ndarray | None:
    """The tight box of an (H, W) bool mask; None where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)


def box_area(box: np.ndarray) -> float:
    """Area of a box in cells; 0 where right is left of left, or bottom above top."""
    width, height = (box[2:] - box[:2]).clip(min=0)
    return float(width * height)


def box_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes; 0 where both are empty."""
    shared = box_area(np.concatenate([np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])]))
    union = box_area(a) + box_area(b) - shared
    return shared / union if union > 0 else 0.0


def start(box: np.ndarray, time: int) -> Motion:
    """A filter that has seen one box: velocity zero, but uncertain."""
    measured = _measure(box)
    # The first box is measured once, and nothing is known of its velocity: both start wider than
    # the noise of a frame.
    # The first box is measured once, and nothing is known of its velocity: both start wider than
    # the noise of a frame.
    # The first box is measured once, and nothing is known of its velocity: both start wider than
    # the noise of a frame.
    deviation = np.concatenate(
        [2 * POSITION_NOISE * _sizes(measured), 10 * VELOCITY_NOISE * _sizes(measured)]
    )
    return Motion(np.concatenate([measured, np.zeros(4)]), np.diag(deviation**2), time)


def predict(motion: Motion, now: int) -> Motion:
    """The estimate moved on to ``now``; an earlier time leaves it as it is."""
    frames = max(0, now - motion.time)
    if frames == 0:
        return motion
    move = np.eye(8)
    move[:4, 4:] = frames * np.eye(4)
    sizes = _sizes(motion.mean)
    noise = np.diag(np.concatenate([POSITION_NOISE * sizes, VELOCITY_NOISE * sizes]) ** 2) * frames
    return Motion(move @ motion.mean, move @ motion.covariance @ move.T + noise, now, motion.run)


def update(predicted: Motion, box: np.ndarray) -> Motion:
    """The estimate corrected by the box that was seen, its run one longer."""
    surprise = _measure(box) - predicted.mean[:4]
    noise = np.diag((POSITION_NOISE * _sizes(predicted.mean)) ** 2)
    gain = np.linalg.solve(predicted.covariance[:4, :4] + noise, predicted.covariance[:4]).T
    mean = predicted.mean + gain @ surprise
    covariance = predicted.covariance - gain @ predicted.covariance[:4]
    return Motion(mean, covariance, predicted.time, predicted.run + 1)


def _measure(box: np.ndarray) -> np.ndarray:
    return np.concatenate([(box[:2] + box[2:]) / 2, box[2:] - box[:2]])


def _sizes(measured: np.ndarray) -> np.ndarray:
    """(4,) width, height, width, height, of which the noise is a share; at least one cell, so that
    the noise never vanishes."""
    return np.tile(measured[2:4].clip(min=1.0), 2)
