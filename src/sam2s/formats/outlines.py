"""Masks as polygons: outlines along pixel edges. Holes are lost, since most formats know none."""

from __future__ import annotations

import numpy as np

from sam2s.opencv import cv2

SMALLEST = 3
"""Corners of a polygon at least."""


def polygons_of(mask: np.ndarray) -> list[np.ndarray]:
    """Outer outlines of the connected parts of (H, W) bool: (P, 2) float (x, y) each, in pixels,
    largest part first. A part of fewer than three corners (a pixel, a line) becomes a box."""
    plane = np.ascontiguousarray(mask, np.uint8)
    found, _ = cv2.findContours(plane, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outlines = []
    for contour in sorted(found, key=cv2.contourArea, reverse=True):
        points = contour[:, 0].astype(float)
        if len(points) < SMALLEST:
            (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0) + 1
            points = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
        outlines.append(points)
    return outlines
