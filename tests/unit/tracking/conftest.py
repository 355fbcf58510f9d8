"""A tiny random model and a moving-square video: enough to test the loop, not the masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sam2s.model.presets import preset
from sam2s.model.sam2s import SAM2S, build_model


def build_tiny(*, seed: int = 0, present: float | None = 5.0) -> SAM2S:
    """A random ``nano`` at 64 px; ``present`` fixes the object logit (None leaves it to chance)."""
    torch.manual_seed(seed)
    model = build_model(preset("nano", image_size=64))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        if present is not None:
            last = model.mask_decoder.object_head.last
            last.weight.zero_()
            last.bias.fill_(present)
    return model.eval()


@pytest.fixture(scope="session")
def model() -> SAM2S:
    return build_tiny()


@pytest.fixture(scope="session")
def video() -> list[np.ndarray]:
    """12 frames of 48 x 80, noise with a bright square that moves right."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 120, (12, 48, 80, 3), dtype=np.uint8)
    for i, frame in enumerate(frames):
        frame[16:32, 4 + 4 * i : 20 + 4 * i] = (200, 220, 240)
    return list(frames)
