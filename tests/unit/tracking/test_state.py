"""Tracking states are values: they can be kept, copied, written down and taken up again."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch

from sam2s.memory.all_rules import RULES
from sam2s.tracking.state import TrackState
from sam2s.tracking.tracker import Tracker
from sam2s.types import FrameResult, MaskLogits, Points

CLICK = Points([[10, 24]], [1])


def pickled(value: Any) -> Any:
    """``value`` after it was written down and read again."""
    return pickle.Unpickler(io.BytesIO(pickle.dumps(value))).load()  # noqa: S301 (our own bytes)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_copied_or_pickled_state_goes_on_as_the_original(model, video, rule):
    tracker = Tracker(model, rule)
    for frame in video[:6]:
        tracker.step(frame, None if tracker.objects else {1: CLICK, 2: Points([[60, 30]], [1])})
    copies = [copy.copy(tracker.state), copy.deepcopy(tracker.state)]
    copies.append(pickled(tracker.state))
    expected = tracker.step(video[6])
    for state in copies:
        other = Tracker(model, rule)
        other.state = state
        shown = other.step(video[6])
        for i in (1, 2):
            np.testing.assert_array_equal(shown.logits[i], expected.logits[i])
            assert shown.scores[i] == expected.scores[i]


def test_a_tracker_itself_is_copied_and_pickled(model, video):
    tracker = Tracker(model)
    tracker.step(video[0], {1: CLICK})
    for other in (copy.deepcopy(tracker), pickled(tracker)):
        shown = other.step(video[1])
        assert other.state.clock == 1
        assert tracker.state.clock == 0
        expected = tracker.preview(video[1])
        np.testing.assert_array_equal(shown.logits[1], expected.logits[1])


def test_the_banks_of_a_state_are_read_only(model, video):
    tracker = Tracker(model)
    tracker.step(video[0], {1: CLICK})
    given = dict(tracker.state.banks)
    state = TrackState(banks=given)
    given.clear()
    assert set(state.banks) == {1}
    with pytest.raises(TypeError):
        state.banks[2] = state.banks[1]  # type: ignore[index]


def test_logits_wait_on_the_device_until_asked_for(model, video, monkeypatch):
    tracker, asked = Tracker(model), []
    read = MaskLogits.__getitem__
    monkeypatch.setattr(MaskLogits, "__getitem__", lambda self, i: asked.append(i) or read(self, i))
    result = tracker.step(video[0], {1: CLICK, 2: CLICK})
    refined = tracker.preview(video[1], {1: CLICK}, prior=tracker.preview(video[1], {1: CLICK}))
    assert set(result.logits) == set(refined.logits) == {1, 2}
    assert asked == []
    assert result.logits[2].shape == (16, 16)
    assert asked == [2]
    with pytest.raises(KeyError):
        result.logits[3]


def test_a_result_is_pickled_with_its_logits_on_the_host(model, video):
    result = Tracker(model).step(video[0], {1: CLICK, 2: CLICK})
    again: FrameResult = pickled(result)
    np.testing.assert_array_equal(again.logits[1], result.logits[1])
    np.testing.assert_array_equal(again.masks[2], result.masks[2])
    assert isinstance(again.logits.tensor(1), torch.Tensor)
    assert set(result.logits.only({2, 5})) == {2}
    assert list(MaskLogits.of({4: np.ones((2, 2), np.float32)})) == [4]
