"""Surgical SAM 2's rule: the frame most like the newest one leaves."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sightings import remember

from sam2s.memory.bank import Bank
from sam2s.memory.policy import make_policy
from sam2s.memory.pruned import Pruned, most_similar
from sam2s.memory.recent import Recent
from sam2s.types import CONDITIONING_SLOT, MemoryConfig, Source


def at(time: int, angle: float, **changes):
    feature = torch.tensor([angle]).deg2rad()
    return remember(time, descriptor=torch.stack([feature.cos(), feature.sin()]).view(2, 1, 1), **changes)


def fill(rule: Pruned, *angles: float) -> Bank:
    bank = rule.admit(Bank(), at(0, 0.0, source=Source.PROMPTED))
    for time, angle in enumerate(angles, start=1):
        bank = rule.admit(bank, at(time, angle))
    return bank


def test_the_frame_most_like_the_newest_leaves():
    rule = Pruned(Recent(maps=3))
    assert [m.time for m in fill(rule, 10, 50, 90).long_term] == [1, 2, 3]
    assert [m.time for m in fill(rule, 10, 50, 90, 52).long_term] == [1, 3, 4]
    # A calm stretch costs one place, not all of them.
    assert [m.time for m in fill(rule, 10, 50, 90, 90, 90, 90, 90).long_term] == [1, 2, 7]


def test_one_place_belongs_to_the_newest():
    assert [m.time for m in fill(Pruned(Recent(maps=1)), 10, 50, 90).long_term] == [3]


def test_what_is_recalled_and_what_is_kept_for_it():
    rule = Pruned(Recent(maps=3))
    bank = fill(rule, 10, 50, 90, 52)
    recalled = rule.select(bank, 5)
    assert [(m.time, slot) for m, slot in recalled.maps] == [(0, CONDITIONING_SLOT), (1, 2), (3, 1), (4, 0)]
    assert [age for _, age in recalled.pointers] == [5, 1, 2, 3, 4]
    assert all(m.descriptor is None for m in (*bank.tracked, *bank.prompted))


def test_ties_and_pooling():
    one = torch.tensor([1.0, 0.0])
    assert most_similar([one, 2 * one], one) == 0
    assert make_policy(MemoryConfig(rule="pruned", similarity="pooled", recent_maps=2)) == Pruned(Recent(maps=2), True)
    pooled = Pruned(Recent(maps=2), pooled=True)
    feature = torch.tensor([[[1.0, 3.0]], [[0.0, 0.0]]])
    bank = Bank()
    for time, scale in enumerate((feature, feature.flip(-1), feature)):
        bank = pooled.admit(bank, remember(time, descriptor=scale))
    assert [m.time for m in bank.long_term] == [1, 2]  # their means are equal, so the oldest leaves


def test_a_correction_may_forget():
    bank = fill(Pruned(), 10, 50)
    new = at(3, 0.0, source=Source.PROMPTED)
    assert [m.time for m in Pruned().admit(bank, new).long_term] == [1, 2]
    forgetful = Pruned(Recent(forget_on_correction=True)).admit(bank, new)
    assert forgetful.long_term == forgetful.tracked == ()


@settings(deadline=None, max_examples=60)
@given(angles=st.lists(st.floats(0, 180), max_size=60), maps=st.integers(1, 6))
def test_the_bank_stays_small_and_holds_the_newest(angles, maps):
    rule = Pruned(Recent(maps=maps))
    bank = fill(rule, *angles)
    assert len(bank.long_term) == min(maps, len(angles))
    assert len(bank.tracked) <= 21
    assert not angles or bank.long_term[-1].time == len(angles)
    times = [m.time for m in bank.long_term]
    assert times == sorted(times)
    assert len(rule.select(bank, len(angles) + 1).maps) <= rule.capacity.maps
