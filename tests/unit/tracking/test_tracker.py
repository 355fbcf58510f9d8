"""The tracker: prompts on any frame, undo, batching, reverse, and errors that leave the state
alone."""

from __future__ import annotations

import time

import numpy as np
import psutil
import pytest
import torch

from sam2s.errors import InputError
from sam2s.memory.recent import Recent
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Frame, Mask, Points
from tiny import build_tiny

CLICK = Points([[10, 24]], [1])
BOX = Box([4, 16, 20, 32])


def square(i: int) -> np.ndarray:
    mask = np.zeros((48, 80), bool)
    mask[16:32, 4 + 4 * i : 20 + 4 * i] = True
    return mask


def assert_same(a, b, *, exact: bool = True) -> None:
    assert a.masks.keys() == b.masks.keys()
    for i in a.masks:
        if exact:
            np.testing.assert_array_equal(a.logits[i], b.logits[i])
            np.testing.assert_array_equal(a.masks[i], b.masks[i])
            assert a.scores[i] == b.scores[i]
        else:
            np.testing.assert_allclose(a.logits[i], b.logits[i], rtol=1e-3, atol=1e-3)


def test_run_equals_push_bit_for_bit(model, video):
    prompts = {0: {1: CLICK}, 3: {2: BOX}, 5: {1: Points([[30, 20], [5, 5]], [1, 0])}}
    ran = list(Tracker(model).run(video, prompts))
    pushed = Tracker(model)
    for i, frame in enumerate(video):
        assert_same(ran[i], pushed.step(frame, prompts.get(i)))
    assert [r.index for r in ran] == list(range(12))
    assert set(ran[2].masks) == {1}
    assert set(ran[3].masks) == {1, 2}


def test_encoding_ahead_changes_no_bit(model, video):
    prompts = {0: {1: CLICK}, 3: {2: BOX}}
    frames = [Frame(i, None, picture) for i, picture in enumerate(video)]
    plain, ahead = Tracker(model), Tracker(model)
    seen = []
    for frame in ahead.ahead(iter(frames)):
        seen.append(ahead.step(frame, prompts.get(frame.index)))
    for frame, result in zip(frames, seen, strict=True):
        assert_same(plain.step(frame, prompts.get(frame.index)), result)


def test_encoding_ahead_keeps_what_came_before_an_error(model, video):
    def broken():
        for i in range(3):
            yield Frame(i, None, video[i])
        raise InputError("the source broke")

    tracker, seen = Tracker(model), []

    def track() -> None:
        for frame in tracker.ahead(broken()):
            seen.append(tracker.step(frame, {1: CLICK} if frame.index == 0 else None).index)

    with pytest.raises(InputError, match="broke"):
        track()
    assert seen == [0, 1, 2]


def test_result_shapes_and_ranges(model, video):
    result = Tracker(model).step(Frame(0, 0.5, video[0]), {7: CLICK})
    assert (result.index, result.time) == (0, 0.5)
    assert result.masks[7].shape == (48, 80)
    assert result.masks[7].dtype == bool
    assert result.logits[7].shape == (16, 16)
    assert result.logits[7].dtype == np.float32
    assert 0 <= result.scores[7] <= result.presence[7] <= 1


def test_latency_counts_from_the_arrival_of_a_live_frame(model, video):
    tracker = Tracker(model)
    begun = time.perf_counter()
    waiting = tracker.step(video[0])
    shown = tracker.preview(video[1], {1: CLICK})
    answered = tracker.step(Frame(1, None, video[1], begun - 9), {1: CLICK})
    passed = time.perf_counter() - begun
    assert waiting.latency is not None
    assert shown.latency is not None
    assert answered.latency is not None
    assert 0 <= waiting.latency < shown.latency < passed
    assert 9 + shown.latency < answered.latency < 9 + passed


def test_undo_is_an_earlier_state(model, video):
    tracker = Tracker(model)
    tracker.step(video[0], {1: CLICK})
    kept = tracker.state
    first = tracker.step(video[1])
    tracker.step(video[2], {2: BOX})
    tracker.state = kept
    assert tracker.objects == (1,)
    assert_same(first, tracker.step(video[1]))


def test_a_picture_is_encoded_once_however_often_it_is_clicked(model, video, monkeypatch):
    encode, calls = model.encode, []
    monkeypatch.setattr(model, "encode", lambda image: calls.append(1) or encode(image))
    tracker = Tracker(model)
    shown = tracker.preview(video[0], {1: CLICK})
    tracker.preview(video[0].copy(), {1: CLICK}, shown)
    tracker.step(video[0], {1: CLICK})
    assert len(calls) == 1
    tracker.step(video[1])
    assert len(calls) == 2


def test_a_camera_that_reuses_its_array_is_seen_anew(model, video):
    buffer, tracker, other = video[0].copy(), Tracker(model), Tracker(model)
    tracker.step(buffer, {1: CLICK})
    other.step(video[0], {1: CLICK})
    buffer[:] = video[1]
    assert_same(tracker.step(buffer), other.step(video[1]))


