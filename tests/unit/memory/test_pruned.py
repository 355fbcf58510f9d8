"""Surgical SAM 2's rule: of the latest frames, those most like the newest are left out."""

from __future__ import annotations

from dataclasses import replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sightings import remember

from sam2s.memory.all_rules import named_rule
from sam2s.memory.bank import Bank
from sam2s.memory.pruned import Pruned, likeness
from sam2s.memory.recent import Recent
from sam2s.types import CONDITIONING_SLOT, Memory, Origin


def at(time: int, angle: float, **changes) -> Memory:
    """A memory whose map points into one direction everywhere."""
    feature = torch.tensor([angle]).deg2rad()
    direction = torch.stack([feature.cos(), feature.sin()]).view(2, 1, 1)
    return replace(remember(time, **changes), map=direction.expand(2, 3, 4))


def fill(rule: Pruned, *angles: float) -> Bank:
    bank = rule.admit(Bank(), at(0, 0.0, origin=Origin.PROMPTED))
    for time, angle in enumerate(angles, start=1):
        bank = rule.admit(bank, at(time, angle))
    return bank


def recalled(rule: Pruned, *angles: float) -> list[int]:
    return [m.time for m, _ in rule.select(fill(rule, *angles), len(angles) + 1).maps]


def test_of_six_frames_the_two_most_like_the_newest_are_not_recalled():
    assert recalled(Pruned(), 90, 50, 10, 48, 80, 51) == [0, 1, 3, 5, 6]
    # The next frame judges anew: what was left out once may come back.
    assert recalled(Pruned(), 90, 50, 10, 48, 80, 51, 81) == [0, 2, 3, 4, 7]


def test_the_others_keep_their_slots_and_every_pointer_stays():
    found = Pruned().select(fill(Pruned(), 90, 50, 10, 48, 80, 51), 7)
    assert [(m.time, slot) for m, slot in found.maps] == [
        (0, CONDITIONING_SLOT),
        (1, 5),
        (3, 3),
        (5, 1),
        (6, 0),
    ]
    assert [age for _, age in found.pointers] == [7, 1, 2, 3, 4, 5, 6]


def test_fewer_frames_than_the_window_are_all_recalled():
    assert recalled(Pruned(), 50, 50, 50, 50, 50) == [0, 1, 2, 3, 4, 5]
    assert recalled(Pruned()) == [0]


def test_equals_leave_oldest_first_and_the_newest_never():
    assert recalled(Pruned(), 7, 7, 7, 7, 7, 7) == [0, 3, 4, 5, 6]
    assert recalled(Pruned(dropped=9), 10, 20, 30, 40, 50, 60) == [0, 6]
    assert recalled(Pruned(Recent(maps=1)), 10, 20, 30) == [0, 3]


def test_likeness_is_the_mean_cosine_of_the_cells():
    here = replace(at(0, 0), map=torch.tensor([[[1.0, 0.0]], [[0.0, 2.0]]]))
    there = replace(at(1, 0), map=torch.tensor([[[3.0, 1.0]], [[0.0, 0.0]]]))
    assert likeness(here, there) == 0.5
    assert likeness(here, here) == 1.0


def test_it_keeps_what_sam_2_keeps_and_may_forget():
    assert named_rule("pruned", Recent(maps=4)) == Pruned(Recent(maps=4))
    bank = fill(Pruned(), 10, 50)
    new = at(3, 0.0, origin=Origin.PROMPTED)
    assert [m.time for m in Pruned().admit(bank, new).tracked] == [1, 2]
    assert Pruned(Recent(forget_on_correction=True)).admit(bank, new).tracked == ()
    assert not Pruned().needs.descriptors


@settings(deadline=None, max_examples=60)
@given(
    angles=st.lists(st.floats(0, 180), max_size=40),
    maps=st.integers(1, 6),
    dropped=st.integers(0, 7),
)
def test_it_recalls_a_part_of_what_sam_2_recalls(angles, maps, dropped):
    rule, recent = Pruned(Recent(maps=maps), dropped), Recent(maps=maps)
    bank, now = fill(rule, *angles), len(angles) + 1
    mine = [(m.time, slot) for m, slot in rule.select(bank, now).maps]
    theirs = [(m.time, slot) for m, slot in recent.select(bank, now).maps]
    assert set(mine) <= set(theirs)
    left_out = min(dropped, maps - 1) if len(angles) >= maps else 0
    assert len(mine) == len(theirs) - left_out
    assert mine[-1] == theirs[-1]
    assert len(mine) <= rule.capacity.maps
