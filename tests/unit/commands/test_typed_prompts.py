"""Typed prompts: what is understood, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sam2s.commands.prompts import parse_prompts
from sam2s.errors import InputError
from sam2s.types import Box, Mask, Points


def picture(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def test_clicks_of_one_object_are_gathered_in_order():
    prompts = parse_prompts(["1:640,400", "2:5,6,+", "1:600,380.5,-"], [], [])
    assert list(prompts) == [1, 2]
    (first,) = prompts[1]
    assert isinstance(first, Points)
    np.testing.assert_array_equal(first.xy, np.array([[640, 400], [600, 380.5]], np.float32))
    assert first.labels.tolist() == [1, 0]
    (second,) = prompts[2]
    assert isinstance(second, Points)
    assert second.labels.tolist() == [1]


def test_a_box_comes_before_the_clicks_of_its_object():
    prompts = parse_prompts(["3:5,6,-"], ["3:1,2,30,40"], [])
    box, points = prompts[3]
    assert isinstance(box, Box)
    assert isinstance(points, Points)
    assert box.xyxy.tolist() == [1, 2, 30, 40]


def test_a_mask_is_read_from_its_file(tmp_path: Path):
    pixels = np.zeros((4, 6), np.uint8)
    pixels[1:3, 2:5] = 200
    prompts = parse_prompts([], [], [f"7:{picture(tmp_path / 'm.png', pixels)}"])
    (mask,) = prompts[7]
    assert isinstance(mask, Mask)
    np.testing.assert_array_equal(mask.mask, pixels > 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1:",
        "1:5",
        "1:5,6,7",
        "a:5,6",
        "1:5;6",
        "1:5,6,*",
        ":5,6",
        "1:nan,5",
        "1:inf,5",
        "-1:5,6",
        "1 :5,6",
        "1:5,6,+,-",
    ],
)
def test_clicks_that_cannot_be_understood(text: str):
    with pytest.raises(InputError, match="--click"):
        parse_prompts([text], [], [])


@pytest.mark.parametrize("text", ["1:1,2,3", "1:1,2,3,4,5", "1:a,b,c,d", "x:1,2,3,4", "1"])
def test_boxes_that_cannot_be_understood(text: str):
    with pytest.raises(InputError, match="--box"):
        parse_prompts([], [text], [])


def test_a_box_must_have_a_size():
    with pytest.raises(InputError, match="box: expected left, top, right, bottom"):
        parse_prompts([], ["1:10,10,10,20"], [])


@pytest.mark.parametrize("number", ["0", "1000"])
def test_object_numbers_have_limits(number: str):
    with pytest.raises(InputError, match="from 1 to 999"):
        parse_prompts([f"{number}:1,2"], [], [])


def test_nothing_given():
    with pytest.raises(InputError, match="give at least one --click"):
        parse_prompts([], [], [])


def test_two_boxes_for_one_object():
    with pytest.raises(InputError, match="two boxes"):
        parse_prompts([], ["1:0,0,5,5", "1:0,0,6,6"], [])


def test_a_mask_stands_alone(tmp_path: Path):
    mask = picture(tmp_path / "m.png", np.full((4, 4), 255, np.uint8))
    with pytest.raises(InputError, match="another prompt"):
        parse_prompts(["1:2,2"], [], [f"1:{mask}"])
    with pytest.raises(InputError, match="another prompt"):
        parse_prompts([], [], [f"1:{mask}", f"1:{mask}"])


def test_an_empty_mask(tmp_path: Path):
    mask = picture(tmp_path / "m.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match="black everywhere"):
        parse_prompts([], [], [f"1:{mask}"])


def test_a_mask_that_is_missing_or_no_picture(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        parse_prompts([], [], [f"1:{tmp_path / 'none.png'}"])
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(InputError, match=r"text\.png"):
        parse_prompts([], [], [f"1:{tmp_path / 'text.png'}"])


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 5),
            st.integers(0, 4000),
            st.integers(0, 4000),
            st.sampled_from(["", ",+", ",-"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_click_arrives_once_at_its_object(clicks: list[tuple[int, int, int, str]]):
    prompts = parse_prompts([f"{i}:{x},{y}{sign}" for i, x, y, sign in clicks], [], [])
    for object_id, (points,) in prompts.items():
        expected = [(x, y, sign != ",-") for i, x, y, sign in clicks if i == object_id]
        assert isinstance(points, Points)
        assert [
            (x, y, bool(s)) for (x, y), s in zip(points.xy.tolist(), points.labels, strict=True)
        ] == expected
    assert set(prompts) == {i for i, *_ in clicks}


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_understood_or_refused(text: str):
    for kind in range(2):
        given_prompts: list[list[str]] = [[], [], []]
        given_prompts[kind] = [text]
        try:
            parsed = parse_prompts(*given_prompts)
        except InputError:
            continue
        assert all(1 <= i <= 999 for i in parsed)
