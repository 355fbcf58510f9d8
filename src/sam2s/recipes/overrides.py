"""``--set a.b=value``: single fields of a `TrainConfig` replaced, typed by the annotations of its
dataclasses.

A path goes through fields and, in tuples, positions: ``optim.clip=0.1``, ``seed=3``,
``stages.-1.schedule.lr=1e-5``; ``*`` takes every position: ``stages.*.clips.size=512``. A part
that alone has the field may be left out: ``stages.*.size=512``, ``precision=fp32``. A field
that is none and has a type with defaults is made on the way:
``stages.*.teaching.loss.soften.sigma=1``. Tuples of single values are written with commas
(``optim.betas=0.9,0.98``); whole dataclasses and tuples of them as JSON; ``none`` where none is
allowed.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from sam2s.errors import InputError
from sam2s.typed_json import build, parse_json, shown

T = TypeVar("T")
WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
NOTHING = ("none", "null", "")


def override(config: T, assignments: Sequence[str]) -> T:
    """``config`` after each of ``assignments`` (``path=value``), in their order.

    What is set wins: a number of steps takes the place of epochs, from which it would follow.
    Raises InputError that names the fields or positions there are, or the type that was expected,
    and where steps and epochs of one stage are both set.
    """
    _refuse_contradictions(assignments)
    for text in assignments:
        path, found, value = text.partition("=")
        if not found or not path:
            raise InputError(
                f"--set {text}: expected PATH=VALUE, such as stages.0.schedule.steps=10"
            )
        try:
            places = path.strip().split(".")
            config = _replaced(type(config), config, places, value.strip())
            if places[-1] == "steps" and len(places) > 1:
                config = _replaced(type(config), config, [*places[:-1], "epochs"], "none")
        except InputError as error:
            raise InputError(f"--set {text}: {error}") from error
    return config


def _refuse_contradictions(assignments: Sequence[str]) -> None:
    """InputError where steps and epochs of one schedule are both given."""
    given = [text.partition("=") for text in assignments]
    paths = [(path.strip().split("."), value.strip()) for path, _, value in given]
    for steps in (path for path, _ in paths if path[-1] == "steps"):
        for epochs in (p for p, value in paths if p[-1] == "epochs" and value not in NOTHING):
            pairs = list(zip(steps[:-1], epochs[:-1], strict=False))
            if len(steps) == len(epochs) and all(a == b or "*" in (a, b) for a, b in pairs):
                raise InputError(
                    f"--set {'.'.join(steps)} and {'.'.join(epochs)}: both say how long a stage is;"
                    " give one of them"
                )


def _replaced(kind: Any, current: Any, path: list[str], text: str) -> Any:
    """``current``, of annotation ``kind``, with what ``path`` leads to replaced by ``text``."""
    if not path:
        return _parse(kind, text)
    inner = _without_none(kind)
    if typing.get_origin(inner) is tuple:
        return _in_tuple(inner, current, path, text)
    if len(_tables(kind)) > 1:  # of several kinds of table it is the one that is there
        inner = type(current)
    if not dataclasses.is_dataclass(inner):
        raise InputError(f"{path[0]!r} leads nowhere: this is {_name(kind)}, which has no fields")
    hints = typing.get_type_hints(inner)
    names = [spec.name for spec in dataclasses.fields(inner)]
    if path[0] not in names:
        parts = [name for name in names if path[0] in _fields_of(hints[name])]
        if len(parts) == 1:  # the one part that has it may go without saying
            return _replaced(kind, current, [*parts, *path], text)
        raise InputError(f"{_name(inner)} has no field {path[0]!r}; it has {', '.join(names)}")
    if current is None:
        current = _made(inner)
    value = _replaced(hints[path[0]], getattr(current, path[0]), path[1:], text)
    return dataclasses.replace(current, **{path[0]: value})


def _fields_of(kind: Any) -> list[str]:
    inner = _without_none(kind)
    fields = dataclasses.fields(inner) if dataclasses.is_dataclass(inner) else ()
    return [spec.name for spec in fields]


def _in_tuple(kind: Any, current: tuple, path: list[str], text: str) -> tuple:
    kinds, chosen = _kinds(kind, len(current)), _positions(path[0], len(current))
    if not chosen:
        last = len(current) - 1
        raise InputError(
            f"position {path[0]!r}: expected 0 to {last}, or * for all"
            if current
            else "this is empty"
        )
    changed = {k: _replaced(kinds[k], current[k], path[1:], text) for k in chosen}
    return tuple(changed.get(k, value) for k, value in enumerate(current))


def _positions(word: str, length: int) -> Sequence[int]:
    """The positions that ``word`` names; none for a word that names none."""
    if word == "*":
        return range(length)
    try:
        number = int(word)
    except ValueError:
        return ()
    return (number % length,) if -length <= number < length else ()


def _made(kind: Any) -> Any:
    """An instance with its defaults, in the place of none."""
    try:
        return kind()
    except TypeError as error:
        needed = [
            spec.name
            for spec in dataclasses.fields(kind)
            if spec.default is spec.default_factory is dataclasses.MISSING
        ]
        raise InputError(
            f"{kind.__name__} is none; give it whole, as JSON with {', '.join(needed)}"
        ) from error


def _parse(kind: Any, text: str) -> Any:
    """``text`` as a value of annotation ``kind``."""
    inner = _without_none(kind)
    if inner is not kind and text.lower() in NOTHING:
        return None
    if typing.get_origin(inner) is tuple:
        return _parse_tuple(inner, text)
    if len(_tables(kind)) > 1:
        return build(_json_of(kind, text), kind, "config", unknown="refuse")
    if typing.get_origin(inner) is Literal and text not in typing.get_args(inner):
        raise InputError(
            f"expected {typing.get_args(inner)[0]!r}, got {shown(text)}; another kind of table is"
            " given whole, as JSON"
        )
    if typing.get_origin(inner) is Literal:
        return text
    if dataclasses.is_dataclass(inner):
        values = _json_of(inner, text)
        whole = typing.cast(type, inner)
        return build(values, whole, "config", root=whole.__name__, unknown="refuse")
    if inner is bool:
        return _converted(lambda word: WORDS[word.lower()], text, kind)
    return _converted(inner, text, kind)


def _parse_tuple(kind: Any, text: str) -> tuple:
    if text.startswith("["):
        values = _json_of(kind, text)
        parts = [part if isinstance(part, str) else json.dumps(part) for part in values]
    else:
        parts = [part.strip() for part in text.split(",")] if text else []
    kinds = _kinds(kind, len(parts))
    if len(kinds) != len(parts):
        raise InputError(f"got {len(parts)} values, expected {_name(kind)}")
    return tuple(_parse(k, part) for k, part in zip(kinds, parts, strict=True))


def _json_of(kind: Any, text: str) -> Any:
    """The values of a JSON text, whatever they are."""
    try:
        return parse_json(text, Any, "--set")  # type: ignore[type-var]
    except InputError as error:
        raise InputError(f"expected {_name(kind)} as JSON, got {shown(text)}") from error


def _converted(convert: Any, text: str, kind: Any) -> Any:
    try:
        return convert(text)
    except (ValueError, KeyError, OverflowError) as error:
        raise InputError(f"expected {_name(kind)}, got {shown(text)}") from error


def _kinds(kind: Any, length: int) -> list[Any]:
    arguments = typing.get_args(kind)
    return [arguments[0]] * length if arguments[-1] is Ellipsis else list(arguments)


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return next(argument for argument in typing.get_args(kind) if argument is not type(None))
    return kind


def _tables(kind: Any) -> list[Any]:
    """The dataclasses of a union."""
    if typing.get_origin(kind) not in (types.UnionType, typing.Union):
        return []
    return [part for part in typing.get_args(kind) if dataclasses.is_dataclass(part)]


def _name(kind: Any) -> str:
    """An annotation in words."""
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    if len(_tables(kind)) > 1:
        return "one of " + ", ".join(_name(part) for part in _tables(kind))
    inner = _without_none(kind)
    if inner is not kind:
        return f"{_name(inner)} or none"
    if typing.get_origin(kind) is tuple:
        arguments = typing.get_args(kind)
        if arguments[-1] is Ellipsis:
            return f"values with commas between them, each {_name(arguments[0])}"
        return f"{len(arguments)} values with commas between them"
    return words.get(kind, getattr(kind, "__name__", str(kind)))
