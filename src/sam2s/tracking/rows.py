"""Rows, a row being one object on one frame: what the core is asked, and what it answers.

Rows know neither object ids nor videos. A tracker's rows are the objects of one frame; a training
batch's rows are objects of several clips, each with its own frame and clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sam2s.devices import upload
from sam2s.memory.bank import Bank
from sam2s.tracking.row_prompts import RowKind, RowPrompt
from sam2s.types import Decoded, Features, Sighting, take_rows


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """N rows: their pictures, memories, clocks and prompts.

    ``features``: not conditioned on memory, of N rows, or of one frame that all rows see.
    ``banks``, ``times`` and ``prompts``: N each; a time is a position on the row's own clock.
    ``recalled``: features conditioned on these banks, N rows, where an earlier observation has
    computed them.
    """

    features: Features
    banks: tuple[Bank[Any], ...]
    times: tuple[int, ...]
    prompts: tuple[RowPrompt, ...]
    recalled: Features | None = None

    def __len__(self) -> int:
        return len(self.banks)

    @property
    def device(self) -> torch.device:
        """Where the features lie."""
        return self.features.stride16.device

    def own_features(self) -> Features:
        """The features row by row, without copying."""
        shared = len(self.features.stride16) == 1
        return self.features.expand(len(self)) if shared else self.features

    def take(self, positions: Sequence[int]) -> Rows:
        """The rows at ``positions``, which may repeat."""
        if list(positions) == list(range(len(self))):
            return self
        shared = len(self.features.stride16) == 1
        return Rows(
            features=self.features if shared else take_rows(self.features, positions),
            banks=tuple(self.banks[k] for k in positions),
            times=tuple(self.times[k] for k in positions),
            prompts=tuple(self.prompts[k] for k in positions),
            recalled=None if self.recalled is None else take_rows(self.recalled, positions),
        )

    def alike(self) -> list[list[int]]:
        """Positions of rows that can share one decoder call: tracked ones, given masks, and points
        of equal number with a prior, without one but with memories, and with neither."""
        groups: dict[tuple[RowKind, int, bool, bool], list[int]] = {}
        for position, (prompt, bank) in enumerate(zip(self.prompts, self.banks, strict=True)):
            first = prompt.kind is RowKind.POINTS and prompt.prior is None and not len(bank)
            key = (prompt.kind, len(prompt.labels), prompt.prior is not None, first)
            groups.setdefault(key, []).append(position)
        return list(groups.values())

    def correcting(self, logits: Tensor) -> Rows:
        """The same rows, their prompts corrections of the masks with these (N, 4h, 4w) logits."""
        corrected = tuple(
            prompt.correcting(mask) for prompt, mask in zip(self.prompts, logits, strict=True)
        )
        return replace(self, prompts=corrected)


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What N rows show, before anything is remembered.

    ``rows``: what was asked; ``decoded``: N rows; ``sightings``: what each row chose from, where
    the memory rule asks for it; ``hypotheses``: what each of several hypotheses shows, under a rule
    that follows them (see ``tracking.hypotheses``), which alone reads it.
    """

    rows: Rows
    decoded: Decoded
    sightings: tuple[Sighting, ...] | None = None
    hypotheses: Hypotheses | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Hypotheses:
    """The hypotheses of N objects that survive one frame, best first within each object.

    ``seen``: what they show, one row each; ``scores``: their cumulative scores; ``owners``: the
    object, 0 to N - 1, that each belongs to.
    """

    seen: Observation
    scores: tuple[float, ...]
    owners: tuple[int, ...]


def join_observations(
    rows: Rows, parts: Sequence[tuple[Sequence[int], Observation]], size: int
) -> Observation:
    """Observations of parts of ``rows``, each with its positions -> one of all, in row order.
    ``size``: side of the model's input in pixels."""
    if len(parts) == 1:
        return parts[0][1]
    decoded = join_decoded([(at, part.decoded) for at, part in parts], size)
    found = {
        k: sighting
        for at, part in parts
        for k, sighting in zip(at, part.sightings or (), strict=False)
    }
    sightings = tuple(found[k] for k in range(len(rows))) if found else None
    return Observation(rows, decoded, sightings)


def join_decoded(parts: Sequence[tuple[Sequence[int], Decoded]], size: int) -> Decoded:
    """Decoded parts with their row numbers -> one ``Decoded`` in row order.

    Parts may differ in candidates (1 or 3) and in whether a mask was given; candidates are then cut
    to the chosen one, and missing input logits are the upsampled mask, so that one call of the
    memory encoder serves all rows.
    """
    some = [part for _, part in parts]
    order = torch.argsort(torch.tensor([row for rows, _ in parts for row in rows]))
    order = upload(order, some[0].iou.device)
    if any(part.input_logits is not None for part in some):
        some = [_with_input_logits(part, size) for part in some]
    if len({part.candidate_logits.shape[1] for part in some}) > 1:
        some = [_only_chosen(part) for part in some]
    joined = {}
    for spec in fields(Decoded):
        values = [getattr(part, spec.name) for part in some]
        joined[spec.name] = None if values[0] is None else torch.cat(values)[order]
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
