"""A quick look at held-out videos during training: click quality on the first frame, and tracking
from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2s.clips.batch import ClipSample, load_clip
from sam2s.clips.clips import Clip, VideoIndex, index_video
from sam2s.geometry import logits_to_source, normalise
from sam2s.masklets.masklets import open_masklets
from sam2s.memory.bank import Bank
from sam2s.memory.policy import Policy
from sam2s.metrics import jaccards
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.annotator import center_click, to_points
from sam2s.tracking.core import Core
from sam2s.tracking.hypotheses import TreeCore
from sam2s.tracking.row_prompts import TRACKED, RowPrompt
from sam2s.tracking.rows import Observation, Rows
from sam2s.tracking.tracker import make_core
from sam2s.train.config import ValidationConfig
from sam2s.types import Decoded

CLICKS = 3


@dataclass(frozen=True)
class Validation:
    """Means over objects, in percent.

    ``j_1`` and ``j_3``: Jaccard index on the first frame after one and three clicks; ``j_track``:
    on the later frames, tracked from the three clicks; ``j_still``: the true first mask unmoved, as
    a floor; ``presence``: share of later frames whose presence is predicted rightly; ``iou_gap``:
    mean absolute error of the predicted IoU where present.
    """

    j_1: float
    j_3: float
    j_track: float
    j_still: float
    presence: float
    iou_gap: float


def load_validation(roots: Sequence[Path], config: ValidationConfig) -> list[ClipSample]:
    """The validation clips of every folder, in memory: the first frames from which objects can be
    prompted."""
    samples = []
    for root in roots:
        for name, video in list(open_masklets(root).videos.items())[: config.videos]:
            clip = _first_clip(index_video(name, video), config)
            if clip is not None:
                samples.append(load_clip(video, clip, config.size, None, np.random.default_rng(0)))
    return samples


def _first_clip(index: VideoIndex, config: ValidationConfig) -> Clip | None:
    large = index.areas >= 0.002 * index.pixels
    for first in range(index.frames - config.frames + 1):
        rows = np.flatnonzero(large[:, first])[: config.objects]
        if len(rows):
            frames = tuple(range(first, first + config.frames))
            return Clip(
                index.name,
                frames,
                tuple(range(config.frames)),
                tuple(index.object_ids[r] for r in rows),
            )
    return None


@torch.no_grad()
def validate(
    model: SAM2S, policy: Policy, samples: list[ClipSample], device: torch.device
) -> Validation:
    """Track every sample with ``model`` (left in the mode it was in)."""
    was_training = model.training
    core = make_core(model.eval(), policy)
    scores = np.concatenate([_track(core, sample, device) for sample in samples])
    model.train(was_training)
    return Validation(*(100 * scores.astype(np.float64).mean(axis=0)).round(2).tolist())


def _track(core: Core | TreeCore, sample: ClipSample, device: torch.device) -> np.ndarray:
    """The figures of `Validation` for each object of one clip: (O, 6)."""
    masks = sample.masks.to(device)
    frames, count = masks.shape[:2]
    banks: tuple[Bank, ...] = (Bank(),) * count
    tracked, presence, gaps = [], [], []
    for t in range(frames):
        features = core.model.encode(normalise(sample.images[t : t + 1], device))
        rows = Rows(features, banks, (t,) * count, (TRACKED,) * count)
        if t == 0:
            seen, first = _click(core, rows, masks[0])
        else:
            seen = core.observe(rows)
            decoded = seen.decoded
            tracked.append(jaccards(_binary(decoded, masks), masks[t], both_empty=1.0))
            present = masks[t].flatten(1).any(1)
            presence.append(((decoded.object_logits > 0) == present).float())
            gaps.append((decoded.iou.float() - tracked[-1]).abs() * present)
        banks = core.commit(seen)
    # Each a list over frames of (O,) tensors: stacked and averaged, one number for each object.
    still = [jaccards(masks[0], masks[t], both_empty=1.0) for t in range(1, frames)]
    later = [torch.stack(part).mean(0) for part in (tracked, still, presence, gaps)]
    return torch.stack([*first, *later], dim=1).cpu().numpy()


def _click(core: Core | TreeCore, rows: Rows, masks: Tensor) -> tuple[Observation, list[Tensor]]:
    """Three clicks by the evaluation rule; the last answer, and the Jaccard indices after one and
    after three."""
    truths = masks.cpu().numpy()
    rows, binary, scores = replace(rows, prompts=(RowPrompt(),) * len(rows)), None, []
    for _ in range(CLICKS):
        guesses: Any = [None] * len(rows) if binary is None else binary.cpu().numpy()
        points = [
            to_points([center_click(truth, guess)])
            for truth, guess in zip(truths, guesses, strict=True)
        ]
        prompts = tuple(
            prompt.with_points(click.xy, click.labels)
            for prompt, click in zip(rows.prompts, points, strict=True)
        )
        seen = core.observe(replace(rows, prompts=prompts))
        binary = _binary(seen.decoded, masks)
        scores.append(jaccards(binary, masks, both_empty=1.0))
        rows = seen.rows.correcting(seen.decoded.mask_logits)
    return seen, [scores[0], scores[-1]]


def _binary(decoded: Decoded, masks: Tensor) -> Tensor:
    height, width = masks.shape[-2:]
    return logits_to_source(decoded.mask_logits, (height, width)) > 0
