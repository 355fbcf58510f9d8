"""Objects that do not overlap: who gets the pixel, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import torch

from sam2s.geometry import logits_to_source
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Mask, Points

CLICK = Points([[10, 24]], [1])
BOX = Box([4, 16, 20, 32])
PROMPTS = {0: {1: CLICK, 2: BOX, 3: Points([[60, 30]], [1])}}


def test_the_more_certain_object_has_the_pixel(model, video):
    shared = list(Tracker(model).run(video, PROMPTS))
    single = list(Tracker(model, exclusive=True).run(video, PROMPTS))
    assert any((r.masks[1] & r.masks[2]).any() for r in shared)  # else nothing is shown here
    for a, b in zip(shared, single, strict=True):
        logits = logits_to_source(
            torch.from_numpy(np.stack([a.logits[i] for i in (1, 2, 3)])), (48, 80)
        ).numpy()
        for k, i in enumerate((1, 2, 3)):
            np.testing.assert_array_equal(
                a.logits[i], b.logits[i]
            )  # what is remembered is the same
            np.testing.assert_array_equal(b.masks[i], a.masks[i] & (logits.argmax(0) == k))
        stacked = np.stack(list(b.masks.values()))
        assert stacked.sum(0).max() <= 1
        np.testing.assert_array_equal(stacked.any(0), np.stack(list(a.masks.values())).any(0))


def test_a_given_mask_goes_before_all(model, video):
    given = np.zeros((48, 80), bool)
    given[10:40, 0:60] = True
    result = Tracker(model, exclusive=True).step(video[0], {1: CLICK, 2: Mask(given), 3: BOX})
    np.testing.assert_array_equal(result.masks[2], given)
    assert not (result.masks[1] & given).any()
    assert not (result.masks[3] & given).any()


def test_one_object_is_left_alone(model, video):
    a = Tracker(model).step(video[0], {1: CLICK})
    b = Tracker(model, exclusive=True).step(video[0], {1: CLICK})
    np.testing.assert_array_equal(a.masks[1], b.masks[1])
