"""Tables as wide as a terminal is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2s.benchmark.text_table import Table

SMALL = Table(("object", "J&F", "masks scored"), (("a/001", "91.25", "12"), ("b/002", "7.00", "3")))


def test_markdown():
    assert SMALL.markdown().splitlines() == [
        "| object | J&F | masks scored |",
        "| :-- | --: | --: |",
        "| a/001 | 91.25 | 12 |",
        "| b/002 | 7.00 | 3 |",
    ]


def test_heads_are_wrapped_over_their_columns():
    assert SMALL.fitted(80).splitlines() == [
        "                  masks",
        "object    J&F    scored",
        "a/001   91.25        12",
        "b/002    7.00         3",
    ]


def test_columns_without_room_follow_below():
    assert SMALL.fitted(16).splitlines() == [
        "object    J&F",
        "a/001   91.25",
        "b/002    7.00",
        "",
        "           masks",
        "object    scored",
        "a/001         12",
        "b/002          3",
    ]


def test_a_name_that_is_too_long_is_cut():
    table = Table(("", "J&F"), (("a_very_long_name_of_a_video/001", "5.00"),))
    assert table.fitted(30).splitlines()[1] == "a_very_long_na…  5.00"


CELLS = st.text("abc %/", max_size=25).map(lambda text: " ".join(text.split()))


@given(st.data(), st.integers(1, 8), st.integers(0, 5), st.integers(60, 200))
def test_no_line_is_longer_and_no_cell_is_lost(data, columns: int, rows: int, width: int):
    head = data.draw(st.tuples(*[CELLS] * columns))
    body = tuple(data.draw(st.tuples(*[CELLS] * columns)) for _ in range(rows))
    text = Table(head, body).fitted(width)
    assert max(map(len, text.splitlines()), default=0) <= width
    for row in body:
        for cell in row[1:]:
            assert cell in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_table_without_rows():
    assert Table(("object", "J&F"), ()).fitted(40).splitlines() == ["object  J&F"]


@pytest.mark.parametrize("width", [1, 5, 12])
def test_a_terminal_that_is_no_wider_than_a_column(width: int):
    for cell in ("91.25", "12"):
        assert cell in SMALL.fitted(width)
