"""Memory rules on small written-out cases."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sam2s.errors import InputError
from sam2s.memory.bank import Bank
from sam2s.memory.diverse import Diverse, least_similar
from sam2s.memory.policy import make_policy
from sam2s.memory.recent import Recent
from sam2s.types import LONG_TERM_SLOT, Memory, MemoryConfig, Source


def memory(time, feature, *, source=Source.TRACKED, iou=0.99, logit=1.0):
    return Memory(
        time,
        source,
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
    bank = policy.admit(Bank(), memory(0, [1.0, 0.0], source=Source.PROMPTED))
    bank = fill(policy, bank, 1, [[1.0, 0.1], [0.0, 1.0], [1.0, 1.0]])
    assert [m.time for m in bank.long_term] == [2]
    # Compared with frame 2 now, not with the prompted frame.
    bank = fill(policy, bank, 4, [[0.0, 1.0], [0.1, 1.0], [1.0, 0.0]])
    assert [m.time for m in bank.long_term] == [2, 6]


def test_least_similar_breaks_ties_by_age():
    reference = torch.tensor([1.0, 0.0])
    assert least_similar([torch.tensor([0.0, 1.0]), torch.tensor([0.0, 2.0])], reference) == 0


def test_absent_frames_stay_in_recent_memory():
    policy = Diverse()
    bank = policy.admit(Bank(), memory(0, [1.0, 0.0], source=Source.PROMPTED))
    bank = policy.admit(bank, memory(1, [1.0, 0.0], logit=-4.0))
    assert [m.time for m in bank.tracked] == [1]
    assert bank.candidates == ()


def test_threshold_is_strict():
    policy = Diverse(iou_threshold=0.95)
    bank = policy.admit(Bank(), memory(0, [1.0, 0.0], source=Source.PROMPTED))
    assert policy.admit(bank, memory(1, [1.0, 0.0], iou=0.95)).candidates == ()
    assert len(policy.admit(bank, memory(1, [1.0, 0.0], iou=0.951)).candidates) == 1


def test_long_term_pointers_join_once():
    policy = Diverse(candidates=2, long_term_pointers=True)
    bank = policy.admit(Bank(), memory(0, [1.0, 0.0], source=Source.PROMPTED))
    bank = fill(policy, bank, 1, [[1.0, 0.0]] * 40)
    recalled = policy.select(bank, 41)
    ages = [age for _, age in recalled.pointers]
    assert len(ages) == len(set(ages))
    assert {41 - m.time for m in bank.long_term} <= set(ages)
    without = replace(policy, long_term_pointers=False).select(bank, 41)
    assert len(without.pointers) == 16
    assert sum(slot == LONG_TERM_SLOT for _, slot in recalled.maps) == 3


def test_forget_on_correction_drops_what_was_tracked():
    for policy in (
        Recent(forget_on_correction=True),
        Diverse(Recent(forget_on_correction=True), candidates=2),
    ):
        bank = policy.admit(Bank(), memory(0, [1.0, 0.0], source=Source.PROMPTED))
        bank = fill(policy, bank, 1, [[1.0, 0.0]] * 9)
        bank = policy.admit(bank, memory(10, [1.0, 0.0], source=Source.PROMPTED))
        assert [m.time for m in bank.prompted] == [0, 10]
        assert bank.tracked == bank.long_term == bank.candidates == ()


def test_a_second_prompt_on_a_frame_replaces_the_first():
    bank = Recent().admit(Bank(), memory(3, [1.0, 0.0], source=Source.PROMPTED))
    newer = memory(3, [0.0, 1.0], source=Source.PROMPTED)
    bank = Recent().admit(bank, newer)
    assert len(bank.prompted) == 1
    assert bank.prompted[0].iou == newer.iou


def test_make_policy_passes_every_constant():
    config = MemoryConfig(
        rule="diverse",
        recent_maps=4,
        pointers=8,
        stride=2,
        iou_threshold=0.7,
        candidates=3,
        long_term=2,
        similarity="pooled",
        long_term_pointers=True,
        future_pointers=True,
        forget_on_correction=True,
    )
    recent = Recent(4, 8, 2, True, True)
    assert make_policy(config) == Diverse(recent, 0.7, 3, 2, True, True)
    assert make_policy(replace(config, rule="recent")) == recent


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            MemoryConfig(rule="elephant"),
            (
                "unknown name 'elephant'; use one of distractor, diverse, pruned, recent, samurai,"
                " tree"
            ),
        ),
        (MemoryConfig(similarity="l2"), "expected flat or pooled"),
        (MemoryConfig(stride=0), "stride: expected at least 1"),
        (MemoryConfig(long_term=0), "long_term: expected at least 1"),
    ],
)
def test_make_policy_refuses(config, says):
    with pytest.raises(InputError, match=says):
        make_policy(config)
