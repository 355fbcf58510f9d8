"""Meta's ``SAM2ImagePredictor``: masks of a still picture from clicks, a box, or a rough mask."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sam2s.arrays import to_array
from sam2s.compat.ignored import doubt_options
from sam2s.compat.small_regions import without_small
from sam2s.devices import Precision, memory_errors, wants_bf16
from sam2s.errors import InputError
from sam2s.geometry import image_to_model, logits_to_source, points_to_model
from sam2s.model.sam2s import SAM2S, check_model
from sam2s.tracking.row_prompts import FIRST_CORNER, SECOND_CORNER, RowPrompt, prompt_batch
from sam2s.types import Features
from sam2s.weights.load import load_model

LOGIT_LIMIT = 32.0
"""Low-resolution logits are returned within +-32, ready to be the next call's ``mask_input``."""

Prediction = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Masks (C, H, W), predicted IoUs (C,), low-resolution logits (C, 4h, 4w)."""


class SAM2ImagePredictor:
    """``sam_model``: from ``load_model``. ``mask_threshold``: logits above it are the mask.
    ``precision``: as for ``Tracker`` (Meta's predictor leaves autocast to its caller; a caller's
    own autocast works here too). ``max_hole_area``, ``max_sprinkle_area``: holes and specks of so
    many pixels at the decoder's resolution are filled and removed.
    """

    def __init__(
        self,
        sam_model: SAM2S,
        mask_threshold: float = 0.0,
        max_hole_area: float = 0.0,
        max_sprinkle_area: float = 0.0,
        *,
        precision: Precision = "auto",
        **options: Any,
    ) -> None:
        check_model(sam_model)
        doubt_options("SAM2ImagePredictor", options)
        self.model = sam_model.eval()
        self.mask_threshold = mask_threshold
        self._small = max_hole_area, max_sprinkle_area
        self._bf16 = wants_bf16(precision, self.device)
        self._images: list[tuple[Features, tuple[int, int]]] = []

    @classmethod
    def from_pretrained(
        cls, model_id: str, device: str | torch.device = "auto", **options: Any
    ) -> SAM2ImagePredictor:
        """The predictor of a hub id, or of anything else that ``load_model`` takes."""
        return cls(load_model(model_id, device=device), **options)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    def set_image(self, image: np.ndarray | Image.Image) -> None:
        """The picture of the following ``predict`` calls: (H, W, 3) uint8 RGB, or a Pillow
        picture."""
        self.set_image_batch([image])

    def set_image_batch(self, image_list: Sequence[np.ndarray | Image.Image]) -> None:
        """Pictures, of any sizes, for ``predict_batch``."""
        self._images = [self._encode(image) for image in image_list]

    def reset_predictor(self) -> None:
        """Forget the pictures."""
        self._images = []

    def get_image_embedding(self) -> Tensor:
        """(1, C, h, w) stride-16 features of the picture."""
        return self._picture(-1)[0].stride16

    def predict(
        self,
        point_coords: np.ndarray | None = None,
        point_labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
        mask_input: np.ndarray | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        normalize_coords: bool = True,
    ) -> Prediction:
        """Masks of one object, or of B objects at once.

        ``point_coords`` (P, 2) or (B, P, 2) pixels (x, y), or in [0, 1] where not
        ``normalize_coords``; ``point_labels`` (P,) or (B, P), 1 or 0; ``box`` (4,) or (B, 4);
        ``mask_input`` (1, 4h, 4w) or (B, 1, 4h, 4w) logits of an earlier call. Gives three
        candidates, or one where not ``multimask_output``; with several objects every result has a
        leading axis B. Masks are bool, or float logits with ``return_logits``.
        """
        given = (point_coords, point_labels, box, mask_input)
        return self._predict(-1, given, multimask_output, return_logits, normalize_coords)

    def predict_batch(
        self,
        point_coords_batch: Sequence[np.ndarray] | None = None,
        point_labels_batch: Sequence[np.ndarray] | None = None,
        box_batch: Sequence[np.ndarray] | None = None,
        mask_input_batch: Sequence[np.ndarray] | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        normalize_coords: bool = True,
    ) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
        """``predict`` on every picture of ``set_image_batch``; one entry of each list per
        picture."""
        batches = (point_coords_batch, point_labels_batch, box_batch, mask_input_batch)
        results = [
            self._predict(
                index,
                tuple(None if batch is None else batch[index] for batch in batches),
                multimask_output,
                return_logits,
                normalize_coords,
            )
            for index in range(len(self._images))
        ]
        masks, ious, logits = ([result[k] for result in results] for k in range(3))
        return masks, ious, logits

    @torch.inference_mode()
    def _encode(self, image: np.ndarray | Image.Image) -> tuple[Features, tuple[int, int]]:
        pixels = image.convert("RGB") if isinstance(image, Image.Image) else image
        image = to_array(pixels, "image")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(
                f"image: expected (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}"
            )
        with self._autocast(), self._memory_errors("encoding the picture"):
            features = self.model.encode(image_to_model(image, self.model.image_size, self.device))
            return self.model.recall(features, None), (image.shape[0], image.shape[1])

    def _picture(self, index: int) -> tuple[Features, tuple[int, int]]:
        if not self._images:
            raise InputError("no image yet: call set_image before predict")
        return self._images[index]

    @torch.inference_mode()
    def _predict(
        self,
        index: int,
        given: Sequence[Any],
        multimask: bool,
        return_logits: bool,
        in_pixels: bool,
    ) -> Prediction:
        features, size = self._picture(index)
        prompts = prompt_batch(self._prompts(given, size if in_pixels else (1, 1)), self.device)
        rows = len(prompts.labels)
        with self._memory_errors(f"{rows} object{'s' * (rows != 1)}"):
            with self._autocast():
                candidates, _ = self.model.propose(features.expand(rows), prompts, padded=False)
            threshold = self.model.config.stability_threshold
            candidates = (
                candidates.ambiguous() if multimask else candidates.single_or_best(threshold)
            )
            full = torch.stack(
                [
                    logits_to_source(without_small(row, self.mask_threshold, *self._small), size)
                    for row in candidates.logits
                ]
            )
        masks = full if return_logits else full > self.mask_threshold
        results = (masks, candidates.ious, candidates.logits.clamp(-LOGIT_LIMIT, LOGIT_LIMIT))
        many = rows > 1
        # On the host; NumPy knows no bfloat16.
        masks_, ious, logits = (
            (r.float() if r.is_floating_point() else r).cpu().numpy()
            for r in (results if many else [r[0] for r in results])
        )
        return masks_, ious, logits

    def _memory_errors(self, doing: str) -> AbstractContextManager[None]:
        return memory_errors(
            f"{doing} at {self.model.image_size} px",
            "load the model with a smaller image_size or on another device, ask for fewer objects"
            " at a time, or give precision='bf16'",
        )

    def _autocast(self) -> AbstractContextManager[None]:
        kept = torch.is_autocast_enabled(self.device.type)
        if kept or not self._bf16:
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)  # type: ignore[return-value]

    def _prompts(self, given: Sequence[Any], size: tuple[int, int]) -> list[RowPrompt]:
        """Prompts in Meta's forms, in pixels of ``size`` (height, width) -> one of each object in
        model pixels; box corners come before the clicks."""
        coords, labels, box, mask = given
        if (coords is None) != (labels is None):
            raise InputError("point_coords and point_labels go together; give both or neither")
        corners = None if box is None else _boxes(box)
        clicks = None if coords is None else _clicks(coords, labels)
        priors = None if mask is None else self._low_resolution(mask)
        given_rows = (corners, None if clicks is None else clicks[0], priors)
        rows = {len(part) for part in given_rows if part is not None}
        if not rows:
            raise InputError("nothing to predict from: give points, a box or a mask")
        if len(rows) > 1:
            raise InputError(
                f"points, boxes and masks are of {sorted(rows)} objects; give each the same number"
            )
        prompts = [RowPrompt() for _ in range(rows.pop())]
        if corners is not None:
            sides = np.array([FIRST_CORNER, SECOND_CORNER])
            prompts = [p.with_points(c, sides) for p, c in zip(prompts, corners, strict=True)]
        if clicks is not None:
            prompts = [p.with_points(*c) for p, *c in zip(prompts, *clicks, strict=True)]
        if priors is not None:
            logits = torch.as_tensor(priors, dtype=torch.float32, device=self.device)
            prompts = [replace(p, prior=x) for p, x in zip(prompts, logits, strict=True)]
        side = self.model.image_size
        return [replace(p, points=points_to_model(p.points, size, side)) for p in prompts]

    def _low_resolution(self, mask: Any) -> np.ndarray:
        """Logits of an earlier call, (B, 4h, 4w)."""
        logits, side = to_array(mask, "mask_input"), self.model.image_size // 4
        if logits.shape[-2:] != (side, side) or logits.ndim > 4:
            raise InputError(
                f"mask_input: expected the low-resolution logits of an earlier call, (1, {side},"
                f" {side}), got shape {logits.shape}"
            )
        return logits.reshape(-1, side, side)


def _boxes(box: Any) -> np.ndarray:
    """(4,), (B, 4) or (B, 2, 2) -> (B, 2, 2) corners."""
    corners = to_array(box, "box")
    if corners.ndim == 0 or not (corners.shape[-1] == 4 or corners.shape[-2:] == (2, 2)):
        raise InputError(f"box: expected (4,) or (B, 4), got shape {corners.shape}")
    return corners.reshape(-1, 2, 2)


def _clicks(coords: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """(P, 2) and (P,), or of B objects (B, P, 2) and (B, P) -> the latter."""
    xy, kinds = to_array(coords, "point_coords"), to_array(labels, "point_labels")
    if xy.ndim not in (2, 3) or xy.shape[-1] != 2 or kinds.shape != xy.shape[:-1]:
        raise InputError(
            "point_coords and point_labels: expected (P, 2) and (P,), or (B, P, 2) and (B, P), got"
            f" {xy.shape} and {kinds.shape}"
        )
    if not np.isin(kinds, (0, 1)).all():
        raise InputError("point_labels: expected 1 (include) or 0 (exclude)")
    return (xy, kinds) if xy.ndim == 3 else (xy[None], kinds[None])
