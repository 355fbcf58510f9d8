"""A model of 0.3 M parameters with random weights, for tests in which it only has to run, save and
load."""

from __future__ import annotations

import torch

from sam2s.memory.diverse import Diverse
from sam2s.model.presets import ModelConfig, preset
from sam2s.model.sam2s import SAM2S, build_model

SMALL = preset(
    "nano",
    image_size=64,
    trunk_dim=8,
    trunk_blocks=(1, 1, 1, 1),
    dim=32,
    memory_dim=16,
    decoder_mlp_dim=32,
    iou_head_dim=16,
    memory_layers=1,
    memory_mlp_dim=32,
    memory=Diverse(iou_threshold=0.8),
)


def small_model(seed: int = 0, config: ModelConfig = SMALL) -> SAM2S:
    """The model, ready for inference."""
    torch.manual_seed(seed)
    return build_model(config).eval()