def test_preview_changes_nothing_and_equals_step(model, video):
    tracker = Tracker(model)
    tracker.step(video[0], {1: CLICK})
    before = tracker.state
    shown = tracker.preview(video[1], {1: Points([[14, 24]], [1]), 2: BOX})
    assert tracker.state is before
    assert_same(shown, tracker.step(video[1], {1: Points([[14, 24]], [1]), 2: BOX}))


def test_prior_refines_a_preview(model, video):
    tracker = Tracker(model)
    one = tracker.preview(video[0], {1: CLICK})
    two = Points([[10, 24], [60, 24]], [1, 0])
    refined = tracker.preview(video[0], {1: two}, prior=one)
    plain = tracker.preview(video[0], {1: two})
    assert np.abs(refined.logits[1] - plain.logits[1]).max() > 1e-4


def test_correction_changes_this_and_later_frames(model, video):
    plain = list(Tracker(model).run(video, {0: {1: CLICK}}))
    fixed = list(Tracker(model).run(video, {0: {1: CLICK}, 4: {1: Mask(square(4))}}))
    for i in range(4):
        assert_same(plain[i], fixed[i])
    np.testing.assert_array_equal(fixed[4].masks[1], square(4))
    assert all(np.abs(plain[i].logits[1] - fixed[i].logits[1]).max() > 1e-4 for i in range(4, 12))


def test_objects_are_batched_and_independent(model, video):
    together = list(
        Tracker(model).run(video, {0: {1: CLICK, 2: BOX, 3: Mask(square(0))}, 4: {4: CLICK}})
    )
    for i, prompt in ((1, CLICK), (2, BOX), (3, Mask(square(0)))):
        alone = list(Tracker(model).run(video, {0: {i: prompt}}))
        for a, b in zip(alone, together, strict=True):
            np.testing.assert_allclose(a.logits[i], b.logits[i], rtol=1e-3, atol=2e-3)


def test_one_call_of_each_verb_serves_all_objects(model, video, monkeypatch):
    tracker = Tracker(model)
    tracker.step(video[0], dict.fromkeys(range(5), CLICK))
    calls = []
    for verb in ("encode", "recall", "decode", "memorize"):
        original = getattr(type(model), verb)
        monkeypatch.setattr(
            type(model),
            verb,
            lambda *a, _f=original, _v=verb, **k: (calls.append(_v), _f(*a, **k))[1],
        )
    tracker.step(video[1])
    assert sorted(calls) == ["decode", "encode", "memorize", "recall"]


def test_absent_objects_give_an_empty_mask_and_low_presence(video):
    result = list(Tracker(build_tiny(present=-4.0)).run(video[:3], {0: {1: CLICK}}))[-1]
    assert not result.masks[1].any()
    assert result.presence[1] == pytest.approx(1 / (1 + np.exp(4.0)), rel=1e-4)
    assert result.scores[1] <= result.presence[1]


def test_remove_and_add_again(model, video):
    tracker = Tracker(model)
    tracker.step(video[0], {1: CLICK, 2: BOX})
    tracker.remove(1)
    assert set(tracker.step(video[1]).masks) == {2}
    assert set(tracker.step(video[2], {1: CLICK}).masks) == {1, 2}
    with pytest.raises(InputError, match="object 9 is not tracked; tracked objects: \\[1, 2\\]"):
        tracker.remove(9)


def test_reverse_is_the_mirrored_video(model, video):
    mirrored = list(Tracker(model).run(video[::-1], {0: {1: CLICK}}))
    backwards = Tracker(model, reverse=True)
    for i in range(11, -1, -1):
        result = backwards.step(Frame(i, None, video[i]), {1: CLICK} if i == 11 else None)
        assert_same(result, mirrored[11 - i])


def test_frames_before_the_first_prompt_are_passed_over(model, video):
    results = list(Tracker(model).run(iter(video), {4: {1: CLICK}}, stop=9))
    assert [r.index for r in results] == [4, 5, 6, 7, 8]
    pushed = Tracker(model)
    assert [
        len(pushed.step(f, {1: CLICK} if i == 4 else None).masks) for i, f in enumerate(video[:6])
    ] == [0] * 4 + [
        1,
        1,
    ]
    assert pushed.state.clock == 5


@pytest.mark.parametrize("stop", [0, 3, 4])
def test_a_run_that_stops_before_its_prompt_says_so(model, video, stop):
    with pytest.raises(InputError, match=rf"stop={stop}: .*prompt on frame [24]; stop after"):
        next(Tracker(model).run(iter(video), {2: {1: CLICK}, 4: {2: CLICK}}, stop=stop))
    with pytest.raises(InputError, match="stop: expected a whole number, got '3'"):
        next(Tracker(model).run(iter(video), {2: {1: CLICK}}, stop="3"))


def test_reverse_runs_stop_on_the_way_back(model, video):
    frames = [Frame(i, None, video[i]) for i in range(11, -1, -1)]
    results = Tracker(model, reverse=True).run(frames, {9: {1: CLICK}}, stop=6)
    assert [r.index for r in results] == [9, 8, 7]
    with pytest.raises(InputError, match=r"stop=9: .*stop before that frame"):
        next(Tracker(model, reverse=True).run(frames, {9: {1: CLICK}}, stop=9))


