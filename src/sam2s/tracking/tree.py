"""A tree of hypotheses, as SAM2Long grows it (arXiv 2410.16268, section 3): several memories of one
object at once.

``observe`` and ``commit`` here are ``step``'s for every rule but ``tree``. Under that rule an
object has up to P pathways, each with its own bank and score. On a tracked frame every pathway
proposes the decoder's candidates, each candidate adds the logarithm of its predicted IoU to the
pathway's score, and the best P of them all are the pathways of the next frame. While no pathway is
sure whether the object is there, pathways must differ: of candidates whose predicted IoUs agree to
two decimals only the best goes on. Where a pathway sees no object there is nothing to choose from,
and it goes on as one.

The answer of a frame is the best pathway's. (The paper answers after the last frame, by the best
pathway's past; a stream has no last frame.) A prompt is the truth: it leaves one pathway, the best
one corrected.

All pathways of all objects are rows of one batch. An object's bank is its best pathway's and holds
all of them as the rule's own value, so that states, undo and removal are what they are elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from types import MappingProxyType

import torch
from torch import Tensor

from sam2s.memory.bank import Bank, Policy
from sam2s.memory.tree import Tree
from sam2s.model.sam2s import SAM2S
from sam2s.tracking import step
from sam2s.tracking.state import Observation, Pathways, TrackState
from sam2s.types import Features, Prompt, take_rows

EPSILON = 1e-6
"""Keeps the logarithm of a predicted IoU of zero finite."""


@dataclass(frozen=True, slots=True, eq=False)
class Pathway:
    """One hypothesis: its memories, and its score relative to the best one's."""

    bank: Bank
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Branch:
    """A candidate of a row that goes on, and the score it would have."""

    row: int
    candidate: int
    score: float


def pathways_of(bank: Bank) -> tuple[Pathway, ...]:
    """The hypotheses of one object, best first."""
    return bank.own if isinstance(bank.own, tuple) else (Pathway(bank),)


def observe(
    model: SAM2S,
    policy: Policy,
    state: TrackState,
    features: Features,
    now: int,
    prompts: Mapping[int, Sequence[Prompt]] | None = None,
    prior: Mapping[int, Tensor] | None = None,
) -> Observation:
    """``step.observe``; under the rule ``tree``, what the best pathway of every object shows."""
    if not isinstance(policy, Tree):
        return step.observe(model, policy, state, features, now, prompts, prior)
    prompts, prior, size = prompts or {}, prior or {}, policy.pathways
    before = {i: pathways_of(bank) for i, bank in state.banks.items()}
    paths = {
        i * size + k: path
        for i, all_ in before.items()
        for k, path in enumerate(all_)
        if k == 0 or i not in prompts
    }
    spread = replace(state, banks=MappingProxyType({i: path.bank for i, path in paths.items()}))
    seen = step.observe(
        model,
        policy,
        spread,
        features,
        now,
        {i * size: given for i, given in prompts.items()},
        {i * size: logits for i, logits in prior.items()},
    )
    grown = _grow(model, policy, seen, paths)
    best = [k for k, i in enumerate(grown.seen.ids) if i % size == 0]
    shown = _rows(grown.seen, best, tuple(grown.seen.ids[k] // size for k in best))
    return replace(shown, pathways=grown)


def commit(
    model: SAM2S, policy: Policy, state: TrackState, features: Features, now: int, seen: Observation
) -> TrackState:
    """``step.commit``, for every pathway of every object."""
    grown = seen.pathways
    if not isinstance(policy, Tree) or grown is None:
        return step.commit(model, policy, state, features, now, seen)
    after = step.commit(model, policy, replace(state, banks=grown.banks), features, now, grown.seen)
    banks = {}
    for i in seen.ids:
        keys = [key for key in grown.seen.ids if key // policy.pathways == i]
        paths = tuple(Pathway(after.banks[key], grown.scores[key]) for key in keys)
        banks[i] = replace(paths[0].bank, own=paths)
    return replace(after, banks=MappingProxyType(banks))


def _grow(model: SAM2S, policy: Tree, seen: Observation, paths: Mapping[int, Pathway]) -> Pathways:
    """The candidates that go on, numbered best first within each object."""
    rows_of: dict[int, list[int]] = {}
    for row, key in enumerate(seen.ids):
        rows_of.setdefault(key // policy.pathways, []).append(row)
    branches = {}
    for i, rows in rows_of.items():
        known = [paths[seen.ids[row]].score if seen.ids[row] in paths else 0.0 for row in rows]
        branches[i] = (
            _prompted(seen, rows[0])
            if seen.prompted[rows[0]]
            else survivors(policy, seen, rows, known)
        )
    keyed = {
        i * policy.pathways + k: branch
        for i, some in branches.items()
        for k, branch in enumerate(some)
    }
    ids = tuple(keyed)
    chosen = [branch.candidate for branch in keyed.values()]
    picked = _rows(seen, [branch.row for branch in keyed.values()], ids)
    if chosen != picked.decoded.chosen.tolist():
        index = torch.tensor(chosen, device=picked.decoded.chosen.device)
        picked = replace(picked, decoded=model.choose(picked.decoded, index))
    parents = {key: seen.ids[branch.row] for key, branch in keyed.items()}
    banks = {key: paths[parent].bank for key, parent in parents.items() if parent in paths}
    return Pathways(
        picked, MappingProxyType(banks), {key: branch.score for key, branch in keyed.items()}
    )


def survivors(
    policy: Tree, seen: Observation, rows: Sequence[int], scores: Sequence[float]
) -> list[Branch]:
    """The branches of one tracked object that go on, best first; ``rows`` are its pathways, with
    their ``scores``.

    Scores come back relative to the best one's, so that they stay small however long the video is.
    """
    some = take_rows(seen.decoded, list(rows))
    logits = some.object_logits.tolist()
    proposals: list[tuple[float, Branch]] = []
    for row, score, ious, logit in zip(
        rows, scores, some.candidate_ious.tolist(), logits, strict=True
    ):
        ranked = sorted(range(len(ious)), key=lambda k: -ious[k])
        for k in ranked if logit > 0 else ranked[:1]:
            proposals.append((ious[k], Branch(row, k, score + log(max(ious[k], 0.0) + EPSILON))))
    proposals.sort(key=lambda p: -p[1].score)
    if max(abs(logit) for logit in logits) <= policy.sure_threshold:
        first = {round(iou, 2): branch for iou, branch in reversed(proposals)}
        proposals = [p for p in proposals if first[round(p[0], 2)] is p[1]]
    kept = [branch for _, branch in proposals[: policy.pathways]]
    return [replace(branch, score=branch.score - kept[0].score) for branch in kept]


def _prompted(seen: Observation, row: int) -> list[Branch]:
    return [Branch(row, int(seen.decoded.chosen[row]), 0.0)]


def _rows(seen: Observation, rows: Sequence[int], ids: tuple[int, ...]) -> Observation:
    index = torch.tensor(rows, device=seen.binarize.device)
    prompted = tuple(seen.prompted[row] for row in rows)
    return Observation(ids, take_rows(seen.decoded, index), prompted, seen.binarize[index])
