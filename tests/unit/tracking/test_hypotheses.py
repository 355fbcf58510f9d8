"""The tree of hypotheses, on a scripted network and end to end; and every rival rule end to end."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from sam2s.memory.all_rules import RULES
from sam2s.memory.bank import Bank
from sam2s.memory.hypothesis_tree import HypothesisTree, Proposals, pathways_of
from sam2s.memory.recent import Recent
from sam2s.tracking.row_prompts import TRACKED, RowPrompt
from sam2s.tracking.rows import Observation, Rows
from sam2s.tracking.tracker import Tracker, make_core
from sam2s.types import Box, Decoded, Features, Memory, Points, PromptBatch

OBJECT, LOOK_ALIKE, JUNK = 1, 2, 3


class Scripted:
    """A network of one cell: a memory's map is the identity it shows, and the script says what
    follows from it.

    On frame 1 the look-alike seems a little better than the object; whoever follows it then sees it
    fit less and less.
    """

    image_size = 16

    def recall(self, features: Features, memory) -> Features:
        if memory is None:
            return features
        newest = torch.where(memory.map_mask & (memory.slots == 0), 1, 0).argmax(dim=1)
        maps = memory.maps[torch.arange(len(newest)), newest]
        return replace(features, stride16=maps.round())

    def decode(self, features: Features, prompts: PromptBatch, *, fallback: bool = True) -> Decoded:
        rows = [self.propose(int(known)) for known in features.stride16[:, 0, 0, 0].round()]
        ids = torch.tensor([[i for i, _ in row] for row in rows], dtype=torch.float32)
        ious = torch.tensor([[iou for _, iou in row] for row in rows])
        n = len(rows)
        decoded = Decoded(
            mask_logits=torch.zeros(n, 1, 1),
            iou=torch.zeros(n),
            object_logits=torch.full((n,), 6.0),
            pointer=torch.zeros(n, 1),
            candidate_logits=ids[..., None, None],
            candidate_ious=ious,
            chosen=torch.zeros(n, dtype=torch.long),
            candidate_tokens=ids[..., None],
        )
        return self.choose(decoded, ious.argmax(dim=1))

    def propose(self, known: int) -> list[tuple[int, float]]:
        if known == 0:  # only the prompt is known: an ambiguous frame
            return [(OBJECT, 0.85), (LOOK_ALIKE, 0.9), (JUNK, 0.1)]
        return [(known, 0.9 if known == OBJECT else 0.5), (JUNK, 0.1), (JUNK, 0.05)]

    def adopt(self, features: Features, mask) -> Decoded:
        decoded = self.decode(features, PromptBatch.none(len(mask)))
        return replace(
            decoded,
            input_logits=torch.zeros(len(mask), 16, 16),
            object_logits=torch.full((len(mask),), 9.0),
        )

    def choose(self, decoded: Decoded, chosen) -> Decoded:
        rows = torch.arange(len(chosen))
        return replace(
            decoded,
            mask_logits=decoded.candidate_logits[rows, chosen],
            iou=decoded.candidate_ious[rows, chosen],
            pointer=decoded.candidate_tokens[rows, chosen],
            chosen=chosen,
        )

    def memorize(self, features: Features, decoded: Decoded, *, binarize) -> torch.Tensor:
        given = decoded.input_logits is not None
        return (0 if given else 1) * decoded.mask_logits[:, None]


GIVEN = RowPrompt(mask=torch.ones(16, 16))
FEATURES = Features(*(torch.zeros(1, 1, 1, 1) for _ in range(3)))


def step(policy, bank: Bank, now: int, prompt: RowPrompt = TRACKED) -> tuple[Observation, Bank]:
    """What one object shows at ``now``, and its bank after that."""
    core = make_core(Scripted(), policy)
    seen = core.observe(Rows(FEATURES, (bank,), (now,), (prompt,)))
    (after,) = core.commit(seen)
    return seen, after


def track(policy, frames: int) -> tuple[list[int], Bank]:
    """Who was shown on frames 1 to ``frames`` - 1, and the last bank."""
    bank, shown = Bank(), []
    for now in range(frames):
        seen, bank = step(policy, bank, now, TRACKED if now else GIVEN)
        assert len(seen.decoded.iou) == 1
        shown.append(int(seen.decoded.mask_logits[0, 0, 0]))
    return shown[1:], bank


def test_the_tree_recovers_from_an_early_wrong_choice():
    greedy, _ = track(HypothesisTree(pathways=1), 6)
    assert greedy == [LOOK_ALIKE] * 5
    shown, bank = track(HypothesisTree(), 6)
    assert shown == [LOOK_ALIKE] + [OBJECT] * 4
    paths = pathways_of(bank)
    assert len(paths) == 3
    assert paths[0].score == 0.0
    assert all(p.score <= q.score for p, q in zip(paths[1:], paths, strict=False))
    # The best pathway remembers its own past, not the answer that was shown on frame 1.
    assert [int(m.map) for m in paths[0].bank.state.good] == [OBJECT] * 5
    assert [int(m.pointer) for m in bank.tracked] == [OBJECT] * 5


def test_a_prompt_leaves_one_pathway():
    _, bank = track(HypothesisTree(), 4)
    _, after = step(HypothesisTree(), bank, 4, GIVEN)
    (only,) = pathways_of(after)
    assert [m.time for m in only.bank.prompted] == [0, 4]
    assert [int(m.map) for m in only.bank.state.good] == [OBJECT] * 3


def proposals(
    ious: list[list[float]], logits: list[float], scores: list[float] | None = None
) -> list[Proposals]:
    scores = scores or [0.0] * len(ious)
    return [
        Proposals(row, scores[row], tuple(ious[row]), logits[row], 0) for row in range(len(ious))
    ]


def test_the_best_cumulative_scores_go_on():
    ious, logits = [[0.9, 0.8, 0.1], [0.95, 0.2, 0.1]], [5.0, 5.0]
    kept = HypothesisTree().survivors(proposals(ious, logits, [0.0, -0.5]))
    assert [(b.row, b.candidate) for b in kept] == [(0, 0), (0, 1), (1, 0)]
    assert kept[0].score == 0
    assert kept[2].score == pytest.approx(np.log(0.95 / 0.9) - 0.5, abs=1e-5)
    one = HypothesisTree(pathways=1).survivors(proposals(ious, logits, [-0.5, 0.0]))
    assert [(b.row, b.candidate) for b in one] == [(1, 0)]


def test_unsure_pathways_must_differ():
    ious = [[0.803, 0.801, 0.1], [0.799, 0.6, 0.5]]
    sure = HypothesisTree().survivors(proposals(ious, [2.1, 0.5]))
    assert [(b.row, b.candidate) for b in sure] == [(0, 0), (0, 1), (1, 0)]
    unsure = HypothesisTree().survivors(proposals(ious, [1.9, 2.0]))
    assert [(b.row, b.candidate) for b in unsure] == [(0, 0), (1, 1), (1, 2)]


def test_where_nothing_is_seen_there_is_nothing_to_choose():
    kept = HypothesisTree().survivors(proposals([[0.1, 0.9, 0.8], [0.9, 0.7, 0.6]], [-5.0, 5.0]))
    assert [(b.row, b.candidate) for b in kept] == [(0, 1), (1, 0), (1, 1)]
    # A predicted IoU of zero is bad, not impossible.
    nothing = HypothesisTree().survivors(proposals([[0.0, 0.0, 0.0]], [5.0]))
    assert np.isfinite([b.score for b in nothing]).all()


def test_only_good_memories_are_kept_and_the_surest_weigh_most():
    policy, bank = HypothesisTree(), pathways_of(track(HypothesisTree(), 3)[1])[0].bank
    example = bank.tracked[-1]
    for time, iou, logit in [(3, 0.3, 5.0), (4, 0.9, 0.0), (5, 0.31, 0.1)]:
        bank = policy.admit(bank, replace(example, time=time, iou=iou, object_logit=logit))
    assert [m.time for m in bank.state.good] == [1, 2, 5]
    factors = {m.time: float(m.map / example.map) for m, _ in policy.select(bank, 6).maps if m.time}
    assert factors == pytest.approx({5: 0.95, 1: 0.95 + 0.1 / 3, 2: 0.95 + 0.2 / 3})
    assert len(policy.select(bank, 6).pointers) == 6


RIVALS = ["pruned", "distractor", "samurai", "tree"]
PROMPTS = {
    0: {1: Points([[10, 24]], [1])},
    3: {2: Box([4, 16, 20, 32])},
    5: {1: Points([[30, 20]], [1])},
}


def test_every_rule_is_run():
    assert set(RIVALS) | {"recent", "diverse"} == set(RULES)


def kept_by(state) -> list[tuple]:
    """What a rule keeps for itself, as far as it is memories."""
    values = [] if state is None else [getattr(state, spec.name) for spec in fields(state)]
    return [v for v in values if isinstance(v, tuple) and all(isinstance(m, Memory) for m in v)]


@pytest.mark.parametrize("rule", RIVALS)
def test_a_rival_end_to_end(model, video, rule):
    tracker = Tracker(model, RULES[rule](Recent(maps=3, pointers=4)))
    for i, frame in enumerate(video):
        kept, given = tracker.state, PROMPTS.get(i)
        preview, result = tracker.preview(frame, given), tracker.step(frame, given)
        assert set(result.masks) == ({1} if i < 3 else {1, 2})
        for k in result.masks:
            np.testing.assert_array_equal(preview.logits[k], result.logits[k])
            assert 0 <= result.scores[k] <= result.presence[k] <= 1
    again = Tracker(model, tracker.policy)
    again.state = kept  # undo
    np.testing.assert_array_equal(again.step(video[-1]).logits[1], result.logits[1])
    for bank in tracker.state.banks.values():
        assert len(bank.prompted) <= 2
        assert len(bank.tracked) <= 4
        assert all(len(memories) <= 3 for memories in kept_by(bank.state))
    tracker.remove(1)
    assert tracker.objects == (2,)


def test_pathways_end_to_end(model, video):
    tracker = Tracker(model, "tree")
    assert len(list(tracker.run(video, PROMPTS))) == 12
    for bank in tracker.state.banks.values():
        paths = pathways_of(bank)
        assert len(paths) == 3
        assert all(path.bank.state.pathways == () for path in paths)
    again = Tracker(model, HypothesisTree(), reverse=True)
    assert len(list(again.run(video[:1], {0: PROMPTS[0]}))) == 1
