"""Progress where nobody watches: lines, and not many of them."""

from __future__ import annotations

import sys
from itertools import count

import pytest

from sam2s.progress import progress_bar


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("tqdm.std.time", made)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    return made


def test_one_line_every_ten_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]):
    with progress_bar(70, "track") as bar:
        for _ in range(70):
            clock.now += 0.5
            bar.update()
            bar.set_description("track")
    lines = capsys.readouterr().err
    assert "\r" not in lines
    assert [line.split("/")[0].split()[-1] for line in lines.splitlines()] == ["20", "40", "60"]
    assert lines.startswith("track:  29% 20/70 [00:10<00:25,  2.00frame/s]\n")


def test_what_is_over_soon_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]):
    for i in progress_bar(9, over=range(9)):
        clock.now += i / 9
    with progress_bar(None, "x", shown=False) as bar:
        clock.now += 60
        bar.update()
    assert capsys.readouterr().err == ""


def test_an_unknown_number_of_steps(clock: Clock, capsys: pytest.CaptureFixture[str]):
    for i in progress_bar(None, "reading", "video", over=count()):
        clock.now += 1
        if i == 24:
            break
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("video")[0] for line in lines] == ["reading: 10", "reading: 20"]


def test_a_terminal_has_a_bar(clock: Clock, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress_bar(4, "track") as bar:
        for _ in range(4):
            clock.now += 1
            bar.update()
    shown = capsys.readouterr().err
    assert "\rtrack:" in shown
    assert "4/4" in shown
