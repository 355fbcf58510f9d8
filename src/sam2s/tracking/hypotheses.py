"""Several hypotheses of one object side by side: the rule ``tree`` on frames.

The answer of a frame is the best pathway's. (SAM2Long answers after the last frame, by the best
pathway's past; a stream has no last frame.) A prompt is the truth: it leaves one pathway, the best
one corrected.

All pathways of all objects are rows of one batch. An object's bank is its best pathway's and holds
all of them as the rule's own state, so that tracking states, undo and removal are what they are
elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from sam2s.devices import download, upload
from sam2s.memory.bank import Bank
from sam2s.memory.hypothesis_tree import (
    Branch,
    HypothesisTree,
    Pathway,
    Proposals,
    pathways_of,
    with_pathways,
)
from sam2s.model.verbs import Verbs
from sam2s.tracking.core import Core, Memorized
from sam2s.tracking.row_prompts import RowKind
from sam2s.tracking.rows import Hypotheses, Observation, Rows
from sam2s.types import Decoded, take_rows


@dataclass(frozen=True, slots=True, eq=False)
class TreeCore:
    """A `Core` under the rule ``tree``: its rows are pathways, those asked for are objects."""

    core: Core
    rule: HypothesisTree

    @property
    def model(self) -> Verbs:
        """The network."""
        return self.core.model

    @property
    def policy(self) -> HypothesisTree:
        """The memory rule of every pathway."""
        return self.rule

    def observe(self, rows: Rows) -> Observation:
        """What the best pathway of every object shows."""
        owners: list[int] = []
        paths: list[Pathway] = []
        for owner, (bank, prompt) in enumerate(zip(rows.banks, rows.prompts, strict=True)):
            mine = pathways_of(bank)
            mine = mine if prompt.kind is RowKind.TRACKED else mine[:1]
            owners += [owner] * len(mine)
            paths += mine
        spread = replace(rows.take(owners), banks=tuple(path.bank for path in paths))
        grown = self._grow(self.core.observe(spread), owners, [path.score for path in paths])
        best = [grown.owners.index(owner) for owner in range(len(rows))]
        return Observation(rows, take_rows(grown.seen.decoded, best), hypotheses=grown)

    def commit(self, seen: Observation) -> tuple[Bank[Any], ...]:
        """The bank of every object after each of its pathways has remembered its own."""
        memorized = self.memorize(seen)
        return self.admit(seen, memorized, *download([memorized.scores]))

    def memorize(self, seen: Observation) -> Memorized:
        """The half of ``commit`` that computes."""
        return self.core.memorize(_grown(seen).seen)

    def admit(
        self, seen: Observation, memorized: Memorized, scores: np.ndarray
    ) -> tuple[Bank[Any], ...]:
        """The other half; ``scores``: those of ``memorized``, on the host."""
        grown = _grown(seen)
        banks = self.core.admit(grown.seen, memorized, scores)
        after: list[Bank[Any]] = []
        for k in range(len(seen.rows)):
            own = [p for p, owner in enumerate(grown.owners) if owner == k]
            after.append(with_pathways(tuple(Pathway(banks[p], grown.scores[p]) for p in own)))
        return tuple(after)

    def _grow(
        self, seen: Observation, owners: Sequence[int], scores: Sequence[float]
    ) -> Hypotheses:
        """The candidates that go on, best first within each object."""
        proposals = _proposals(seen.decoded, scores)
        kept: list[Branch] = []
        after: list[int] = []
        for owner in sorted(set(owners)):
            mine = [p for p in proposals if owners[p.row] == owner]
            tracked = seen.rows.prompts[mine[0].row].kind is RowKind.TRACKED
            # A prompted pathway goes on as what was decoded: the prompt is the truth.
            answer = [Branch(mine[0].row, mine[0].chosen, 0.0)]
            branches = self.rule.survivors(mine) if tracked else answer
            kept += branches
            after += [owner] * len(branches)
        at = [branch.row for branch in kept]
        decoded = take_rows(seen.decoded, at)
        if any(branch.candidate != proposals[branch.row].chosen for branch in kept):
            index = torch.tensor([branch.candidate for branch in kept])
            decoded = self.model.choose(decoded, upload(index, decoded.chosen.device))
        picked = Observation(replace(seen.rows, recalled=None).take(at), decoded)
        return Hypotheses(picked, tuple(branch.score for branch in kept), tuple(after))


def _grown(seen: Observation) -> Hypotheses:
    assert seen.hypotheses is not None, "rows must be observed under the rule that commits them"
    return seen.hypotheses


def _proposals(decoded: Decoded, scores: Sequence[float]) -> list[Proposals]:
    numbers = [decoded.candidate_ious, decoded.object_logits[:, None], decoded.chosen[:, None]]
    return [
        Proposals(row, scores[row], tuple(ious), logit, int(chosen))
        for row, (*ious, logit, chosen) in enumerate(torch.cat(numbers, dim=1).tolist())
    ]
