"""Meta's ``SAM2AutomaticMaskGenerator``: everything in a picture, over
`sam2s.tracking.everything`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from sam2s.arrays import to_array
from sam2s.compat.ignored import doubt_options
from sam2s.devices import Precision
from sam2s.errors import InputError
from sam2s.masklets.masks import run_lengths
from sam2s.model.sam2s import SAM2S, check_model
from sam2s.tracking.everything.find import FoundObject, find_everything
from sam2s.tracking.everything.grid import WHOLE, EverythingConfig
from sam2s.weights.load import load_model

OUTPUT_MODES = ("binary_mask", "uncompressed_rle", "coco_rle")


class SAM2AutomaticMaskGenerator:
    """``model``: from ``build_sam2`` or ``load_model``; the other arguments are Meta's and mean the
    same (`EverythingConfig` says what). ``precision``: as for ``Tracker``.

    Meta's ``refine_with_m2m`` and ``postprocess_small_regions`` are steps of ``generate`` here.
    """

    def __init__(  # noqa: PLR0913 - Meta's signature
        self,
        model: SAM2S,
        points_per_side: int | None = 32,
        points_per_batch: int = 64,
        pred_iou_thresh: float = 0.8,
        stability_score_thresh: float = 0.95,
        stability_score_offset: float = 1.0,
        mask_threshold: float = 0.0,
        box_nms_thresh: float = 0.7,
        crop_n_layers: int = 0,
        crop_nms_thresh: float = 0.7,
        crop_overlap_ratio: float = WHOLE,
        crop_n_points_downscale_factor: int = 1,
        point_grids: Sequence[np.ndarray] | None = None,
        min_mask_region_area: float = 0,
        output_mode: str = "binary_mask",
        use_m2m: bool = False,
        multimask_output: bool = True,
        precision: Precision = "auto",
        **options: Any,
    ) -> None:
        check_model(model)
        if output_mode not in OUTPUT_MODES:
            raise InputError(
                f"output_mode {output_mode!r}: expected one of {', '.join(OUTPUT_MODES)}"
            )
        doubt_options("SAM2AutomaticMaskGenerator", options)
        self.model = model.eval()
        self.output_mode = output_mode
        self.precision: Precision = precision
        self.config = EverythingConfig(
            points_per_side=points_per_side,
            points_per_batch=points_per_batch,
            min_iou=pred_iou_thresh,
            min_stability=stability_score_thresh,
            stability_offset=stability_score_offset,
            threshold=mask_threshold,
            multimask=multimask_output,
            refine=use_m2m,
            max_overlap=box_nms_thresh,
            crop_layers=crop_n_layers,
            crop_points_factor=crop_n_points_downscale_factor,
            crop_overlap=crop_overlap_ratio,
            max_crop_overlap=crop_nms_thresh,
            min_region=min_mask_region_area,
            point_grids=None
            if point_grids is None
            else tuple(to_array(grid, "point_grids") for grid in point_grids),
        )

    @classmethod
    def from_pretrained(
        cls, model_id: str, device: str | torch.device = "auto", **options: Any
    ) -> SAM2AutomaticMaskGenerator:
        """The generator of a hub id, or of anything else that ``load_model`` takes."""
        return cls(load_model(model_id, device=device), **options)

    def generate(self, image: np.ndarray | Image.Image) -> list[dict[str, Any]]:
        """Every object of a picture, (H, W, 3) uint8 RGB or a Pillow picture, as Meta describes
        them.

        ``segmentation``: (H, W) bool, or RLE by ``output_mode``; ``area`` in pixels; ``bbox`` and
        ``crop_box``: left, top, width, height; ``predicted_iou``; ``stability_score``;
        ``point_coords``: [[x, y]] of the click that found it. Beyond Meta's: ``class`` and
        ``class_prob`` from a model that names instruments (TSL) and is sure of it.
        """
        picture = np.asarray(image.convert("RGB")) if isinstance(image, Image.Image) else image
        found = find_everything(self.model, picture, self.config, self.precision)
        return [self._described(one) for one in found]

    def _described(self, one: FoundObject) -> dict[str, Any]:
        mask = one.mask
        segmentation: Any = mask
        if self.output_mode == "coco_rle":
            segmentation = one.rle
        elif self.output_mode == "uncompressed_rle":
            segmentation = {"size": list(mask.shape), "counts": run_lengths(mask)}
        crop = one.crop
        described = {
            "segmentation": segmentation,
            "area": int(mask.sum()),
            "bbox": [int(side) for side in one.box],
            "predicted_iou": one.iou,
            "point_coords": [list(one.point)],
            "stability_score": one.stability,
            "crop_box": [crop.left, crop.top, crop.right - crop.left, crop.bottom - crop.top],
        }
        if one.class_name is not None:
            described |= {"class": one.class_name, "class_prob": one.class_prob}
        return described
