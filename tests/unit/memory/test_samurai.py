"""SAMURAI's rule: motion decides between look-alikes, and bad frames are not recalled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sightings import boxed, remember, sighting

from sam2s.memory.bank import Bank
from sam2s.memory.motion import Motion
from sam2s.memory.policy import Chooser
from sam2s.memory.recent import Recent
from sam2s.memory.samurai import Samurai
from sam2s.types import CONDITIONING_SLOT, Origin


def moving(frames: int, rule: Samurai | None = None) -> Bank:
    """A box that moves right by 2 cells a frame, prompted on frame 0, tracked well on all later
    ones."""
    rule = rule or Samurai()
    bank = rule.admit(Bank(), remember(0, sighting(boxed(0, 20, 8, 8)), origin=Origin.PROMPTED))
    for time in range(1, frames):
        bank = rule.admit(bank, remember(time, sighting(boxed(2 * time, 20, 8, 8))))
    return bank


ON_PATH, LOOK_ALIKE = boxed(40, 20, 8, 8), boxed(4, 50, 8, 8)


def test_the_candidate_on_the_path_beats_a_look_alike_with_a_slightly_higher_iou():
    seen = sighting(LOOK_ALIKE, ON_PATH, ious=(0.93, 0.90), chosen=0)
    assert isinstance(Samurai(), Chooser)
    assert Samurai().choose(moving(20), seen, 20) == 1
    assert Samurai(motion_weight=0.0).choose(moving(20), seen, 20) == 0


def test_a_much_better_mask_beats_the_path():
    assert Samurai().choose(moving(20), sighting(LOOK_ALIKE, ON_PATH, ious=(0.95, 0.6)), 20) == 0


def test_motion_has_no_say_before_it_has_settled_or_while_the_object_is_away():
    seen = sighting(LOOK_ALIKE, ON_PATH, ious=(0.93, 0.90), chosen=0)
    assert Samurai().choose(moving(14), seen, 20) == 0
    assert Samurai().choose(Bank(), seen, 20) == 0
    assert Samurai().choose(moving(20), replace(seen, object_logit=-1.0), 20) == 0


def test_frames_that_fail_a_threshold_are_not_recalled_but_keep_their_pointers():
    rule, bank = Samurai(), moving(20)
    path = sighting(ON_PATH)
    bad = [
        remember(20, path, iou=0.5),
        remember(20, path, object_logit=0.0),
        remember(20, sighting(LOOK_ALIKE)),  # nowhere near the prediction
    ]
    for new in bad:
        after = rule.admit(bank, new)
        assert [m.time for m in after.state.good] == list(range(14, 20))
        assert after.state.motion.run == 21  # good enough for the filter
        recalled = rule.select(after, 21)
        assert [(m.time, age) for m, age in recalled.pointers][:2] == [(0, 21), (20, 1)]
    good = rule.admit(bank, remember(20, path))
    assert [m.time for m in good.state.good] == list(range(15, 21))
    assert isinstance(good.state.motion, Motion)
    assert good.state.motion.run == 21


def test_a_frame_that_was_not_tracked_well_restarts_the_filter():
    bank, path = moving(20), sighting(ON_PATH)
    for lost in (remember(20, path, iou=0.3), remember(20, sighting(np.zeros_like(ON_PATH)))):
        assert Samurai().admit(bank, lost).state.motion is None
    assert Samurai().admit(bank, remember(20, path, iou=0.31)).state.motion.run == 21
    assert Samurai(steady_iou=0.2).admit(bank, remember(20, path, iou=0.3)).state.motion.run == 21


def test_recalled_maps_take_slots_by_rank_however_old():
    rule, bank = Samurai(), moving(4)
    for time in range(4, 40):
        bank = rule.admit(bank, remember(time, sighting(np.zeros((64, 64), bool), logit=-3.0)))
    maps = rule.select(bank, 40).maps
    assert [(m.time, slot) for m, slot in maps] == [(0, CONDITIONING_SLOT), (1, 2), (2, 1), (3, 0)]


def test_a_correction_restarts_the_filter_and_may_forget():
    bank = moving(20)
    new = remember(20, sighting(LOOK_ALIKE), origin=Origin.PROMPTED)
    assert Samurai().admit(bank, new).state.motion.run == 1
    assert len(Samurai().admit(bank, new).state.good) == 6
    forgetful = Samurai(Recent(forget_on_correction=True)).admit(bank, new)
    assert forgetful.tracked == forgetful.state.good == ()
    assert [m.time for m in forgetful.prompted] == [0, 20]


def test_without_sightings_it_is_a_rule_of_thresholds():
    bank = Samurai().admit(Bank(), remember(0, origin=Origin.PROMPTED))
    bank = Samurai().admit(bank, remember(1))
    assert bank.state.motion is None
    assert [m.time for m in bank.state.good] == [1]


frame = st.tuples(st.floats(0, 1), st.floats(-3, 3), st.integers(0, 40), st.booleans())


@settings(deadline=None, max_examples=60)
@given(frames=st.lists(frame, max_size=60), maps=st.integers(1, 6), settled=st.integers(1, 5))
def test_the_bank_stays_small(frames, maps, settled):
    rule, bank = Samurai(Recent(maps=maps), settled=settled), Bank()
    for time, (iou, logit, left, prompted) in enumerate(frames):
        mask = boxed(left, 10, 8, 8) if logit > 0 else np.zeros((64, 64), bool)
        origin = Origin.PROMPTED if time == 0 or (prompted and time % 20 == 0) else Origin.TRACKED
        seen = sighting(mask, boxed(20, 10, 4, 4), ious=(iou, 0.5), logit=logit)
        assert rule.choose(bank, seen, time) in (0, 1)
        bank = rule.admit(bank, remember(time, seen, origin=origin))
        assert len(bank.state.good) <= maps
        assert len(bank.tracked) <= 21
        assert all(m.sighting is None for m in bank.memories)
        assert all(m.iou > 0.5 and m.object_logit > 0 for m in bank.state.good)
        recalled = rule.select(bank, time + 1)
        assert len(recalled.maps) <= rule.capacity.maps + len(bank.prompted) - 1
