"""Memory rules on small written-out cases."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from sam2s.errors import InputError, WeightsError
from sam2s.memory.all_rules import RULES, Rule, describe_rule, named_rule, pick_rule
from sam2s.memory.bank import Bank
from sam2s.memory.distractor import Distractor
from sam2s.memory.diverse import Diverse, least_similar
from sam2s.memory.hypothesis_tree import HypothesisTree
from sam2s.memory.pruned import Pruned
from sam2s.memory.recent import Recent
from sam2s.memory.samurai import Samurai
from sam2s.model.presets import ModelConfig
from sam2s.types import LONG_TERM_SLOT, Memory, Origin


def memory(time, feature, *, origin=Origin.TRACKED, iou=0.99, logit=1.0):
    return Memory(
        time,
        origin,
        torch.zeros(1),
        torch.zeros(1),
        logit,
        iou,
        torch.tensor(feature).view(2, 1, 1),
    )


def fill(policy, bank, start, features):
    for i, feature in enumerate(features):
        bank = policy.admit(bank, memory(start + i, feature))
    return bank


def test_long_term_takes_the_frame_least_like_the_newest():
    policy = Diverse(candidates=3)
    bank = policy.admit(Bank(), memory(0, [1.0, 0.0], origin=Origin.PROMPTED))
    bank = fill(policy, bank, 1, [[1.0, 0.1], [0.0, 1.0], [1.0, 1.0]])
    assert [m.time for m in bank.state.long_term] == [2]
    # Compared with frame 2 now, not with the prompted frame.
    bank = fill(policy, bank, 4, [[0.0, 1.0], [0.1, 1.0], [1.0, 0.0]])
    assert [m.time for m in bank.state.long_term] == [2, 6]


def test_least_similar_breaks_ties_by_age():
    reference = torch.tensor([1.0, 0.0])
    assert least_similar([torch.tensor([0.0, 1.0]), torch.tensor([0.0, 2.0])], reference) == 0


def test_absent_frames_stay_in_recent_memory():
    policy = Diverse()
    bank = policy.admit(Bank(), memory(0, [1.0, 0.0], origin=Origin.PROMPTED))
    bank = policy.admit(bank, memory(1, [1.0, 0.0], logit=-4.0))
    assert [m.time for m in bank.tracked] == [1]
    assert bank.state.candidates == ()


def test_threshold_is_strict():
    policy = Diverse(iou_threshold=0.95)
    bank = policy.admit(Bank(), memory(0, [1.0, 0.0], origin=Origin.PROMPTED))
    assert policy.admit(bank, memory(1, [1.0, 0.0], iou=0.95)).state.candidates == ()
    assert len(policy.admit(bank, memory(1, [1.0, 0.0], iou=0.951)).state.candidates) == 1


def test_long_term_pointers_join_once():
    policy = Diverse(candidates=2, long_term_pointers=True)
    bank = policy.admit(Bank(), memory(0, [1.0, 0.0], origin=Origin.PROMPTED))
    bank = fill(policy, bank, 1, [[1.0, 0.0]] * 40)
    recalled = policy.select(bank, 41)
    ages = [age for _, age in recalled.pointers]
    assert len(ages) == len(set(ages))
    assert {41 - m.time for m in bank.state.long_term} <= set(ages)
    without = replace(policy, long_term_pointers=False).select(bank, 41)
    assert len(without.pointers) == 16
    assert sum(slot == LONG_TERM_SLOT for _, slot in recalled.maps) == 3


def test_forget_on_correction_drops_what_was_tracked():
    for policy in (
        Recent(forget_on_correction=True),
        Diverse(Recent(forget_on_correction=True), candidates=2),
    ):
        bank = policy.admit(Bank(), memory(0, [1.0, 0.0], origin=Origin.PROMPTED))
        bank = fill(policy, bank, 1, [[1.0, 0.0]] * 9)
        bank = policy.admit(bank, memory(10, [1.0, 0.0], origin=Origin.PROMPTED))
        assert [m.time for m in bank.prompted] == [0, 10]
        assert bank.tracked == ()
        assert len(bank) == 2


def test_a_second_prompt_on_a_frame_replaces_the_first():
    bank = Recent().admit(Bank(), memory(3, [1.0, 0.0], origin=Origin.PROMPTED))
    newer = memory(3, [0.0, 1.0], origin=Origin.PROMPTED)
    bank = Recent().admit(bank, newer)
    assert len(bank.prompted) == 1
    assert bank.prompted[0].iou == newer.iou


ONE_TABLE = {
    "rule": "diverse",
    "recent_maps": 4,
    "pointers": 8,
    "stride": 2,
    "iou_threshold": 0.7,
    "candidates": 3,
    "long_term": 2,
    "similarity": "pooled",
    "long_term_pointers": True,
    "future_pointers": True,
    "forget_on_correction": True,
}
"""How rules were saved at first: one table of the constants of all."""


def saved(values) -> Rule:
    return ModelConfig.from_dict({"memory": values}).memory


def test_every_constant_of_an_old_configuration_is_read():
    recent = Recent(4, 8, 2, True, True)
    assert saved(ONE_TABLE) == Diverse(recent, 0.7, 3, 2, True, True)
    assert saved({**ONE_TABLE, "rule": "recent"}) == recent
    assert saved({**ONE_TABLE, "rule": "samurai"}) == Samurai(recent)
    assert saved({**ONE_TABLE, "similarity": "flat"}) == Diverse(recent, 0.7, 3, 2, False, True)
    with pytest.raises(WeightsError, match=r"unknown entries memory.elephants"):
        saved({**ONE_TABLE, "elephants": 2})
    with pytest.raises(WeightsError, match=r"memory.recent.stride must be a whole number"):
        saved({**ONE_TABLE, "stride": 0})
    with pytest.raises(WeightsError, match=r"memory.rule must be 'recent', 'diverse'"):
        saved({**ONE_TABLE, "rule": "elephant"})
    with pytest.raises(WeightsError, match=r"memory.pooled must be true or false, got 'l2'"):
        saved({**ONE_TABLE, "similarity": "l2"})


def test_every_rule_is_saved_with_all_its_constants():
    rule = Samurai(Recent(maps=3), motion_weight=0.25, settled=4, object_threshold=1.5)
    values = ModelConfig(memory=rule).to_dict()["memory"]
    assert values == {
        "rule": "samurai",
        "recent": {**asdict(Recent(maps=3))},
        "motion_weight": 0.25,
        "settled": 4,
        "steady_iou": 0.3,
        "iou_threshold": 0.5,
        "object_threshold": 1.5,
        "motion_threshold": 0.0,
    }
    assert saved(json.loads(json.dumps(values))) == rule
    for kind in RULES.values():
        assert saved(json.loads(json.dumps(describe_rule(kind())))) == kind()


def test_a_rule_by_name_shares_the_recent_memory():
    tuned = Diverse(Recent(maps=3), iou_threshold=0.8)
    assert named_rule("diverse", tuned) is tuned
    assert named_rule("recent", tuned) is tuned.recent
    assert named_rule("pruned", tuned) == Pruned(Recent(maps=3))
    assert named_rule("tree", Recent(stride=2)) == HypothesisTree(Recent(stride=2))
    assert pick_rule(None, tuned) is tuned
    with pytest.raises(
        InputError,
        match="unknown name 'elephant'; use one of distractor, diverse, pruned, recent, samurai,"
        " tree",
    ):
        named_rule("elephant", tuned)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Recent(stride=0), "stride must be a whole number of at least 1"),
        (lambda: Diverse(long_term=0), "long_term must be a whole number of at least 1"),
        (lambda: Diverse(iou_threshold=1.5), "iou_threshold must be a number of at least 0"),
        (lambda: Pruned(dropped=-1), "dropped must be a whole number of at least 0"),
        (lambda: Distractor(history=0), "history must be a whole number of at least 1"),
        (lambda: Samurai(motion_weight="x"), "motion_weight must be a number"),
        (lambda: HypothesisTree(weights=(1.0,)), "weights must be a list of 2 values"),
        (lambda: HypothesisTree(recent=Diverse()), "recent should be a table"),
    ],
)
def test_constants_that_make_no_sense_are_refused(make, says):
    with pytest.raises(InputError, match=says):
        make()
