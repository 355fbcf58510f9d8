"""Meta's two predictors under their own method names, over this project's model and tracker.

A script written for the ``sam2`` package changes its import and nothing else::

    from sam2s.compat import build_sam2_video_predictor  # was: from sam2.build_sam import ...

Weights are what ``sam2s.load_model`` takes: a hub id, or a checkpoint file, whose shapes say which
model it is, so the ``config_file`` of the builders is not read. Results are those of this project's
rules; where they differ from Meta's, the method says so.
"""

from __future__ import annotations

import os
from typing import Any

import torch

from sam2s.compat.image import SAM2ImagePredictor
from sam2s.compat.video import SAM2VideoPredictor
from sam2s.model.sam2s import SAM2S
from sam2s.weights.load import load_model

__all__ = [
    "SAM2ImagePredictor",
    "SAM2VideoPredictor",
    "build_sam2",
    "build_sam2_hf",
    "build_sam2_video_predictor",
    "build_sam2_video_predictor_hf",
]


def build_sam2(
    config_file: str | None,
    ckpt_path: str | os.PathLike[str],
    device: str | torch.device = "auto",
    **_ignored: Any,
) -> SAM2S:
    """The model of a checkpoint, for ``SAM2ImagePredictor``; ``config_file`` and further options
    are not read."""
    return load_model(ckpt_path, device=device)


def build_sam2_video_predictor(
    config_file: str | None,
    ckpt_path: str | os.PathLike[str],
    device: str | torch.device = "auto",
    **_ignored: Any,
) -> SAM2VideoPredictor:
    """The video predictor of a checkpoint; ``config_file`` and further options are not read."""
    return SAM2VideoPredictor(load_model(ckpt_path, device=device))


def build_sam2_hf(model_id: str, device: str | torch.device = "auto", **_ignored: Any) -> SAM2S:
    """The model of a hub id."""
    return load_model(model_id, device=device)


def build_sam2_video_predictor_hf(
    model_id: str, device: str | torch.device = "auto", **_ignored: Any
) -> SAM2VideoPredictor:
    """The video predictor of a hub id."""
    return SAM2VideoPredictor.from_pretrained(model_id, device=device)
