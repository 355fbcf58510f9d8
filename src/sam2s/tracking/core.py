"""What happens to rows on a frame: two pure functions, no hidden state.

``observe`` recalls and decodes and changes nothing, so a click preview is ``observe`` and nothing
else. ``commit`` memorises what was observed and gives the banks after it. `Tracker`, the unrolling
of training clips and validation are shells around these two: which rows there are, and what is done
with the answer, is theirs to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2s.devices import download, upload
from sam2s.memory.bank import Bank
from sam2s.memory.policy import Chooser, Policy
from sam2s.model.verbs import Verbs
from sam2s.tracking.recall import memory_batch
from sam2s.tracking.row_prompts import TRACKED, RowKind, prompt_batch
from sam2s.tracking.rows import Observation, Rows, join_observations
from sam2s.tracking.sightings import sightings_of, with_choices
from sam2s.types import Decoded, Memory, Sighting


@dataclass(frozen=True, slots=True, eq=False)
class Memorized:
    """``maps`` (N, C_m, h, w) by which rows are remembered, and their ``scores`` (2, N) float32:
    object logits and predicted IoUs, which memory rules need on the host."""

    maps: Tensor
    scores: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Core:
    """A network under a memory rule.

    ``training``: several points get the single candidate however unstable it is, clicked masks are
    remembered as probabilities like tracked ones, and the decoder's choice of a candidate stands.
    """

    model: Verbs
    policy: Policy[Any]
    training: bool = False
    _chooser: Chooser | None = field(init=False)

    def __post_init__(self) -> None:
        asked = isinstance(self.policy, Chooser) and not self.training
        object.__setattr__(self, "_chooser", self.policy if asked else None)

    def observe(self, rows: Rows) -> Observation:
        """What the rows show. Rows with points and memories, but without a prior, are corrections
        of what memory alone says of the frame, as in SAM 2.

        Where all rows could be decoded together, the rows of the answer hold their recalled
        features, so that asking again with other points costs the decoder alone.
        """
        parts = [(at, self._observe_alike(rows.take(at))) for at in rows.alike()]
        return join_observations(rows, parts, self.model.image_size)

    def commit(self, seen: Observation) -> tuple[Bank[Any], ...]:
        """The bank of every row after what was observed is remembered."""
        memorized = self.memorize(seen)
        return self.admit(seen, memorized, *download([memorized.scores]))

    def memorize(self, seen: Observation) -> Memorized:
        """The half of ``commit`` that computes: on a GPU, without waiting for it."""
        rows, decoded = seen.rows, seen.decoded
        # Masks that a user clicked or boxed, saw and accepted are binarised before they are
        # memorised, as in SAM 2.
        clicked = [p.kind is RowKind.POINTS and not self.training for p in rows.prompts]
        binarize = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        if any(clicked):  # else nothing has to be uploaded
            binarize = upload(torch.tensor(clicked), rows.device)
        maps = self.model.memorize(rows.own_features(), decoded, binarize=binarize)
        return Memorized(maps, torch.stack([decoded.object_logits, decoded.iou]))

    def admit(
        self, seen: Observation, memorized: Memorized, scores: np.ndarray
    ) -> tuple[Bank[Any], ...]:
        """The other half; ``scores``: those of ``memorized``, on the host."""
        object_logits, ious = scores.tolist()
        rows, decoded, needs = seen.rows, seen.decoded, self.policy.needs
        features = rows.own_features()
        return tuple(
            self.policy.admit(
                bank,
                Memory(
                    time=rows.times[k],
                    origin=rows.prompts[k].origin,
                    map=memorized.maps[k],
                    pointer=decoded.pointer[k],
                    object_logit=object_logits[k],
                    iou=ious[k],
                    descriptor=features.stride16[k].detach() if needs.descriptors else None,
                    sighting=None if seen.sightings is None else seen.sightings[k],
                ),
            )
            for k, bank in enumerate(rows.banks)
        )

    def _observe_alike(self, rows: Rows) -> Observation:
        """Rows that share every call (`Rows.alike`)."""
        kind = rows.prompts[0].kind
        if kind is RowKind.MASK:
            masks = [prompt.mask for prompt in rows.prompts if prompt.mask is not None]
            decoded = self.model.adopt(rows.own_features(), torch.stack(masks).float())
            return Observation(rows, decoded, self._sightings(decoded))
        if rows.recalled is None:
            memory = memory_batch(self.policy, rows.banks, rows.times)
            rows = replace(rows, recalled=self.model.recall(rows.own_features(), memory))
        if kind is RowKind.TRACKED:
            return self._track(rows)
        if rows.prompts[0].prior is None and len(rows.banks[0]):
            tracked = self._track(replace(rows, prompts=(TRACKED,) * len(rows)))
            rows = rows.correcting(tracked.decoded.mask_logits)
        decoded = self._decode(rows)
        return Observation(rows, decoded, self._sightings(decoded))

    def _track(self, rows: Rows) -> Observation:
        decoded = self._decode(rows)
        sightings = self._sightings(decoded)
        if sightings is None or self._chooser is None:
            return Observation(rows, decoded, sightings)
        choices = [
            self._chooser.choose(bank, sighting, time)
            for bank, sighting, time in zip(rows.banks, sightings, rows.times, strict=True)
        ]
        return Observation(rows, *with_choices(self.model, decoded, sightings, choices))

    def _decode(self, rows: Rows) -> Decoded:
        assert rows.recalled is not None, "rows are recalled before they are decoded"
        prompts = prompt_batch(rows.prompts, rows.device)
        return self.model.decode(rows.recalled, prompts, fallback=not self.training)

    def _sightings(self, decoded: Decoded) -> tuple[Sighting, ...] | None:
        """Only for rules that need them or choose by them. Made before parts are joined, which may
        keep the chosen candidates only."""
        wanted = self.policy.needs.sightings or self._chooser is not None
        return sightings_of(decoded) if wanted and not self.training else None
