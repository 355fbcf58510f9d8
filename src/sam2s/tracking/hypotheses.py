"""A tree of hypotheses, as SAM2Long grows it (arXiv 2410.16268, section 3): several memories of one
object at once.

Under the rule `tree` an object has up to P pathways, each with its own bank and score. On a tracked
frame every pathway proposes the decoder's candidates, each candidate adds the logarithm of its
predicted IoU to the pathway's score, and the best P of them all are the pathways of the next frame.
While no pathway is sure whether the object is there, pathways must differ: of candidates whose
predicted IoUs agree to two decimals only the best goes on. Where a pathway sees no object there is
nothing to choose from, and it goes on as one.

The answer of a frame is the best pathway's. (The paper answers after the last frame, by the best
pathway's past; a stream has no last frame.) A prompt is the truth: it leaves one pathway, the best
one corrected.

All pathways of all objects are rows of one batch. An object's bank is its best pathway's and holds
all of them as the rule's own value, so that states, undo and removal are what they are elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log

import torch

from sam2s.memory.bank import Bank
from sam2s.memory.tree import Tree
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.core import Core
from sam2s.tracking.prompts import RowKind
from sam2s.tracking.rows import Hypotheses, Observation, Rows
from sam2s.types import Decoded, take_rows

EPSILON = 1e-6
"""Keeps the logarithm of a predicted IoU of zero finite."""


@dataclass(frozen=True, slots=True, eq=False)
class Pathway:
    """One hypothesis: its memories, and its score relative to the best one's."""

    bank: Bank
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the decoder proposes for one pathway: ``row`` of the batch, the pathway's ``score``, the
    candidates' predicted ``ious``, the object logit, and which candidate it chose itself."""

    row: int
    score: float
    ious: tuple[float, ...]
    object_logit: float
    chosen: int


@dataclass(frozen=True, slots=True)
class Branch:
    """A candidate of a row that goes on, and the score it would have."""

    row: int
    candidate: int
    score: float


def pathways_of(bank: Bank) -> tuple[Pathway, ...]:
    """The hypotheses of one object, best first."""
    return bank.own if isinstance(bank.own, tuple) else (Pathway(bank),)


@dataclass(frozen=True, slots=True, eq=False)
class TreeCore:
    """A `Core` under the rule ``tree``: its rows are pathways, those asked for are objects."""

    core: Core
    rule: Tree

    @property
    def model(self) -> SAM2S:
        """The network."""
        return self.core.model

    @property
    def policy(self) -> Tree:
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

    def commit(self, seen: Observation) -> tuple[Bank, ...]:
        """The bank of every object after each of its pathways has remembered its own."""
        grown = seen.hypotheses
        assert grown is not None, "rows must be observed under the rule that commits them"
        banks = self.core.commit(grown.seen)
        after: list[Bank] = []
        for k in range(len(seen.rows)):
            own = [p for p, owner in enumerate(grown.owners) if owner == k]
            paths = tuple(Pathway(banks[p], grown.scores[p]) for p in own)
            after.append(replace(paths[0].bank, own=paths))
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
            branches = survivors(self.rule, mine) if tracked else answer
            kept += branches
            after += [owner] * len(branches)
        at = [branch.row for branch in kept]
        decoded = take_rows(seen.decoded, at)
        if any(branch.candidate != proposals[branch.row].chosen for branch in kept):
            index = torch.tensor([branch.candidate for branch in kept])
            decoded = self.model.choose(decoded, index.to(decoded.chosen.device))
        picked = Observation(replace(seen.rows, recalled=None).take(at), decoded)
        return Hypotheses(picked, tuple(branch.score for branch in kept), tuple(after))


def survivors(rule: Tree, pathways: Sequence[Proposals]) -> list[Branch]:
    """The branches of one tracked object that go on, best first.

    Scores come back relative to the best one's, so that they stay small however long the video is.
    """
    branches: list[tuple[float, Branch]] = []
    for path in pathways:
        ranked = sorted(range(len(path.ious)), key=lambda k: -path.ious[k])
        for k in ranked if path.object_logit > 0 else ranked[:1]:
            iou = path.ious[k]
            score = path.score + log(max(iou, 0.0) + EPSILON)
            branches.append((iou, Branch(path.row, k, score)))
    branches.sort(key=lambda b: -b[1].score)
    if max(abs(path.object_logit) for path in pathways) <= rule.sure_threshold:
        first = {round(iou, 2): branch for iou, branch in reversed(branches)}
        branches = [b for b in branches if first[round(b[0], 2)] is b[1]]
    kept = [branch for _, branch in branches[: rule.pathways]]
    return [replace(branch, score=branch.score - kept[0].score) for branch in kept]


def _proposals(decoded: Decoded, scores: Sequence[float]) -> list[Proposals]:
    numbers = [decoded.candidate_ious, decoded.object_logits[:, None], decoded.chosen[:, None]]
    return [
        Proposals(row, scores[row], tuple(ious), logit, int(chosen))
        for row, (*ious, logit, chosen) in enumerate(torch.cat(numbers, dim=1).tolist())
    ]
