"""Masks in the database are those in memory, and the timeline's query shows the same ones."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.annotate.database import open_database
from sam2s.annotate.marks import Marks
from sam2s.annotate.stored_masks import StoredMasks
from sam2s.errors import InputError
from sam2s.masklets.masks import encode_rle
from sam2s.tracking.session.actions import Clear, Discard, Give, MarkPresent, Propagate, Remove
from sam2s.tracking.session.history import History
from sam2s.tracking.session.mask_store import FoundMask, MasksInMemory, shown_version
from sam2s.tracking.session.ranges import Stretch
from sam2s.types import Points

SIZE = 6, 8


def found(seed: int, presence: float = 0.9) -> FoundMask:
    mask = np.random.default_rng(seed).random(SIZE) > 0.5
    return FoundMask(encode_rle(mask), presence, 0.5, "hook", 0.25)


def wrote(step: object, number: int) -> dict[int, dict[int, FoundMask]]:
    """{frame: {object id: mask}} that a step leaves behind."""
    if isinstance(step, Give):
        return {step.frame: {step.object_id: found(number)}}
    if isinstance(step, Propagate):
        return {f: {step.object_ids[0]: found(number + f)} for f in step.frames}
    return {}


CLICK = Points([[1, 1]], [1])
STEPS = st.one_of(
    st.builds(lambda i, f: Give(i, f, CLICK), st.integers(1, 2), st.integers(0, 3)),
    st.builds(Clear, st.integers(1, 2), st.integers(0, 3)),
    st.builds(Remove, st.integers(1, 2)),
    st.builds(lambda i: Propagate((i,), Stretch(0, 3)), st.integers(1, 2)),
    st.builds(Discard, st.integers(1, 8)),
    st.sampled_from(["undo", "redo"]),
)


def versions_of(marks: Marks) -> dict[tuple[int, int], int]:
    """{(object, frame): version}."""
    columns = (marks.object_ids, marks.frames, marks.versions)
    return {(i, f): v for i, f, v in zip(*(one.tolist() for one in columns), strict=True)}


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, max_size=16))
def test_the_timeline_shows_what_the_frames_show(tmp_path_factory, steps: list[object]):
    engine = open_database(tmp_path_factory.mktemp("masks") / "p.sqlite")
    store, memory, history = StoredMasks(engine, "aa", SIZE), MasksInMemory(), History()
    for step in steps:
        try:
            history = getattr(history, step)() if isinstance(step, str) else history.do(step)
        except InputError:
            continue
        for frame, masks in wrote(step, history.used).items():
            store.write(history.used, frame, masks)
            memory.write(history.used, frame, masks)
    marks = versions_of(store.marks(history))
    for i in (1, 2):
        assert list(store.frames(i)) == list(memory.frames(i))
        for frame in range(4):
            version = shown_version(history, memory, i, frame)
            assert shown_version(history, store, i, frame) == version
            assert marks.get((i, frame)) == version
            if version is not None:
                kept, truth = (s.read(version, i, frame) for s in (store, memory))
                assert asdict(kept) == asdict(truth)
    engine.dispose()


def test_of_a_mark_that_was_taken_back_the_earlier_run_is_shown(tmp_path):
    store = StoredMasks(open_database(tmp_path / "p.sqlite"), "aa", SIZE)
    history = History.of([Give(1, 0, CLICK), Propagate((1,), Stretch(0, 2)), Give(1, 1, CLICK)])
    for version, frame in ((1, 0), (2, 0), (2, 1), (3, 1)):
        store.write(version, frame, {1: found(version)})
    assert shown_version(history, store, 1, 1) == 3
    cleared = history.do(Clear(1, 1))
    assert shown_version(cleared, store, 1, 1) == 2
    assert shown_version(cleared.do(MarkPresent(1, Stretch(0, 0))), store, 1, 0) == 2


def test_two_objects_on_one_thing_are_noticed(tmp_path):
    store = StoredMasks(open_database(tmp_path / "p.sqlite"), "aa", SIZE)
    left, same = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    left[:, :4] = True
    same[:, :4] = True
    same[0, 4] = True
    right = ~left
    masks = {i: FoundMask(encode_rle(m), 1.0, 1.0) for i, m in ((1, left), (2, right))}
    marks = store.write_beside(1, 0, masks, {3: same})
    assert [marks[i].twin for i in (1, 2)] == [3, None]
    assert (marks[1].area, marks[1].x, marks[1].y) == (24, 2.0, 3.0)
