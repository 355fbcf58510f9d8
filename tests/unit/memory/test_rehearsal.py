"""What the network is fed on a DiveMem training clip: slots, ages, and nothing selected away."""

from __future__ import annotations

import torch

from sam2s.memory.bank import Bank
from sam2s.memory.recent import Recent
from sam2s.memory.rehearsal import Rehearsal
from sam2s.types import CONDITIONING_SLOT, LONG_TERM_SLOT, Memory, Origin


def memory(time: int, origin: Origin = Origin.TRACKED) -> Memory:
    return Memory(time, origin, torch.zeros(1), torch.zeros(1), -5.0, 0.0, torch.zeros(1, 1, 1))


def test_slots_and_ages_of_a_diverse_clip():
    policy = Rehearsal(long_term_pointers=True)
    bank = policy.admit(Bank(), memory(400, Origin.PROMPTED))
    assert [(m.time, s) for m, s in policy.select(bank, 120).maps] == [(400, CONDITIONING_SLOT)]
    assert [age for _, age in policy.select(bank, 120).pointers] == [-280]
    for time in (120, 333):
        bank = policy.admit(bank, memory(time))
    for time in (200, 201, 202, 203):
        bank = policy.admit(bank, memory(time))
    recalled = policy.select(bank, 204)
    assert sorted((m.time, slot) for m, slot in recalled.maps) == [
        (120, LONG_TERM_SLOT),
        (200, 3),
        (201, 2),
        (202, 1),
        (203, 0),
        (333, LONG_TERM_SLOT),
        (400, CONDITIONING_SLOT),
    ]
    ages = sorted((m.time, age) for m, age in recalled.pointers)
    assert ages == [(120, 84), (200, 4), (201, 3), (202, 2), (203, 1), (333, -129), (400, -196)]
    assert len(recalled.maps) <= policy.capacity.maps
    assert len(recalled.pointers) <= policy.capacity.pointers


def test_without_long_term_frames_it_is_recent():
    bank, base = Bank(), Recent(future_pointers=True)
    policy = Rehearsal(base, long_term=0)
    for time in range(9):
        bank = policy.admit(bank, memory(time, Origin.TRACKED if time else Origin.PROMPTED))
    ours, theirs = policy.select(bank, 9), base.select(bank, 9)
    assert [(m.time, s) for m, s in ours.maps] == [(m.time, s) for m, s in theirs.maps]
    assert [a for _, a in ours.pointers] == [a for _, a in theirs.pointers]
