"""SAM2Long's rule: a tree of hypotheses, each with its own memory (arXiv 2410.16268, section 3).

Memory of one hypothesis: a tracked frame may be recalled when the object is in view and its
predicted IoU exceeds a threshold; the latest of them are recalled, however old, beside the prompted
frames. What is recalled is weighted by how sure the decoder was that the object is there: sorted by
object logit, the maps are scaled by factors that rise evenly from ``weights[0]`` to ``weights[1]``.

The tree: an object has up to P pathways, each with its own bank and score. On a tracked frame every
pathway proposes the decoder's candidates, each candidate adds the logarithm of its predicted IoU to
the pathway's score, and the best P of them all are the pathways of the next frame. While no pathway
is sure whether the object is there, pathways must differ: of candidates whose predicted IoUs agree
to two decimals only the best goes on. Where a pathway sees no object there is nothing to choose
from, and it goes on as one. What runs the pathways side by side is ``sam2s.tracking.hypotheses``; a
core that knows nothing of it follows a single one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import log
from typing import ClassVar, Literal

from sam2s.memory.bank import Bank, by_rank
from sam2s.memory.policy import Capacity, Needs
from sam2s.memory.recent import Count, Recent, Share
from sam2s.typed_json import check_fields
from sam2s.types import Memory, Origin, Recollection

EPSILON = 1e-6
"""Keeps the logarithm of a predicted IoU of zero finite."""


@dataclass(frozen=True, slots=True, eq=False)
class TreeState:
    """``good``: the latest tracked frames that passed, oldest first; ``pathways``: in an object's
    own bank all its hypotheses, best first, and in theirs nothing."""

    good: tuple[Memory, ...] = ()
    pathways: tuple[Pathway, ...] = ()

    @property
    def memories(self) -> tuple[Memory, ...]:
        """The frames that passed, and all that the hypotheses hold."""
        return (*self.good, *(m for path in self.pathways for m in path.bank.memories))


@dataclass(frozen=True, slots=True, eq=False)
class Pathway:
    """One hypothesis: its memories, and its score relative to the best one's."""

    bank: Bank[TreeState]
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


@dataclass(frozen=True, slots=True)
class HypothesisTree:
    """The rule ``tree``; ``recent`` bounds maps and pointers.

    ``pathways`` (P): hypotheses of one object kept at most; ``iou_threshold`` (delta_IoU): of
    memories; ``sure_threshold`` (delta_conf): a frame is uncertain while no pathway's object logit
    is farther from zero.
    """

    recent: Recent = field(default_factory=Recent)
    pathways: Count = 3
    iou_threshold: Share = 0.3
    sure_threshold: float = 2.0
    weights: tuple[float, float] = (0.95, 1.05)
    rule: Literal["tree"] = field(default="tree", kw_only=True)

    needs: ClassVar = Needs()

    def __post_init__(self) -> None:
        check_fields(self, "memory rule tree")

    @property
    def capacity(self) -> Capacity:
        """As many as SAM 2 recalls, for every pathway."""
        return self.recent.capacity

    def admit(self, bank: Bank[TreeState], new: Memory) -> Bank[TreeState]:
        """The bank of a pathway with ``new``."""
        good = (bank.state or TreeState()).good
        after = self.recent.admit(bank, new)
        if new.origin is Origin.PROMPTED:
            return replace(after, state=TreeState(() if self.recent.forgets(bank) else good))
        if new.object_logit > 0 and new.iou > self.iou_threshold:
            good = (*good, new)[-self.recent.maps :]
        return replace(after, state=TreeState(good))

    def select(self, bank: Bank[TreeState], now: int) -> Recollection:
        """The latest frames that passed, weighted; pointers as in SAM 2."""
        maps = by_rank(bank.prompted, (bank.state or TreeState()).good)
        return Recollection(self._weighted(maps), self.recent.select(bank, now).pointers)

    def survivors(self, pathways: Sequence[Proposals]) -> list[Branch]:
        """The branches of one tracked object that go on, best first.

        Scores come back relative to the best one's, so that they stay small however long the video
        is.
        """
        branches: list[tuple[float, Branch]] = []
        for path in pathways:
            ranked = sorted(range(len(path.ious)), key=lambda k: -path.ious[k])
            for k in ranked if path.object_logit > 0 else ranked[:1]:
                score = path.score + log(max(path.ious[k], 0.0) + EPSILON)
                branches.append((path.ious[k], Branch(path.row, k, score)))
        branches.sort(key=lambda b: -b[1].score)
        if max(abs(path.object_logit) for path in pathways) <= self.sure_threshold:
            first = {round(iou, 2): branch for iou, branch in reversed(branches)}
            branches = [b for b in branches if first[round(b[0], 2)] is b[1]]
        kept = [branch for _, branch in branches[: self.pathways]]
        return [replace(branch, score=branch.score - kept[0].score) for branch in kept]

    def _weighted(self, maps: tuple[tuple[Memory, int], ...]) -> tuple[tuple[Memory, int], ...]:
        if len(maps) < 2:
            return maps
        low, high = self.weights
        order = sorted(range(len(maps)), key=lambda i: maps[i][0].object_logit)
        factor = {i: low + (high - low) * rank / (len(maps) - 1) for rank, i in enumerate(order)}
        return tuple((replace(m, map=m.map * factor[i]), slot) for i, (m, slot) in enumerate(maps))


def pathways_of(bank: Bank[TreeState]) -> tuple[Pathway, ...]:
    """The hypotheses of one object, best first; of a new object its empty bank."""
    known = () if bank.state is None else bank.state.pathways
    return known or (Pathway(bank),)


def with_pathways(pathways: tuple[Pathway, ...]) -> Bank[TreeState]:
    """The bank of an object: its best hypothesis', which holds all of them."""
    best = pathways[0].bank
    return replace(best, state=replace(best.state or TreeState(), pathways=pathways))
