"""Nothing that a stranger wrote steers the terminal."""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sam2s.cli import main
from sam2s.commands.terminal import doubts_said, printable, say, say_text
from sam2s.errors import Doubt, InputError

CLEAR = "\x1b[2J\x1b]0;title\x07"


@given(st.text())
def test_printable_text_is_printable_and_one_line(text: str):
    shown = printable(text)
    assert shown.isprintable() or not shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Fall 7 (groß) 手術", "Fall 7 (groß) 手術"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        (CLEAR, r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("evil\u202egnp.exe", r"evil\u202egnp.exe"),
        ("\udc80", r"\udc80"),
        ("\u2028", r"\u2028"),
    ],
)
def test_what_is_shown(text: str, shown: str):
    assert printable(text) == shown


def test_letters_that_the_terminal_lacks():
    assert printable("groß", "ascii") == r"gro\xdf"


def test_lines(capsys: pytest.CaptureFixture[str]):
    say("a\nb", Path("c"), error=True)
    say_text("x\ny\x1b")
    assert capsys.readouterr() == ("x\ny\\x1b\n", "a\\nb\nc\n")


def test_an_old_terminal(monkeypatch: pytest.MonkeyPatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    say("groß \udcff")
    assert stream.buffer.getvalue() == b"gro\\xdf \\udcff\n"  # type: ignore[attr-defined]


def test_doubts_are_lines_and_other_warnings_are_not_touched(capsys: pytest.CaptureFixture[str]):
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        with doubts_said():
            for _ in range(3):
                warnings.warn(f"mask\n{CLEAR} odd", Doubt, stacklevel=1)
            warnings.warn("other", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == r"sam2s: note: mask \x1b[2J\x1b]0;title\x07 odd" + "\n"
    assert [str(w.message) for w in others] == ["other"]


def test_errors_name_files_without_obeying_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    name = f"{CLEAR}.png"
    (tmp_path / name).write_bytes(b"no picture")
    assert main(["track", str(tmp_path), "--click", "1:2,2", "--out", str(tmp_path / "o")]) == 2
    assert main(["track", str(tmp_path / f"none{CLEAR}"), "--click", "1:2,2", "--out", "o"]) == 2
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert err.count("\\x1b[2J") == 2
    assert err.count("\n") == 2


@pytest.mark.skipif(os.name != "posix", reason="names of bytes")
def test_names_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / os.fsdecode(b"op\xff")
    folder.mkdir()
    assert main(["data", "stats", str(folder)]) == 2
    assert "op\\udcff" in capsys.readouterr().err


def test_a_mask_of_everything_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Image.fromarray(np.full((60, 90, 3), 90, np.uint8)).save(tmp_path / "0.png")
    Image.new("L", (90, 60), 255).save(tmp_path / "all.png")
    Image.new("RGBA", (90, 60), (255, 255, 255, 0)).save(tmp_path / "none.png")
    track = ["track", str(tmp_path / "0.png"), "--out", str(tmp_path / "out")]
    assert main([*track, "--mask", f"1:{tmp_path / 'all.png'}"]) == 0
    assert "note: object 1: the mask covers the whole picture" in capsys.readouterr().err
    assert main([*track, "--mask", f"1:{tmp_path / 'none.png'}"]) == 2
    assert "black everywhere, or transparent" in capsys.readouterr().err


def test_doubts_are_warnings_for_scripts():
    assert issubclass(Doubt, UserWarning)
    assert not issubclass(Doubt, InputError)
