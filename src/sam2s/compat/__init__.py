"""Meta's predictors and mask generator under their own names, over our model and tracker.

A script written for the ``sam2`` package changes its import and nothing else::

    from sam2s.compat import build_sam2_video_predictor  # was: from sam2.build_sam import ...

Weights are what ``sam2s.load_model`` takes: a hub id, or a checkpoint file, whose shapes say which
model it is, so the ``config_file`` of the builders is not read. Results are those of this project's
rules; where they differ from Meta's, the method says so, and docs/from_sam2.md lists it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch

from sam2s.compat.automatic import SAM2AutomaticMaskGenerator
from sam2s.compat.ignored import doubt_options
from sam2s.compat.image_predictor import SAM2ImagePredictor
from sam2s.compat.video_predictor import META_HOLES, SAM2VideoPredictor
from sam2s.errors import InputError
from sam2s.model.sam2s import SAM2S
from sam2s.weights.load import load_model

__all__ = [
    "SAM2AutomaticMaskGenerator",
    "SAM2ImagePredictor",
    "SAM2VideoPredictor",
    "build_sam2",
    "build_sam2_hf",
    "build_sam2_video_predictor",
    "build_sam2_video_predictor_hf",
]


def build_sam2(
    config_file: str | None,  # noqa: ARG001 - Meta's parameter, not read
    ckpt_path: str | os.PathLike[str] | None = None,
    device: str | torch.device = "auto",
    **options: Any,
) -> SAM2S:
    """The model of a checkpoint, for ``SAM2ImagePredictor`` and ``SAM2AutomaticMaskGenerator``;
    ``config_file`` is not read. Raises as ``load_model``, and ``InputError`` without a
    checkpoint."""
    doubt_options("build_sam2", options)
    return load_model(_given(ckpt_path), device=device)


def build_sam2_video_predictor(
    config_file: str | None,  # noqa: ARG001 - Meta's parameter, not read
    ckpt_path: str | os.PathLike[str] | None = None,
    device: str | torch.device = "auto",
    *,
    hydra_overrides_extra: Sequence[str] = (),
    apply_postprocessing: bool = True,
    **options: Any,
) -> SAM2VideoPredictor:
    """The video predictor of a checkpoint; ``config_file`` is not read. ``apply_postprocessing``:
    small holes of masks are filled; of Hydra's overrides ``model.non_overlap_masks`` and
    ``model.fill_hole_area`` are heeded. Raises as ``build_sam2``."""
    settings: dict[str, Any] = {"fill_hole_area": META_HOLES if apply_postprocessing else 0}
    for override in hydra_overrides_extra:
        name, _, value = override.lstrip("+").removeprefix("model.").partition("=")
        settings[name] = _OVERRIDES[name](value) if name in _OVERRIDES else value
    return SAM2VideoPredictor(load_model(_given(ckpt_path), device=device), **settings, **options)


def build_sam2_hf(model_id: str, device: str | torch.device = "auto", **options: Any) -> SAM2S:
    """The model of a hub id."""
    return build_sam2(None, model_id, device, **options)


def build_sam2_video_predictor_hf(
    model_id: str, device: str | torch.device = "auto", **options: Any
) -> SAM2VideoPredictor:
    """The video predictor of a hub id; options as for ``build_sam2_video_predictor``."""
    return build_sam2_video_predictor(None, model_id, device, **options)


def _given(ckpt_path: str | os.PathLike[str] | None) -> str | os.PathLike[str]:
    if ckpt_path is None:
        raise InputError("ckpt_path: name a checkpoint; there is no model without weights here")
    return ckpt_path


_OVERRIDES: dict[str, Callable[[str], Any]] = {
    "non_overlap_masks": lambda value: value.lower() == "true",
    "fill_hole_area": float,
}