def test_a_forward_source_for_a_reverse_tracker_is_named(model, video):
    with pytest.raises(InputError, match="frame 1 comes after frame 0, but with reverse=True"):
        list(Tracker(model, reverse=True).run(video, {0: {1: CLICK}}))
    with pytest.raises(InputError, match=r"prompt on frame 4: .*frame 0 without it .reverse=True"):
        list(Tracker(model, reverse=True).run(video, {4: {1: CLICK}}))


def test_a_source_that_leaves_a_prompted_frame_out_is_named(model, video):
    frames = [Frame(i, None, video[i]) for i in (0, 1, 4, 5)]
    results = []
    with pytest.raises(InputError, match="prompt on frame 2: the source came to frame 4 without"):
        results.extend(Tracker(model).run(frames, {0: {1: CLICK}, 2: {2: CLICK}}))
    assert [r.index for r in results] == [0, 1]
    with pytest.raises(InputError, match="holds no frames"):
        list(Tracker(model).run([], {0: {1: CLICK}}))


def test_first_mask_needs_one_frame(model, video):
    def source():
        yield video[0]
        raise AssertionError("a second frame was asked for before the first result was out")

    assert next(Tracker(model).run(source(), {0: {1: CLICK}})).index == 0


def test_prompt_beyond_the_end_keeps_what_was_tracked(model, video):
    results = []
    with pytest.raises(InputError, match="prompt on frame 30: the source ends at frame 11"):
        results.extend(Tracker(model).run(video, {0: {1: CLICK}, 30: {2: CLICK}}))
    run = Tracker(model).run(video, {0: {1: CLICK}, 30: {2: CLICK}})
    assert len([next(run) for _ in range(12)]) == 12


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (Points([[80, 10]], [1]), "click .* lies outside the picture of 80x48 pixels"),
        (Points([[10, -1]], [1]), "lies outside"),
        (Box([10, 10, 90, 20]), "box .* lies outside"),
        (Mask(np.ones((10, 10), bool)), "the mask is 10x10, the picture 80x48"),
        ([Mask(np.ones((48, 80), bool)), CLICK], "a mask is the answer by itself"),
        ([], "its prompt is empty"),
    ],
)
def test_bad_prompts_are_refused_and_change_nothing(model, video, prompt, says):
    tracker = Tracker(model)
    tracker.step(video[0], {1: CLICK})
    before = tracker.state
    with pytest.raises(InputError, match=says):
        tracker.step(video[1], {1: prompt})
    assert tracker.state is before


def test_box_and_clicks_combine(model, video):
    both = Tracker(model).step(video[0], {1: [BOX, Points([[10, 24]], [1])]})
    box = Tracker(model).step(video[0], {1: BOX})
    assert np.abs(both.logits[1] - box.logits[1]).max() > 1e-4


def test_frames_that_do_not_fit_are_refused(model, video):
    tracker = Tracker(model)
    tracker.step(video[0], {1: CLICK})
    with pytest.raises(InputError, match="its size changed from"):
        tracker.step(video[1][:, :40])
    with pytest.raises(InputError, match="was already passed"):
        tracker.step(Frame(0, None, video[0]))
    with pytest.raises(InputError, match="expected \\(H, W, 3\\) uint8 RGB"):
        tracker.step(video[1].astype(np.float32))
    with pytest.raises(InputError, match="nothing to track"):
        next(Tracker(model).run(video, {}))


def test_memory_rule_by_name_config_policy_or_default(model):
    assert Tracker(model).policy == Tracker(model, "diverse").policy
    assert isinstance(Tracker(model, "recent").policy, Recent)
    assert Tracker(model, Recent(stride=3)).policy == Recent(stride=3)
    own = Recent(maps=2)
    assert Tracker(model, own).policy is own


def test_bf16_agrees_with_fp32(model, video):
    exact = list(Tracker(model, precision="fp32").run(video, {0: {1: BOX}}))
    rough = list(Tracker(model, precision="bf16").run(video, {0: {1: BOX}}))
    spread = max(np.abs(r.logits[1]).max() for r in exact)
    assert all(
        np.abs(a.logits[1] - b.logits[1]).max() < 0.1 * spread
        for a, b in zip(exact, rough, strict=True)
    )
    assert all(r.logits[1].dtype == np.float32 for r in rough)


def test_memory_is_flat_over_600_frames(model, video):
    torch.manual_seed(0)
    tracker, process = Tracker(model), psutil.Process()
    tracker.step(video[0], dict.fromkeys((1, 2, 3), CLICK))
    sizes, held = [], []
    for i in range(1, 601):
        tracker.step(video[i % len(video)])
        if i % 100 == 0:
            sizes.append(process.memory_info().rss)
            held.append(sum(len(bank) for bank in tracker.state.banks.values()))
    assert held[1:] == held[1:2] * 5
    assert sizes[-1] < 1.02 * sizes[1]
