"""The reader of JSON: what it takes, and the one line it gives for everything else."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.errors import InputError, WeightsError
from sam2s.typed_json import (
    Bounds,
    FolderName,
    Ids,
    OneLine,
    Upgrade,
    build,
    check_fields,
    is_folder_name,
    parse_json,
    read_json,
)

Side = Annotated[int, Bounds(1, 64)]


@dataclass(frozen=True, slots=True)
class Part:
    """One object."""

    label: Annotated[str, OneLine(20)] | None = field(default=None, metadata={"key": "class"})
    kind: Literal["instrument", "tissue"] = "instrument"
    sides: tuple[Side, ...] = ()
    place: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Whole:
    """A file."""

    name: str
    rate: Annotated[float, Bounds(above=0)] | None = None
    flag: bool = False
    parts: Mapping[Annotated[int, Ids("object ids")], Part] = field(default_factory=dict)
    videos: Mapping[Annotated[str, FolderName()], int] = field(default_factory=dict)
    identity: int | str = 0
    more: Any = None

    def __post_init__(self) -> None:
        if self.flag and self.rate is None:
            raise InputError("flag needs rate")


def test_what_fits_is_read_as_it_stands() -> None:
    text = """{"name": "a", "rate": 25, "flag": true, "identity": "x", "later": {},
        "parts": {"7": {"class": null, "kind": "tissue", "sides": [1, 64], "place": [1, 2.5]}},
        "videos": {"v 1": 3}, "more": [{"x": 1}]}"""
    assert parse_json(text, Whole, "w") == Whole(
        "a",
        25.0,
        True,
        {7: Part(None, "tissue", (1, 64), (1.0, 2.5))},
        {"v 1": 3},
        "x",
        [{"x": 1}],
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "w: cannot be read as JSON (Expecting"),
        ("", "w: cannot be read as JSON"),
        ("[" * 100_000, "w: cannot be read as JSON (nested too deeply)"),
        ('{"a":' * 100_000, "w: cannot be read as JSON (nested too deeply)"),
        ('{"name": "a", "rate": NaN}', "NaN is not a JSON number"),
        ('{"name": "a", "rate": -Infinity}', "-Infinity is not a JSON number"),
        ('{"name": "a", "rate": 1e999}', "1e999 is too large for a number"),
        ('{"name": "a", "rate": ' + "9" * 5000 + "}", "a number of 5000 digits"),
        ('{"name": "a", "rate": ' + "9" * 390 + "}", "w: rate must be a number above 0 or null"),
        ('{"name": "a", "name": "b"}', "the key name appears twice in one object"),
        ('{"name": "\\ud800"}', "w: name must be text of whole characters, got '\\ud800'"),
        ("[]", "w: expected {'name': ..., 'rate': ..., "),
        ('{"name": "a", "rate": "25"}', "w: rate must be a number above 0 or null, got '25'"),
        ('{"name": "a", "rate": true}', "w: rate must be a number above 0 or null, got True"),
        ('{"name": "a", "rate": 0}', "w: rate must be a number above 0, got 0"),
        ('{"name": 5}', "w: name must be text, got 5"),
        ('{"rate": 5}', "w: it is incomplete: lacks name"),
        ('{"name": "a", "flag": 1}', "w: flag must be true or false, got 1"),
        ('{"name": "a", "flag": true}', "w: flag needs rate"),
        ('{"name": "a", "identity": 1.5}', "w: identity must be a whole number or text, got 1.5"),
        ('{"name": "a", "parts": []}', "w: parts must be a table, got []"),
        ('{"name": "a", "parts": {"1": 5}}', "w: parts.1 should be a table, got 5"),
        ('{"name": "a", "parts": {"x": {}}}', "parts: object ids must be whole numbers, got 'x'"),
        ('{"name": "a", "parts": {"-1": {}}}', "object ids must be whole numbers, got '-1'"),
        ('{"name": "a", "parts": {" 1": {}}}', "object ids must be whole numbers, got ' 1'"),
        ('{"name": "a", "parts": {"1_0": {}}}', "object ids must be whole numbers, got '1_0'"),
        ('{"name": "a", "parts": {"\\u0661": {}}}', "object ids must be whole numbers"),
        ('{"name": "a", "parts": {"' + "9" * 5000 + '": {}}}', "must be whole numbers, got '999"),
        ('{"name": "a", "parts": {"1": {}, "01": {}}}', "parts has 1 twice, once as '01'"),
        (
            '{"name": "a", "parts": {"1": {"kind": "tool"}}}',
            "w: parts.1.kind must be 'instrument' or 'tissue', got 'tool'",
        ),
        ('{"name": "a", "parts": {"1": {"kind": [1]}}}', "parts.1.kind must be 'instrument' or"),
        (
            '{"name": "a", "parts": {"1": {"class": 5}}}',
            "parts.1.class must be text or null, got 5",
        ),
        (
            '{"name": "a", "parts": {"1": {"class": "\\u001b[31m"}}}',
            "parts.1.class must be one line of text without control characters",
        ),
        ('{"name": "a", "parts": {"1": {"sides": 5}}}', "parts.1.sides must be a list, got 5"),
        (
            '{"name": "a", "parts": {"1": {"sides": [3, 65]}}}',
            "parts.1.sides[1] must be a whole number of at least 1 and at most 64, got 65",
        ),
        ('{"name": "a", "parts": {"1": {"sides": [1.0]}}}', "sides[0] must be a whole number"),
        ('{"name": "a", "parts": {"1": {"place": [1]}}}', "place must be a list of 2 values"),
        ('{"name": "a", "videos": {"../b": 1}}', "the key ../b must be the name of a folder"),
        ('{"name": "a", "more": ' + "[" * 50 + "]" * 50 + "}", "is nested more than 20 deep"),
    ],
)
def test_everything_else_is_one_line_that_names_the_field(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_json(text, Whole, "w")
    line = str(caught.value)
    assert message in line
    assert line.startswith("w: ")
    assert len(line) < 400
    assert line.isprintable()


def test_unknown_keys_are_refused_where_that_is_asked_for() -> None:
    values = {"name": "a", "parts": {"1": {"colour": 2}}}
    assert build(values, Whole, "w").parts == {1: Part()}
    with pytest.raises(WeightsError, match=r"unknown entries parts.1.colour: parts.1 has no field"):
        build(values, Whole, "w", unknown="refuse", error=WeightsError)


def test_the_form_that_was_expected_is_said() -> None:
    with pytest.raises(InputError, match=r"w: expected a LabelMe file \(it is incomplete"):
        parse_json("{}", Whole, "w", form="a LabelMe file")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_in_the_encodings_of_json(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_text('{"name": "Öse"}', encoding=encoding)
    assert read_json(tmp_path / "a.json", Whole).name == "Öse"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes('{"name": "Öse"}'.encode("latin-1"))
    (tmp_path / "large.json").write_text('{"name": "' + "a" * 3_000_000 + '"}')
    for name, message in (
        ("none", "cannot be read as JSON (No such file or directory)"),
        (".", "cannot be read as JSON (Is a directory)"),
        ("latin.json", "cannot be read as JSON (not utf-8 text at byte 10)"),
        ("large.json", "is larger than 1 MB"),
        ("a\0b", "cannot be read as JSON (embedded null byte)"),
    ):
        with pytest.raises(InputError) as caught:
            read_json(tmp_path / name, Whole, max_bytes=2**20)
        assert message in str(caught.value)


def test_values_made_in_python_are_checked_by_the_same_rules() -> None:
    check_fields(Whole("a", 1.0, parts={1: Part(sides=(2,))}), "made")
    with pytest.raises(InputError, match="made: rate must be a number above 0, got -1"):
        check_fields(Whole("a", -1), "made")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(["name", "rate", "flag", "parts", "videos", "identity", "more", "later"])


@settings(deadline=None, max_examples=300)
@given(values=st.dictionaries(FIELDS, JSON_VALUES) | JSON_VALUES)
def test_any_json_is_a_valid_object_or_one_line(values: Any) -> None:
    message = ""
    try:
        check_fields(parse_json(json.dumps(values), Whole, "w"), "read")
    except InputError as error:
        message = str(error)
    assert message == "" or (message.startswith("w: ") and len(message) < 1000)


@settings(deadline=None, max_examples=300)
@given(name=st.text(st.characters(), max_size=6))
def test_a_name_of_a_folder_leads_nowhere_else(name: str) -> None:
    if is_folder_name(name):
        path = Path("/data") / name
        assert path.parent == Path("/data")
        assert path.name == name
        assert name.encode()
        assert name.strip() == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "/abs", "a/b", "a\\b", "C:", "C:a", ".git", "a\0", "a\n", "a ",
     "\ud800", "x\u202egpj", "\x1b[2J", "a" * 256, "ä" * 128],
)  # fmt: skip
def test_names_that_are_refused(name: str) -> None:
    assert not is_folder_name(name)


@pytest.mark.parametrize(
    "name", ["a", "VID01_t50_full", "12:30 op", "Ösophagus", "手術", "a.b", "ä" * 127]
)
def test_names_that_are_taken(name: str) -> None:
    assert is_folder_name(name)


@dataclass(frozen=True, slots=True)
class Click:
    """One of two kinds of table."""

    x: int = 0
    kind: Literal["click"] = field(default="click", kw_only=True)


@dataclass(frozen=True, slots=True)
class Stroke:
    """The other kind."""

    ends: tuple[Side, Side] = (1, 1)
    kind: Literal["stroke"] = field(default="stroke", kw_only=True)


def of_old(values: Any) -> Any:
    return {"x": values["left"]} if isinstance(values, Mapping) and "left" in values else values


@dataclass(frozen=True, slots=True)
class Drawn:
    """A table that may be of either kind, and once was called otherwise."""

    shape: Annotated[Click | Stroke, Upgrade(of_old)] = field(default_factory=Click)
    other: Click | Stroke | None = None


def test_of_several_kinds_of_table_it_is_the_one_that_the_table_names() -> None:
    def read(values: Any) -> Drawn:
        return build(values, Drawn, "d.json", unknown="refuse")

    assert read({"shape": {"kind": "stroke", "ends": [2, 3]}}) == Drawn(Stroke((2, 3)))
    assert read({"shape": {"x": 4}}) == Drawn(Click(4))  # the first, where it names none
    assert read({"shape": {"left": 5}}) == Drawn(Click(5))
    assert read({"other": None}) == Drawn()
    assert read({"other": {"kind": "stroke"}}) == Drawn(other=Stroke())
    check_fields(Drawn(Stroke((2, 3)), Click(1)), "drawn")
    for values, message in [
        ({"shape": {"kind": "circle"}}, "shape.kind must be 'click' or 'stroke', got 'circle'"),
        ({"shape": {"kind": ["click"]}}, "shape.kind must be 'click' or 'stroke', got ['click']"),
        ({"shape": {"kind": "stroke", "x": 1}}, "unknown entries shape.x"),
        ({"shape": {"kind": "stroke", "ends": [1, 65]}}, "shape.ends[1] must be"),
        ({"shape": {"left": "a"}}, "shape.x must be a whole number"),
        ({"shape": 3}, "shape must be a table, got 3"),
    ]:
        with pytest.raises(InputError) as caught:
            read(values)
        assert message in str(caught.value)


def test_a_small_file_takes_little_memory_whatever_the_limit(tmp_path: Path):
    path = tmp_path / "small.json"
    path.write_text("{}", encoding="utf-8")
    tracemalloc.start()
    try:
        read_json(path, dict[str, Any], max_bytes=2**26)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
