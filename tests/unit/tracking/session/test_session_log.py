"""The log of a session: stretches, notes, undo and redo, and actions as text."""

from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2s.errors import InputError
from sam2s.tracking.session.action_file import parse_time, read_actions, rows_of, write_actions
from sam2s.tracking.session.actions import (
    Accept,
    Clear,
    Discard,
    Give,
    Lock,
    MarkAbsent,
    MarkInBody,
    MarkOutOfBody,
    MarkPresent,
    Name,
    Propagate,
    Remove,
    Unlock,
)
from sam2s.tracking.session.history import History
from sam2s.tracking.session.ranges import NO_FRAMES, Stretch, Stretches
from sam2s.types import Box, Mask, Points

STRETCH = st.tuples(st.integers(0, 40), st.integers(0, 12)).map(lambda t: Stretch(t[0], sum(t)))


def click(object_id: int = 1, frame: int = 0, x: float = 3.5, label: int = 1) -> Give:
    return Give(object_id, frame, Points([[x, 4]], [label]))


@given(st.lists(st.tuples(st.booleans(), STRETCH), max_size=12), st.integers(0, 60))
def test_stretches_are_sets_of_frames(steps: list[tuple[bool, Stretch]], frame: int):
    ours, theirs = NO_FRAMES, set()
    for add, part in steps:
        ours = ours.plus(part) if add else ours.minus(part)
        theirs = theirs | set(part) if add else theirs - set(part)
    assert list(ours) == sorted(theirs)
    assert ours == Stretches.of(Stretch(f, f) for f in theirs)
    assert (frame in ours) == (frame in theirs)
    assert ours.next_from(frame) == min((f for f in theirs if f >= frame), default=None)
    assert ours.last_until(frame) == max((f for f in theirs if f <= frame), default=None)


@pytest.mark.parametrize("ends", [(-1, 3), (5, 4)])
def test_a_stretch_has_its_ends_in_order(ends: tuple[int, int]):
    with pytest.raises(InputError, match="not before it"):
        Stretch(*ends)


def test_clicks_add_up_a_box_replaces_and_a_mask_is_the_answer():
    mask = np.eye(8, dtype=bool)
    history = History.of([click(), click(x=5, label=0), Give(1, 0, Box([0, 0, 4, 4]))])
    box, points = history.notes.objects[1].given[0].prompts
    assert isinstance(box, Box)
    np.testing.assert_array_equal(points.xy, [[3.5, 4], [5, 4]])
    np.testing.assert_array_equal(points.labels, [1, 0])
    given_mask = history.do(Give(1, 0, Mask(mask)))
    (prompt,) = given_mask.notes.objects[1].given[0].prompts
    assert isinstance(prompt, Mask)
    corrected = given_mask.do(click()).notes.objects[1].given[0]
    assert corrected.mask is not None
    assert [type(p) for p in corrected.prompts] == [Points]


def test_undo_and_redo_are_exact_and_a_new_action_ends_redo():
    history = History.of([click(), Name(1, "grasper"), Lock(1, Stretch(0, 4))])
    back = history.undo().undo()
    assert back.notes.objects[1].name is None
    assert back.redo().redo().notes == history.notes
    other = back.do(Name(1, "hook"))
    assert other.notes.objects[1].name == "hook"
    with pytest.raises(InputError, match="nothing to redo"):
        other.redo()
    with pytest.raises(InputError, match="nothing to undo"):
        History().undo()


def test_numbers_are_never_used_twice():
    history = History.of([click(), click(frame=3)]).undo().do(click(frame=4))
    assert sorted(history.in_force) == [1, 3]


LOCKED = [click(), Propagate((1,), Stretch(0, 9)), Lock(1, Stretch(2, 3))]


@pytest.mark.parametrize(
    "action",
    [
        click(frame=2),
        Clear(1, 3),
        Remove(1),
        MarkAbsent(1, Stretch(0, 9)),
        Discard(2),
    ],
)
def test_nothing_changes_a_locked_frame(action):
    with pytest.raises(InputError, match=r"object 1 on frame [23]: the frame is locked"):
        History.of(LOCKED).do(action)
    History.of(LOCKED).do(Unlock(1, Stretch(2, 3))).do(action)


def test_a_run_that_spared_locked_frames_can_be_discarded():
    """It began at, or beside, masks that were verified already, and left them as they were."""
    run = Propagate((1,), Stretch(0, 9))
    history = History.of([*LOCKED, run])
    assert history.do(Discard(4)).notes.runs[4].accepted is False
    later = history.do(Lock(1, Stretch(3, 5)))
    with pytest.raises(InputError, match=r"object 1 on frame 4: the frame is locked"):
        later.do(Discard(4))


