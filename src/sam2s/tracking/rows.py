"""Tensors in rows: stacking what banks recall, user prompts, and decoded groups, so that objects
run in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.geometry import points_to_model
from sam2s.memory.bank import Bank, Capacity, Policy
from sam2s.types import Box, Decoded, MemoryBatch, Points, Prompt, PromptBatch


def recollect(
    policy: Policy, banks: Sequence[Bank], now: Sequence[int], *, fixed: bool = True
) -> MemoryBatch | None:
    """What each row's bank recalls at its own time, padded into one batch; None when no row
    remembers anything.

    ``fixed`` pads to the policy's capacity, so that shapes never change while a video runs; without
    it rows are only padded to the longest (training, and a CPU, where padding costs time while a
    bank fills).
    """
    recalled = [policy.select(bank, time) for bank, time in zip(banks, now, strict=True)]
    if not any(r.maps for r in recalled):
        return None
    least = policy.capacity if fixed else Capacity(1, 1)
    maps, slots, map_mask = _pad([[(m.map, s) for m, s in r.maps] for r in recalled], least.maps)
    pointers, ages, pointer_mask = _pad(
        [[(m.pointer, a) for m, a in r.pointers] for r in recalled], least.pointers
    )
    return MemoryBatch(maps, slots, map_mask, pointers, ages.float(), pointer_mask)


def _pad(rows: list[list[tuple[Tensor, int]]], least: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of (tensor, number) -> tensors (N, K, ...), numbers (N, K) int64, in use (N, K) bool;
    padding is zero."""
    width = max(least, max(len(row) for row in rows))
    example = next(tensor for row in rows for tensor, _ in row)
    blank = torch.zeros_like(example)
    flat = [
        tensor for row in rows for tensor in (*(t for t, _ in row), *[blank] * (width - len(row)))
    ]
    numbers = [[*(number for _, number in row), *[0] * (width - len(row))] for row in rows]
    used = [[True] * len(row) + [False] * (width - len(row)) for row in rows]
    stacked = torch.stack(flat).view(len(rows), width, *example.shape)
    return (
        stacked,
        torch.tensor(numbers, device=example.device),
        torch.tensor(used, device=example.device),
    )


def prompt_batch(
    prompts: Sequence[Sequence[Prompt]], source: tuple[int, int], size: int, device: torch.device
) -> PromptBatch:
    """Clicks and boxes of N rows with equally many points, source pixels -> model pixels; a box
    travels as two points."""
    coords, labels = zip(*(_points_of(row) for row in prompts), strict=True)
    xy = points_to_model(np.stack(coords), source, size)
    return PromptBatch(
        torch.from_numpy(xy).to(device), torch.from_numpy(np.stack(labels)).to(device)
    )


def count_points(prompts: Sequence[Prompt]) -> int:
    """How many points clicks and boxes come to; rows with the same count share a batch."""
    return len(_points_of(prompts)[1])


def _points_of(prompts: Sequence[Prompt]) -> tuple[np.ndarray, np.ndarray]:
    """(P, 2) source pixels and (P,) labels; box corners (labels 2 and 3) come before any click, as
    in SAM 2."""
    boxes = [p.xyxy.reshape(2, 2) for p in prompts if isinstance(p, Box)]
    clicks = [p for p in prompts if isinstance(p, Points)]
    coords = [*boxes, *(p.xy for p in clicks)]
    labels = [*(np.array([2, 3]) for _ in boxes), *(p.labels for p in clicks)]
    if not coords:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.int64)
    return np.concatenate(coords).astype(np.float32), np.concatenate(labels).astype(np.int64)


def join_rows(groups: Sequence[tuple[Sequence[int], Decoded]], size: int) -> Decoded:
    """Decoded groups with their row numbers -> one Decoded in row order.

    Groups may differ in candidates (1 or 3) and in whether a mask was given; candidates are then
    cut to the chosen one and missing input logits are the upsampled mask, so that one
    memory-encoder call serves all rows.
    """
    if len(groups) == 1:
        return groups[0][1]
    parts = [part for _, part in groups]
    order = torch.argsort(torch.tensor([row for rows, _ in groups for row in rows]))
    if any(part.input_logits is not None for part in parts):
        parts = [_with_input_logits(part, size) for part in parts]
    if len({part.candidate_logits.shape[1] for part in parts}) > 1:
        parts = [_only_chosen(part) for part in parts]
    joined = {}
    for spec in fields(Decoded):
        values = [getattr(part, spec.name) for part in parts]
        joined[spec.name] = (
            None if values[0] is None else torch.cat(values)[order.to(values[0].device)]
        )
    return Decoded(**joined)  # type: ignore[arg-type]


def _with_input_logits(part: Decoded, size: int) -> Decoded:
    if part.input_logits is not None:
        return part
    full = F.interpolate(
        part.mask_logits[:, None], (size, size), mode="bilinear", align_corners=False
    )
    return replace(part, input_logits=full[:, 0])


def _only_chosen(part: Decoded) -> Decoded:
    rows = torch.arange(len(part.chosen), device=part.chosen.device)
    tokens = part.candidate_tokens
    return replace(
        part,
        candidate_logits=part.mask_logits[:, None],
        candidate_ious=part.iou[:, None],
        candidate_tokens=None if tokens is None else tokens[rows, part.chosen][:, None],
        chosen=torch.zeros_like(part.chosen),
    )
