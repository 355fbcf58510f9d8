"""The exported graphs against torch: a track with clicks and a correction, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sam2s.geometry import normalise, resize_to_model
from sam2s.memory.recent import Recent
from sam2s.model.sam2s import SAM2S
from sam2s.onnx_export.runtime import OnnxTracker
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, Points

FRAMES = 12
CORRECTED = 7
SIDE = 96
"""Of the made-up pictures, in pixels."""


def largest_difference(model: SAM2S, folder: Path) -> tuple[float, int]:
    """Track `FRAMES` made-up frames in torch and in onnxruntime: a click, and two more on a later
    frame that correct what was tracked there. The largest difference of a mask logit as a share of
    the largest logit, and the number of frames."""
    tracker = Tracker(model, Recent(), precision="fp32")
    other = OnnxTracker(folder)
    scale = model.image_size / SIDE
    prompts = {0: [[30, 40, 1]], CORRECTED: [[36, 42, 1], [80, 10, 0]]}
    difference = largest = 0.0
    for index, picture in enumerate(_pictures()):
        given = prompts.get(index)
        points = None
        clicks: list[tuple[float, float, int]] = []
        if given is not None:
            rows = np.array(given)
            points = {1: Points(rows[:, :2], rows[:, 2])}
            clicks = [(x * scale, y * scale, label) for x, y, label in given]
        truth = tracker.step(Frame(index, None, picture), points).logits[1]
        pixels = normalise(resize_to_model(picture, model.image_size), torch.device("cpu"))
        found = other.step(pixels.numpy(), clicks)
        difference = max(difference, float(np.abs(found - truth).max()))
        largest = max(largest, float(np.abs(truth[truth > -1000]).max(initial=0.0)))
    return difference / max(largest, 1e-6), FRAMES


def _pictures() -> list[np.ndarray]:
    """A bright square that moves over a noisy ground."""
    noise = np.random.default_rng(0).integers(0, 90, (SIDE, SIDE, 3), np.uint8)
    pictures = []
    for index in range(FRAMES):
        picture = noise.copy()
        picture[28:52, 18 + 2 * index : 42 + 2 * index] = (200, 180, 90)
        pictures.append(picture)
    return pictures