def test_absence_takes_prompts_with_it_and_refuses_new_ones():
    history = History.of([click(), click(frame=5), MarkAbsent(1, Stretch(4, 8))])
    assert list(history.notes.objects[1].given) == [0]
    with pytest.raises(InputError, match="marked absent"):
        history.do(click(frame=6))
    again = history.do(MarkPresent(1, Stretch(6, 6))).do(click(frame=6))
    assert list(again.notes.objects[1].absent) == [4, 5, 7, 8]


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Clear(2, 0), "object 2: there is none of that number; objects: 1"),
        (Propagate((1, 3), Stretch(0, 1)), "object 3"),
        (Accept(9), "run 9: there is none"),
        (click(object_id=0), "numbered from 1"),
    ],
)
def test_an_action_that_makes_no_sense_is_refused(action, words: str):
    with pytest.raises(InputError, match=words):
        History.of([click()]).do(action)


MASK = np.zeros((6, 9), bool)
MASK[2:4, 3:7] = True
EVERY_KIND = [
    click(),
    Give(1, 2, Box([0, 1, 5, 5.5])),
    Give(2, 0, Mask(MASK)),
    Clear(1, 2),
    Name(2, "=cmd()"),
    MarkAbsent(1, Stretch(3, 9)),
    MarkPresent(1, Stretch(4, 4)),
    Lock(2, Stretch(0, 0)),
    Unlock(2, Stretch(0, 0)),
    MarkOutOfBody(Stretch(20, 30)),
    MarkInBody(Stretch(25, 25)),
    Propagate((1, 2), Stretch(0, 50)),
    Accept(3),
    Discard(3),
    Remove(2),
]


def test_every_action_is_written_and_read_back(tmp_path):
    write_actions(tmp_path / "log.json", EVERY_KIND)
    back = read_actions(tmp_path / "log.json")
    assert [rows_of(action) for action in back] == [rows_of(action) for action in EVERY_KIND]
    assert [type(action) for action in back] == [type(action) for action in EVERY_KIND]
    assert json.loads((tmp_path / "log.json").read_text())[0]["action"] == "click"


def test_lines_and_csv_say_the_same_as_a_list(tmp_path):
    rows = [row for action in EVERY_KIND[:2] for row in rows_of(action)]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (tmp_path / "a.csv").write_text(
        "action, object, frame, x, y, label, x2, y2\nclick,1,0,3.5,4,+,,\nbox,1,2,0,1,,5,5.5\n\n"
    )
    for name in ("a.jsonl", "a.csv"):
        back = read_actions(tmp_path / name)
        assert [row for action in back for row in rows_of(action)] == rows


def test_times_become_frames(tmp_path):
    (tmp_path / "a.csv").write_text("action,object,time,to_time,x,y\nabsent,1,0:01,1:00:02.5,,\n")
    (action,) = read_actions(tmp_path / "a.csv", frame_at=lambda seconds: int(seconds * 10))
    assert action == MarkAbsent(1, Stretch(10, 36025))
    with pytest.raises(InputError, match="no clock"):
        read_actions(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3.5", 3.5), ("02:03", 123), ("1:02:03.25", 3723.25), ("x", None), ("1:2:3:4", None)],
)
def test_times_as_people_write_them(text: str, seconds: float | None):
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[\n {"action": "click"}]', "line 2: object: expected a number, got nothing"),
        ('[{"action": "klick"}]', "line 1: action: expected one of click, box, mask"),
        ('[{"action": "click", "object": 1.5}]', "object: expected a whole number from 1"),
        (
            '[{"action":"click","object":1,"frame":0,"x":NaN,"y":1}]',
            "line 1: x: expected a number",
        ),
        (
            '[{"action":"click","object":1,"frame":0,"x":1,"y":1,"label":2}]',
            "label: expected 1",
        ),
        (
            '[{"action":"absent","object":1,"frame":9,"to":3}]',
            "line 1: to: expected a frame from 9 on",
        ),
        ('[{"action":"mask","object":1,"frame":9,"file":"../x.png"}]', "in the folder"),
        ('[{"action":"box","object":1,"frame":9,"x":9,"y":0,"x2":3,"y2":4}]', "line 1: box: "),
        ("[5]", "line 1: expected an action"),
        ("[\n{", "line 2: is not JSON"),
        ("[" * 5000 + '{"action": ' + "[" * 100_000, "is not JSON"),
        ('[{"action":"remove","object":1}]\n]x', "line 2: expected the end"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text: str, words: str):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        read_actions(tmp_path / "p.json")
    assert "p.json" in str(caught.value)


@given(st.text(alphabet='[]{},:"\\ \n0123456789.eE-actionclikbjr', max_size=60))
def test_no_text_ends_in_another_error(tmp_path_factory, text: str):
    path = tmp_path_factory.mktemp("any") / "p.json"
    path.write_text(text)
    with suppress(InputError):
        read_actions(path)
