"""Floors: baselines without a model. A tracker that does not clearly beat them has shown nothing.

Both are given the true first mask, which is more than a prompted model gets. ``HeldStill`` never
moves it. ``CarriedByFlow`` moves it along dense optical flow (OpenCV's DIS, medium preset) from
each frame to the next. Neither can notice that an object has left, or find it again.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sam2s.opencv import cv2


class Floor(Protocol):
    """``advance`` to each frame in turn, then ``add`` the objects that start on it."""

    def add(self, object_id: int, mask: np.ndarray) -> None:
        """Start an object with its true mask, (H, W) bool, on the frame last advanced to."""

    def advance(self, image: np.ndarray) -> dict[int, np.ndarray]:
        """Masks {id: (H, W) bool} of the objects added so far on the next frame, (H, W, 3) uint8
        RGB."""


class HeldStill:
    """The first mask, unchanged."""

    def __init__(self) -> None:
        self._masks: dict[int, np.ndarray] = {}

    def add(self, object_id: int, mask: np.ndarray) -> None:
        """As in `Floor`."""
        self._masks[object_id] = mask

    def advance(self, image: np.ndarray) -> dict[int, np.ndarray]:  # noqa: ARG002
        """As in `Floor`; the picture is not looked at."""
        return dict(self._masks)


class CarriedByFlow:
    """The first mask, warped backwards by the flow from each frame to the one before.

    A pixel takes the mask value, interpolated, of where the flow says it came from; beyond the
    border there is no object. Values stay fractional from frame to frame, which keeps small objects
    longer than cutting each time.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._soft: dict[int, np.ndarray] = {}
        self._before: np.ndarray | None = None

    def add(self, object_id: int, mask: np.ndarray) -> None:
        """As in `Floor`."""
        self._soft[object_id] = mask.astype(np.float32)

    def advance(self, image: np.ndarray) -> dict[int, np.ndarray]:
        """As in `Floor`."""
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if self._soft and self._before is not None:
            # (H, W, 2): every pixel's own (x, y), moved to where the flow says it came from.
            rows, columns = np.indices(grey.shape, np.float32)
            came_from = np.stack([columns, rows], axis=-1)
            came_from += self._flow.calc(grey, self._before, None)
            edge = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": 0}
            for object_id, soft in self._soft.items():
                moved = cv2.remap(soft, came_from, None, cv2.INTER_LINEAR, **edge)
                self._soft[object_id] = moved
        self._before = grey
        return {i: soft > 0.5 for i, soft in self._soft.items()}


def make_floors() -> dict[str, Floor]:
    """Both floors, fresh for one video. Raises InputError where OpenCV is not installed."""
    return {"still": HeldStill(), "flow": CarriedByFlow()}
