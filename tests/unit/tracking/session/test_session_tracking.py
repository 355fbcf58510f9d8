"""A session's plan, and carrying it out: directions, locks, absences, corrections in the middle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from sam2s.errors import InputError
from sam2s.masklets.masks import encode_rle
from sam2s.memory.all_rules import RULES
from sam2s.tracking.session.actions import Clear, Discard, Give, Lock, MarkAbsent, Propagate, Remove
from sam2s.tracking.session.history import History
from sam2s.tracking.session.mask_store import (
    FoundMask,
    MasksInMemory,
    found_masks,
    shown_mask,
    shown_version,
)
from sam2s.tracking.session.plan import ObjectSpan, Pass, from_frame, whole_range
from sam2s.tracking.session.propagate import Known, propagate
from sam2s.tracking.session.ranges import Stretch
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Frame, Mask, Points
from tiny import build_tiny, moving_square

FRAMES = 12
WHOLE = Stretch(0, FRAMES - 1)
VIDEO = [Frame(i, i / 10, picture) for i, picture in enumerate(moving_square(FRAMES))]


@pytest.fixture(scope="module")
def model():
    return build_tiny()


def click(object_id: int, frame: int, x: float | None = None) -> Give:
    return Give(object_id, frame, Points([[12 + 4 * frame if x is None else x, 24]], [1]))


def forwards(start: int) -> Iterator[Frame]:
    return iter(VIDEO[start:])


def backwards(start: int) -> Iterator[Frame]:
    return iter(VIDEO[start::-1])


def tracked(model, history: History, passes: tuple[Pass, ...], store=None, rule="recent"):
    """{object id: {frame: mask}} that the passes find, and the store with them."""
    store = MasksInMemory() if store is None else store
    found: dict[int, dict[int, np.ndarray]] = {}
    for one in passes:
        tracker = Tracker(model, rule, reverse=one.reverse)
        frames = backwards if one.reverse else forwards
        for _, result in propagate(one, Known(history, store), tracker, frames):
            for i, mask in result.masks.items():
                assert result.index not in found.setdefault(i, {}), "a frame was found twice"
                found[i][result.index] = mask
    return found


def test_whole_range_forward_from_each_first_prompt():
    notes = History.of([click(1, 2), click(1, 6), click(2, 4)]).notes
    (one,) = whole_range(notes, WHOLE, "forward")
    assert not one.reverse
    assert one.spans == {1: ObjectSpan(2, Stretch(2, 11)), 2: ObjectSpan(4, Stretch(4, 11))}
    assert one.frames == Stretch(2, 11)


def test_whole_range_backward_from_each_last_prompt():
    notes = History.of([click(1, 2), click(1, 6), click(2, 4)]).notes
    (one,) = whole_range(notes, WHOLE, "backward")
    assert one.reverse
    assert one.spans == {1: ObjectSpan(6, Stretch(0, 6)), 2: ObjectSpan(4, Stretch(0, 4))}


def test_whole_range_both_finds_every_frame_once(model):
    history = History.of([click(1, 5), click(2, 0)])
    passes = whole_range(history.notes, WHOLE, "both")
    assert [one.reverse for one in passes] == [True, False]
    assert passes[0].spans == {1: ObjectSpan(5, Stretch(0, 4))}
    found = tracked(model, history, passes)
    assert {i: sorted(on) for i, on in found.items()} == {1: list(range(12)), 2: list(range(12))}


def test_without_a_prompt_in_the_range_there_is_nothing_to_track():
    with pytest.raises(InputError, match="from frame 3 to 9: no object has a prompt"):
        whole_range(History.of([click(1, 2)]).notes, Stretch(3, 9), "both")


def test_forward_is_what_the_tracker_alone_gives(model):
    history = History.of([click(1, 0), click(2, 3), click(1, 6)])
    found = tracked(model, history, whole_range(history.notes, WHOLE, "forward"))
    alone = Tracker(model, "recent")
    prompts = {0: {1: click(1, 0).prompt}, 3: {2: click(2, 3).prompt}, 6: {1: click(1, 6).prompt}}
    for frame in VIDEO:
        result = alone.step(frame, prompts.get(frame.index))
        for i, mask in result.masks.items():
            np.testing.assert_array_equal(found[i][frame.index], mask)


def test_absent_frames_are_empty_and_the_object_goes_on_after_them(model):
    history = History.of([click(1, 0), MarkAbsent(1, Stretch(4, 7))])
    store = MasksInMemory()
    (one,) = whole_range(history.notes, WHOLE, "forward")
    results = [r for _, r in propagate(one, Known(history, store), Tracker(model), forwards)]
    for result in results:
        absent = 4 <= result.index <= 7
        assert (result.presence[1] == 0) == absent
        assert result.masks[1].any() != absent


def first_run(model) -> tuple[History, MasksInMemory]:
    """Object 1 clicked on frame 0 and object 2 on frame 1, tracked to the end."""
    history = History.of([click(1, 0), click(2, 1, 60), Propagate((1, 2), WHOLE)])
    store = MasksInMemory()
    (one,) = whole_range(history.notes, WHOLE, "forward")
    for _, result in propagate(one, Known(history, store), Tracker(model), forwards):
        store.write(history.used, result.index, found_masks(result))
    return history, store


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_correction_touches_its_own_stretch_alone(model, rule):
    history, store = first_run(model)
    corrected = history.do(Lock(1, Stretch(9, 10))).do(Give(1, 5, Box([30, 18, 50, 30])))
    passes = from_frame(corrected.notes, [1], 5, WHOLE)
    assert passes == (Pass(False, {1: ObjectSpan(5, Stretch(5, 8))}),)
    found = tracked(model, corrected, passes, store, rule)
    assert {i: sorted(on) for i, on in found.items()} == {1: [5, 6, 7, 8]}


def test_a_correction_backward_and_both_share_no_frame(model):
    history, store = first_run(model)
    corrected = history.do(Give(1, 5, Mask(np.pad(np.ones((8, 8), bool), ((20, 20), (30, 42))))))
    back, on = from_frame(corrected.notes, [1], 5, WHOLE, "both")
    assert (back.reverse, back.spans) == (True, {1: ObjectSpan(5, Stretch(0, 4))})
    assert (on.reverse, on.spans) == (False, {1: ObjectSpan(5, Stretch(5, 11))})
    (only_back,) = from_frame(corrected.notes, [1], 5, WHOLE, "backward")
    assert only_back.spans == {1: ObjectSpan(5, Stretch(0, 5))}
    found = tracked(model, corrected, (back, on), store)
    assert sorted(found[1]) == list(range(12))


def test_from_a_locked_frame_tracking_starts_beside_it(model):
    history, store = first_run(model)
    locked = history.do(Lock(1, Stretch(5, 5)))
    passes = from_frame(locked.notes, [1], 5, WHOLE, "both")
    assert [one.spans[1].wanted for one in passes] == [Stretch(0, 4), Stretch(6, 11)]
    found = tracked(model, locked, passes, store)
    assert 5 not in found[1]


def test_tracking_goes_on_from_the_mask_that_the_clicks_showed(model):
    """In the middle of what was tracked before: the memory says otherwise, the annotator saw it."""
    first = History.of([click(1, 0), Propagate((1,), WHOLE)])
    store = MasksInMemory()
    for frame, mask in tracked(model, first, from_frame(first.notes, [1], 0, WHOLE))[1].items():
        store.write(2, frame, {1: FoundMask(encode_rle(mask), 1.0, 1.0)})
    clicked = first.do(click(1, 6, x=8))
    seen = np.zeros_like(store.read(2, 1, 6).mask)
    seen[20:30, 4:14] = True
    passes = from_frame(clicked.notes, [1], 6, WHOLE)
    unseen = tracked(model, clicked, passes, store)[1]
    store.write(3, 6, {1: FoundMask(encode_rle(seen), 0.8, 0.7)})
    found = tracked(model, clicked, passes, store)[1]
    assert (found[6] == seen).all()
    walk = propagate(passes[0], Known(clicked, store), Tracker(model, "recent"), forwards)
    _, result = next(walk)
    assert (result.presence[1], result.scores[1]) == (0.8, 0.7), "no surer than it was"
    assert (found[7] != unseen[7]).any(), "and it is remembered"
    taken_back = clicked.do(Clear(1, 6)).do(click(1, 6, x=8))
    assert (tracked(model, taken_back, passes, store)[1][6] == unseen[6]).all()


def test_a_locked_mask_is_the_truth_on_the_way(model):
    """Tracking through a locked frame leaves it out, and continues from its mask."""
    history, store = first_run(model)
    square = np.zeros((48, 80), bool)
    square[16:32, 24:40] = True
    given = history.do(Give(1, 5, Mask(square)))
    store.write(given.used, 5, {1: store.read(3, 1, 5)})
    locked = given.do(Lock(1, Stretch(5, 5)))
    (one,) = whole_range(locked.notes, WHOLE, "forward")
    found = tracked(model, locked, (one,), store)
    assert sorted(found[1]) == [f for f in range(12) if f != 5]
    free = tracked(model, history, whole_range(history.notes, WHOLE, "forward"))
    for frame in range(5):
        np.testing.assert_array_equal(found[1][frame], free[1][frame])
    assert any((found[1][f] != free[1][f]).any() for f in range(6, 12))


def test_memory_made_from_masks_continues_where_tracking_was(model):
    """Entering in the middle remembers the masks before: close to having tracked all the way."""
    history, store = first_run(model)
    passes = from_frame(history.notes, [1], 6, WHOLE)
    found = tracked(model, history, passes, store)
    for frame in range(6, 12):
        before = store.read(3, 1, frame).mask
        overlap = (found[1][frame] & before).sum() / max(1, (found[1][frame] | before).sum())
        assert overlap > 0.9, frame


def test_an_object_of_which_nothing_is_known_cannot_start(model):
    history = History.of([click(1, 3)])
    with pytest.raises(InputError, match="object 1 cannot be tracked from frame 6"):
        tracked(model, history, from_frame(history.notes, [1], 6, WHOLE))


def test_a_source_that_ends_early_is_said(model):
    history = History.of([click(1, 0), click(2, 30)])
    with pytest.raises(
        InputError, match="object 2 starts on frame 30: the source ends at frame 11"
    ):
        tracked(model, history, whole_range(history.notes, Stretch(0, 40), "forward"))


def test_clicks_on_a_given_mask_correct_it(model):
    square = np.zeros((48, 80), bool)
    square[16:32, 4:20] = True
    asked = History.of([Give(1, 0, Mask(square)), Give(1, 0, Points([[30, 40]], [0]))])
    found = tracked(model, asked, whole_range(asked.notes, Stretch(0, 0), "forward"))
    tracker = Tracker(model, "recent")
    prior = tracker.preview(VIDEO[0], {1: Mask(square)})
    expected = tracker.step(VIDEO[0], {1: Points([[30, 40]], [0])}, prior)
    np.testing.assert_array_equal(found[1][0], expected.masks[1])


def test_the_latest_version_in_force_is_shown(model):
    history, store = first_run(model)
    again = history.do(Propagate((1,), Stretch(4, 8)))
    store.write(again.used, 4, {1: store.read(3, 1, 0)})
    assert shown_version(again, store, 1, 4) == 4
    assert shown_version(again, store, 1, 5) == 3
    assert shown_version(again.undo(), store, 1, 4) == 3
    assert shown_version(again.do(Discard(4)), store, 1, 4) == 3
    assert shown_version(again.do(MarkAbsent(1, Stretch(4, 4))), store, 1, 4) is None
    gone = again.do(Remove(2))
    assert shown_mask(gone, store, 2, 5) is None
    assert shown_mask(gone.do(click(2, 0)), store, 2, 5) is None, "masks of the removed object"
