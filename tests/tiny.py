"""A tiny random model and a moving-square video: enough to test the loop, not the masks."""

from __future__ import annotations

import numpy as np
import torch

from sam2s.model.presets import ModelConfig, preset
from sam2s.model.sam2s import SAM2S, build_model


def build_tiny(
    *, seed: int = 0, present: float | None = 5.0, config: ModelConfig | None = None
) -> SAM2S:
    """A random ``nano`` at 64 px, or a model of ``config``; ``present`` fixes the object logit
    (None leaves it to chance)."""
    torch.manual_seed(seed)
    model = build_model(config or preset("nano", image_size=64))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
        if present is not None:
            last = model.mask_decoder.object_head.last
            last.weight.zero_()
            last.bias.fill_(present)
    return model.eval()


def moving_square(frames: int, *, height: int = 48, width: int = 80) -> list[np.ndarray]:
    """Noise with a bright 16 px square that moves right by 4 px a frame; (height, width, 3) uint8
    each."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 120, (frames, height, width, 3), dtype=np.uint8)
    for i, picture in enumerate(pictures):
        picture[16:32, 4 + 4 * i : 20 + 4 * i] = (200, 220, 240)
    return list(pictures)
