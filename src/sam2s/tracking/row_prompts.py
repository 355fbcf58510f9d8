"""What is said of an object on a frame, from `Points`, `Box` and `Mask` to tensors.

A user's prompts are checked and become one `RowPrompt` in `row_prompts`; the simulated user of
training and validation and Meta's image predictor, who work in model pixels, make theirs directly.
`prompt_batch` is the one place where row prompts become tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
import torch
from torch import Tensor

from sam2s.devices import upload
from sam2s.errors import InputError
from sam2s.geometry import mask_to_model, points_to_model
from sam2s.types import Box, Mask, Origin, Points, Prompt, PromptBatch

PRIOR_LIMIT = 32.0
"""Logits of the mask to be corrected are clamped to +-32 before they prompt the decoder, as SAM 2
does."""

FIRST_CORNER, SECOND_CORNER = 2, 3
"""SAM's labels of the two points as which a box travels; 1 and 0 are clicks."""


class RowKind(Enum):
    """What a row's masks come from: memory alone, points on top of it, or a given mask."""

    TRACKED = "tracked"
    POINTS = "points"
    MASK = "mask"


@dataclass(frozen=True, slots=True, eq=False)
class RowPrompt:
    """What a user says about one row (one object on one frame), in model pixels.

    ``points`` (P, 2) float32 NumPy, (x, y), and ``labels`` (P,) int64 NumPy: 1 include, 0 exclude,
    2 and 3 the corners of a box, which come before any click; P may be 0. ``mask`` (S, S) tensor,
    bool or {0, 1}: the answer itself. ``prior`` (4h, 4w) tensor: logits of the mask that the points
    correct. ``given`` (H, W) bool NumPy: a user's mask at source size, given back as it came.
    ``origin``: how the frame is remembered.
    """

    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), np.float32))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    mask: Tensor | None = None
    prior: Tensor | None = None
    given: np.ndarray | None = None
    origin: Origin = Origin.PROMPTED

    @property
    def kind(self) -> RowKind:
        """What kind of row this makes."""
        if self.mask is not None:
            return RowKind.MASK
        return RowKind.POINTS if len(self.labels) else RowKind.TRACKED

    def with_points(self, points: np.ndarray, labels: np.ndarray) -> RowPrompt:
        """The same with further points, (Q, 2) model pixels and their labels (Q,), appended."""
        return replace(
            self,
            points=np.concatenate([self.points, points.astype(np.float32)]),
            labels=np.concatenate([self.labels, labels.astype(np.int64)]),
        )

    def correcting(self, logits: Tensor) -> RowPrompt:
        """The same as a correction of the mask with these (4h, 4w) logits."""
        return replace(self, prior=logits.clamp(-PRIOR_LIMIT, PRIOR_LIMIT))


TRACKED = RowPrompt(origin=Origin.TRACKED)
"""Nothing is said: memory alone tells where the object is."""


def prompt_batch(prompts: Sequence[RowPrompt], device: torch.device) -> PromptBatch:
    """Tensors of N row prompts with equally many points, all with a prior or all without."""
    count = len(prompts[0].labels)
    batch = PromptBatch.none(len(prompts), device)
    if count:
        points = upload(torch.from_numpy(np.stack([p.points for p in prompts])), device)
        labels = upload(torch.from_numpy(np.stack([p.labels for p in prompts])), device)
        batch = PromptBatch(points, labels)
    priors = [p.prior for p in prompts if p.prior is not None]
    return replace(batch, mask_logits=torch.stack(priors)) if priors else batch


def row_prompts(
    prompts: Mapping[int, Sequence[Prompt]],
    source: tuple[int, int],
    size: int,
    device: torch.device,
) -> dict[int, RowPrompt]:
    """{object id: what is said of its row}, from prompts in pixels of a ``source`` (height, width)
    picture to pixels of a model input of side ``size``.

    ``InputError`` for a prompt outside the picture, a mask of another size, and a mask beside other
    prompts of its object.
    """
    return {i: _row_prompt(i, given, source, size, device) for i, given in prompts.items()}


def _row_prompt(
    object_id: int,
    given: Sequence[Prompt],
    source: tuple[int, int],
    size: int,
    device: torch.device,
) -> RowPrompt:
    if not given:
        raise InputError(f"object {object_id}: its prompt is empty; give clicks, a box or a mask")
    masks = [prompt.mask for prompt in given if isinstance(prompt, Mask)]
    if masks and len(given) > 1:
        raise InputError(
            f"object {object_id}: a mask is the answer by itself; give it without clicks or boxes"
        )
    if masks:
        _check_mask(object_id, masks[0], source)
        return RowPrompt(mask=mask_to_model(masks[0], size, device), given=masks[0])
    # Corners come before clicks, as in SAM 2.
    boxes = [prompt for prompt in given if isinstance(prompt, Box)]
    clicks = [prompt for prompt in given if isinstance(prompt, Points)]
    said = RowPrompt()
    for box in boxes:
        corners = box.xyxy.reshape(2, 2)
        # A box may end on the far edge; a click must name a pixel.
        _check_inside(object_id, "box", corners, source, slack=1)
        said = said.with_points(corners, np.array([FIRST_CORNER, SECOND_CORNER]))
    for click in clicks:
        _check_inside(object_id, "click", click.xy, source, slack=0)
        said = said.with_points(click.xy, click.labels)
    return replace(said, points=points_to_model(said.points, source, size))


def _check_mask(object_id: int, mask: np.ndarray, source: tuple[int, int]) -> None:
    if mask.shape != source:
        raise InputError(
            f"object {object_id}: the mask is {mask.shape[1]}x{mask.shape[0]}, the picture"
            f" {source[1]}x{source[0]}; give equal sizes"
        )


def _check_inside(
    object_id: int, kind: str, xy: np.ndarray, source: tuple[int, int], *, slack: int
) -> None:
    height, width = source
    if not ((xy >= 0).all() and (xy < (width + slack, height + slack)).all()):
        raise InputError(
            f"object {object_id}: {kind} {xy.tolist()} lies outside the picture of"
            f" {width}x{height} pixels"
        )
