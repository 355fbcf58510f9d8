"""DAM4SAM's rule: a frame with a look-alike is kept, and recent appearances are spaced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sightings import boxed, remember, sighting

from sam2s.memory.bank import Bank
from sam2s.memory.distractor import Distractor, shows_distractor
from sam2s.memory.policy import Chooser
from sam2s.memory.recent import Recent
from sam2s.types import CONDITIONING_SLOT, Origin

OBJECT, FAR, NEAR = boxed(10, 10, 10, 10), boxed(40, 40, 10, 10), boxed(10, 10, 11, 11)
CALM = sighting(OBJECT, NEAR, boxed(11, 10, 8, 10))
TEMPTED = sighting(OBJECT, OBJECT | FAR, NEAR)


def tracked(frames: int, seen=CALM, rule: Distractor | None = None) -> Bank:
    rule = rule or Distractor()
    bank = rule.admit(Bank(), remember(0, sighting(OBJECT), origin=Origin.PROMPTED))
    for time in range(1, frames):
        bank = rule.admit(bank, remember(time, seen))
    return bank


def anchors(bank: Bank) -> list[int]:
    return [m.time for m in bank.state.anchors]


def test_a_frame_with_a_distractor_is_kept():
    assert anchors(Distractor().admit(tracked(8), remember(8, CALM))) == []
    assert anchors(Distractor().admit(tracked(8), remember(8, TEMPTED))) == [8]
    apart = sighting(OBJECT, FAR)  # the alternative is the look-alike alone
    assert anchors(Distractor().admit(tracked(8), remember(8, apart))) == [8]


def test_temptation_is_measured_on_the_largest_added_piece():
    specks = OBJECT.copy()
    specks[60, 60] = True
    specks[10:20, 20:22] = True
    assert not shows_distractor(sighting(OBJECT, specks), 0.7)  # the speck is smaller than the rim
    assert shows_distractor(sighting(OBJECT, specks), 0.84)  # 10 of 12 columns
    assert not shows_distractor(sighting(OBJECT, OBJECT, np.zeros_like(OBJECT)), 0.99)
    assert not shows_distractor(sighting(np.zeros_like(OBJECT), FAR), 0.99)


@pytest.mark.parametrize(
    "doubtful",
    [
        remember(8, TEMPTED, iou=0.8),
        remember(8, replace(TEMPTED, object_logit=-1.0), object_logit=-1.0),
        remember(8, sighting(boxed(10, 10, 10, 13), FAR)),  # its area jumps by 30%
        remember(8, None),
    ],
)
def test_only_trusted_frames_become_anchors(doubtful):
    assert anchors(Distractor().admit(tracked(8), doubtful)) == []


def test_area_may_change_by_a_fifth():
    assert anchors(
        Distractor().admit(tracked(8), remember(8, sighting(boxed(10, 10, 10, 12), FAR)))
    ) == [8]


def test_anchors_are_spaced_and_the_oldest_leaves():
    bank = tracked(30, TEMPTED)
    assert anchors(bank) == [19, 25]  # 1, 7, 13, 19, 25: two places beside the prompted frame
    recalled = Distractor().select(bank, 30).maps
    assert [(m.time, slot) for m, slot in recalled if slot == CONDITIONING_SLOT] == [
        (0, CONDITIONING_SLOT),
        (19, CONDITIONING_SLOT),
        (25, CONDITIONING_SLOT),
    ]


def test_appearances_are_the_latest_frame_and_spaced_ones_before_it():
    times = {n: [m.time for m in tracked(n).state.appearances] for n in (2, 3, 6, 8, 11, 13)}
    assert times == {2: [1], 3: [1, 2], 6: [1, 5], 8: [1, 6, 7], 11: [1, 6, 10], 13: [6, 11, 12]}
    slots = [(m.time, slot) for m, slot in Distractor().select(tracked(13), 13).maps]
    assert slots == [(0, CONDITIONING_SLOT), (6, 2), (11, 1), (12, 0)]


def test_frames_without_the_object_are_no_appearances():
    bank = tracked(8)
    empty = np.zeros_like(OBJECT)
    for gone in (remember(8, sighting(OBJECT, logit=-2.0)), remember(8, sighting(empty, FAR))):
        after = Distractor().admit(bank, gone)
        assert after.state.appearances == bank.state.appearances
        assert after.state.areas == bank.state.areas
        assert after.tracked[-1].time == 8  # its pointer tells of the absence


def test_a_correction_may_forget():
    bank = tracked(30, TEMPTED)
    new = remember(30, sighting(NEAR), origin=Origin.PROMPTED)
    assert anchors(Distractor().admit(bank, new)) == [19, 25]
    forgetful = Distractor(Recent(forget_on_correction=True)).admit(bank, new)
    assert [m.time for m in forgetful.prompted] == [0, 30]
    assert forgetful.tracked == forgetful.state.appearances == forgetful.state.anchors == ()
    assert forgetful.state.areas == (121,)


def test_it_never_overrules_the_decoder():
    assert not isinstance(Distractor(), Chooser)


frame = st.tuples(st.floats(0, 1), st.floats(-1, 5), st.integers(6, 12), st.booleans())


@settings(deadline=None, max_examples=60)
@given(frames=st.lists(frame, max_size=60), appearances=st.integers(1, 4), places=st.integers(1, 4))
def test_the_bank_stays_small(frames, appearances, places):
    rule = Distractor(appearances=appearances, anchors=places)
    bank = rule.admit(Bank(), remember(0, sighting(OBJECT), origin=Origin.PROMPTED))
    for time, (iou, logit, width, lured) in enumerate(frames, start=1):
        seen = sighting(
            boxed(10, 10, width, 10), FAR if lured else NEAR, ious=(iou, 0.3), logit=logit
        )
        bank = rule.admit(bank, remember(time, seen))
        assert len(bank.state.appearances) <= appearances
        assert len(bank.state.anchors) <= places - 1
        assert len(bank.tracked) <= 21
        assert len(bank.state.areas) <= 10
        assert all(m.sighting is None for m in bank.memories)
        recalled = rule.select(bank, time + 1)
        assert len(recalled.maps) <= rule.capacity.maps
        assert len(recalled.pointers) <= rule.capacity.pointers
