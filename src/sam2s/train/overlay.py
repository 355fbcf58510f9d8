"""A picture of what the model makes of a training clip: one row a tracked object, one column a
frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from sam2s.clips.batch import ClipBatch
from sam2s.files import replacing
from sam2s.geometry import IMAGE_MEAN, IMAGE_STD
from sam2s.train.unroll import Answer

MAX_ROWS = 6
PREDICTED = (255, 64, 64)
TRUE = (64, 255, 64)


@torch.no_grad()
def save_overlay(path: Path, batch: ClipBatch, answers: Sequence[Answer]) -> None:
    """Write a PNG: the last answer of each frame filled red, the true outline green; frames never
    decoded stay bare."""
    final = {answer.frame: answer.decoded.mask_logits for answer in answers}
    strips = []
    for row in range(min(batch.rows, MAX_ROWS)):
        clip = int(batch.clip_of_row[row])
        tiles = []
        for frame in range(batch.frames):
            logits = final[frame][row] if frame in final else None
            tiles.append(_tile(batch.images[clip, frame], batch.masks[frame, row], logits))
        strips.append(np.concatenate(tiles, axis=1))
    if strips:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as hidden:
            Image.fromarray(np.concatenate(strips, axis=0)).save(hidden, format="PNG")


def _tile(image: Tensor, truth: Tensor, logits: Tensor | None) -> np.ndarray:
    pixels = image.cpu() * torch.tensor(IMAGE_STD).view(3, 1, 1) + torch.tensor(IMAGE_MEAN).view(
        3, 1, 1
    )
    tile = (pixels.permute(1, 2, 0).clamp(0, 1) * 255).numpy().astype(np.uint8)
    if logits is not None:
        full = F.interpolate(
            logits[None, None].float(), truth.shape, mode="bilinear", align_corners=False
        )
        inside = (full[0, 0] > 0).cpu().numpy()
        tile[inside] = (0.5 * tile[inside] + 0.5 * np.array(PREDICTED)).astype(np.uint8)
    tile[_outline(truth.cpu())] = TRUE
    return tile


def _outline(mask: Tensor) -> np.ndarray:
    plane = mask.float()[None, None]
    shrunk = -F.max_pool2d(-plane, 3, stride=1, padding=1)
    return ((plane > 0) & (shrunk == 0))[0, 0].numpy()
