"""Actions of users: from lines and from rows."""

from __future__ import annotations

import io
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2s.errors import InputError
from sam2s.live import inbox as inbox_module
from sam2s.live.inbox import MOST, ActionInbox, follow_lines
from sam2s.tracking.session.actions import Give, Name, Remove
from sam2s.types import Box, Points

CLICK = {"action": "click", "object": 1, "x": 4, "y": 5}


def test_what_can_be_asked():
    inbox = ActionInbox()
    inbox.put(CLICK, "a")
    inbox.put({**CLICK, "label": 0}, "a")
    inbox.put({"action": "box", "object": 2, "x": 1, "y": 2, "x2": 9, "y2": 8}, "a")
    inbox.put({"action": "name", "object": 1, "name": "hook"}, "a")
    inbox.put({"action": "remove", "object": 2}, "a")
    one, two, box, name, remove = inbox.take()
    assert isinstance(one, Give)
    assert isinstance(one.prompt, Points)
    assert isinstance(two, Give)
    assert isinstance(two.prompt, Points)
    assert two.prompt.labels.tolist() == [0]
    assert isinstance(box, Give)
    assert isinstance(box.prompt, Box)
    assert name == Name(1, "hook")
    assert remove == Remove(2)
    assert inbox.take() == []
    assert not inbox.stopped
    inbox.put({"action": "stop"}, "a")
    assert inbox.stopped


@pytest.mark.parametrize(
    "row",
    [
        None,
        {},
        {"action": 3},
        {"action": "lock", "object": 1, "frame": 0, "to": 3},
        {"action": "click", "object": 1, "x": "a", "y": 2},
        {"action": "click", "object": 1, "x": 1},
        {"action": "click", "x": 1, "y": 2},
        {"action": "mask", "object": 1, "file": "/etc/passwd"},
        {"action": "name", "object": 1},
    ],
)
def test_what_is_none(row: object):
    inbox = ActionInbox()
    with pytest.raises(InputError, match="here"):
        inbox.put(row, "here")
    assert inbox.take() == []


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=4))
def test_no_row_breaks_it(row: dict[str, object]):
    inbox = ActionInbox()
    try:
        inbox.put({"action": "click", **row}, "x")
    except InputError:
        assert inbox.take() == []


def test_too_many_wait():
    inbox = ActionInbox()
    for _ in range(MOST):
        inbox.put(CLICK, "a")
    with pytest.raises(InputError, match="wait for the next frame"):
        inbox.put(CLICK, "a")


def test_lines_are_followed_and_bad_ones_told_of():
    inbox, said = ActionInbox(), []
    # Cut where a line is too long, the rest of this one would be a click.
    long = " " * inbox_module.LONGEST_LINE + json.dumps(CLICK)
    lines = [json.dumps(CLICK), "", "{", "[1]", "[" * 10**5, long, json.dumps({"action": "stop"})]
    follow_lines(io.StringIO("\n".join(lines)), inbox, said.append)
    until = time.monotonic() + 5
    while not inbox.stopped and time.monotonic() < until:
        time.sleep(0.01)
    assert inbox.stopped
    assert len(inbox.take()) == 1
    errors = [json.loads(line)["error"] for line in said]
    assert [error[:6] for error in errors] == ["line 3", "line 4", "line 5", "line 6"]
    assert errors[3].endswith("is longer than 1048576 characters")
