"""Everything in a picture, by asking the network for a mask at every place of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2s.arrays import to_array
from sam2s.devices import Precision, memory_errors, wants_bf16
from sam2s.errors import InputError
from sam2s.geometry import image_to_model, logits_to_source, points_to_model
from sam2s.masklets.masks import Rle, decode_rle, encode_rle
from sam2s.model.mask_decoder import Candidates, stability
from sam2s.model.sam2s import SAM2S, check_model
from sam2s.tracking.everything.grid import Crop, EverythingConfig, crops_of
from sam2s.tracking.everything.select import cut_off, suppress, tidy
from sam2s.types import Features, PromptBatch, take_rows

PRIOR_LIMIT = 32.0
SURE = 0.5
"""Probability from which on an object is named."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundObject:
    """One object of a picture. ``rle``: its mask at the picture's size (COCO); ``iou``: predicted;
    ``stability`` in [0, 1]; ``point``: (x, y) pixels of the click that found it; ``crop``: the part
    of the picture that was looked at; ``class_name`` and ``class_prob``, from models that name
    instruments (TSL) and are sure enough."""

    rle: Rle
    iou: float
    stability: float
    point: tuple[float, float]
    crop: Crop
    class_name: str | None = None
    class_prob: float | None = None

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool."""
        return decode_rle(self.rle)

    @property
    def box(self) -> np.ndarray:
        """(4,) left, top, width, height in pixels, both ends on pixels of the mask, so that one
        pixel is a box of no width (SAM's convention)."""
        from pycocotools import mask as coco

        return np.asarray(coco.toBbox(self.rle)) - (0, 0, 1, 1)


@torch.inference_mode()
def find_everything(
    model: SAM2S,
    image: np.ndarray,
    config: EverythingConfig | None = None,
    precision: Precision = "auto",
) -> list[FoundObject]:
    """All objects of a picture (H, W, 3) uint8 RGB, the best of each crop first. ``InputError`` for
    another kind of picture."""
    config = config or EverythingConfig()
    check_model(model)
    image = to_array(image, "image")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise InputError(f"image: expected (H, W, 3) uint8 RGB, got {image.shape} {image.dtype}")
    device = next(model.parameters()).device
    cast: Any = nullcontext()
    if wants_bf16(precision, device):
        cast = torch.autocast(device.type, torch.bfloat16)
    out_of_memory = memory_errors(
        f"{config.points_per_batch} clicks at a time at {model.image_size} px",
        "give a smaller points_per_batch, or load the model with a smaller image_size",
    )
    size = image.shape[0], image.shape[1]
    crops = crops_of(size, config)
    found: list[FoundObject] = []
    with cast, out_of_memory:
        for crop in crops:
            seen = list(_in_crop(model, image, crop, config))
            kept = _suppress(seen, [one.iou for one in seen], config.max_overlap, config)
            found += kept
    if len(crops) > 1:  # what a small crop shows is drawn more finely
        scores = [1 / (one.crop.size[0] * one.crop.size[1]) for one in found]
        found = _suppress(found, scores, config.max_crop_overlap, config)
    return _tidied(found, config) if config.min_region > 0 else found


def _in_crop(
    model: SAM2S, image: np.ndarray, crop: Crop, config: EverythingConfig
) -> Iterator[FoundObject]:
    part = image[crop.top : crop.bottom, crop.left : crop.right]
    device = next(model.parameters()).device
    features = model.recall(model.encode(image_to_model(part, model.image_size, device)), None)
    height, width = crop.size
    points = config.points(crop.layer) * (width, height)
    for start in range(0, len(points), config.points_per_batch):
        some = points[start : start + config.points_per_batch]
        for row, one in _ask(model, features, some, crop, config):
            mask = row.cpu().numpy()
            if not mask.any() or cut_off(mask, crop, image.shape[:2]):
                continue
            whole = np.zeros(image.shape[:2], bool)
            whole[crop.top : crop.bottom, crop.left : crop.right] = mask
            yield replace(one, rle=encode_rle(whole))


def _ask(
    model: SAM2S, features: Features, points: np.ndarray, crop: Crop, config: EverythingConfig
) -> Iterator[tuple[Tensor, FoundObject]]:
    """The masks (h, w) bool of a crop that clicks at ``points`` (P, 2), pixels of the crop, give,
    as far as they are good enough, with what is known of each."""
    coords = points_to_model(points, crop.size, model.image_size)
    prompts = PromptBatch(
        torch.from_numpy(coords)[:, None].to(features.stride16.device),
        torch.ones(len(points), 1, dtype=torch.long, device=features.stride16.device),
    )
    candidates = _decode(model, features, prompts, config.multimask)
    count = candidates.ious.shape[1]
    if config.refine:
        again = take_rows(prompts, torch.arange(len(points)).repeat_interleave(count))
        prior = candidates.logits.flatten(0, 1).float().clamp(-PRIOR_LIMIT, PRIOR_LIMIT)
        candidates = _decode(model, features, replace(again, mask_logits=prior), False)
    rows, names, probs = candidates.logits.flatten(0, 1), *_named(model, candidates)
    repeated = len(rows) // len(names)
    for k, iou in enumerate(candidates.ious.flatten().float().tolist()):
        if iou <= config.min_iou:
            continue
        raised = logits_to_source(rows[k : k + 1], crop.size)
        stable = float(stability(raised, config.stability_offset, config.threshold))
        if stable < config.min_stability:
            continue
        x, y = points[k // count].tolist()
        place = (x + crop.left, y + crop.top)
        named = names[k // repeated], probs[k // repeated]
        yield raised[0] > config.threshold, FoundObject({}, iou, stable, place, crop, *named)


def _decode(model: SAM2S, features: Features, prompts: PromptBatch, multimask: bool) -> Candidates:
    candidates, _ = model.propose(features.expand(len(prompts.labels)), prompts)
    if multimask:
        return candidates.ambiguous()
    return candidates.single_or_best(model.config.stability_threshold)


def _named(model: SAM2S, candidates: Candidates) -> tuple[list[str | None], list[float | None]]:
    """A class and its probability for each row that TSL is sure of."""
    nothing: list[None] = [None] * len(candidates.ious)
    if model.semantic_head is None or candidates.semantic is None:
        return list(nothing), list(nothing)
    probs, best = model.semantic_head.logits(candidates.semantic).softmax(dim=-1).max(dim=-1)
    sure = [p if p >= SURE else None for p in probs.tolist()]
    classes = model.semantic_head.classes
    names = [None if p is None else classes[k] for p, k in zip(sure, best.tolist(), strict=True)]
    return names, sure


def _suppress(
    found: list[FoundObject], scores: list[float], max_overlap: float, config: EverythingConfig
) -> list[FoundObject]:
    places = [one.box if config.overlap_of == "box" else one.rle for one in found]
    return [found[k] for k in suppress(places, scores, max_overlap)]


def _tidied(found: list[FoundObject], config: EverythingConfig) -> list[FoundObject]:
    """Without small holes and specks. What had none is preferred where two have become alike."""
    tidied, unchanged = [], []
    for one in found:
        before = one.mask
        after = tidy(before, config.min_region)
        unchanged.append(float(after is before))
        tidied.append(one if after is before else replace(one, rle=encode_rle(after)))
    overlap = max(config.max_overlap, config.max_crop_overlap)
    return _suppress(tidied, unchanged, overlap, config)
