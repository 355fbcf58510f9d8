"""Plain values under an annotation."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Literal, TypeVar

from sam2s.errors import InputError, Sam2sError
from sam2s.typed_json.constraints import SURROGATE, AnyText, Bounds, Ids, Upgrade, shown, shown_key

MAX_DEPTH = 20
"""Objects and lists inside one another in a value of no stated kind; none of the formats needs
more than 5. What has a kind is as deep as that kind."""
T = TypeVar("T")
Unknown = Literal["ignore", "refuse"]
"""What is done about keys that a dataclass does not have."""


def build(
    value: Any,
    kind: type[T],
    where: str,
    *,
    root: str = "",
    form: str | None = None,
    unknown: Unknown = "ignore",
    error: type[Sam2sError] = InputError,
) -> T:
    """Plain values (of JSON, or of a checkpoint) as a value of the annotation ``kind``. Raises as
    `parse_json`."""
    try:
        return _Builder(unknown).build(kind, value, root)
    except _Misfit as misfit:
        detail = f"expected {form} ({misfit})" if form else str(misfit)
        raise error(f"{where}: {detail}") from None


def check_fields(instance: Any, what: str) -> None:
    """Check a dataclass made in Python against its annotations, as `build` would have checked it in
    JSON. ``what``: what an error begins with. Raises InputError."""
    try:
        _Builder("refuse").check(instance, "")
    except _Misfit as misfit:
        raise InputError(f"{what}: {misfit}") from None


class _Misfit(Exception):
    """A value that is not of its annotation; the text names it by its path."""


def _misfit(path: str, verb: str, expected: str, value: Any) -> _Misfit:
    got = f"got {shown(value)}"
    return _Misfit(f"{path} {verb} {expected}, {got}" if path else f"expected {expected}, {got}")


@dataclass(frozen=True, slots=True)
class _Builder:
    unknown: Unknown

    def build(self, kind: Any, value: Any, path: str) -> Any:
        origin = typing.get_origin(kind)
        if origin is typing.Annotated:
            return self._ruled(kind, value, path)
        if origin in (types.UnionType, typing.Union):
            return self._union(typing.get_args(kind), value, path)
        if origin is Literal:
            return _one_of(typing.get_args(kind), value, path)
        if origin is tuple:
            return self._tuple(typing.get_args(kind), value, path)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._mapping(typing.get_args(kind), value, path)
        if dataclasses.is_dataclass(kind):
            return self._dataclass(kind, value, path)
        return _plain(value, path) if kind is Any else _single(kind, value, path)

    def check(self, instance: Any, path: str) -> Any:
        """A dataclass made in Python, if its fields are of their annotations."""
        kind: Any = type(instance)
        for spec in dataclasses.fields(kind):
            value = getattr(instance, spec.name)
            self.build(_hints(kind)[spec.name], value, f"{path}.{spec.name}".lstrip("."))
        return instance

    def _ruled(self, kind: Any, value: Any, path: str) -> Any:
        """A value under the rules of its ``Annotated``."""
        inner, *rules = typing.get_args(kind)
        for rule in rules:
            value = rule.current(value) if isinstance(rule, Upgrade) else value
        if not _fits(inner, value):
            raise _misfit(path, "must be", _words(kind), value)
        whole = not any(isinstance(rule, AnyText) for rule in rules)
        built = self.build(inner, value, path) if whole else value
        for rule in rules:
            if not rule.holds(built):
                raise _misfit(path, "must be", rule.words(_words(inner)), value)
        return built

    def _union(self, kinds: Sequence[Any], value: Any, path: str) -> Any:
        """The first of ``kinds`` that the value looks like; of several dataclasses the one that a
        table names in their `Literal` field."""
        if value is None and type(None) in kinds:
            return None
        if isinstance(value, Mapping) and (tagged := _tagged(kinds)):
            tag, by_name = tagged
            where = f"{path}.{tag}".lstrip(".")
            name = _one_of(list(by_name), value.get(tag, next(iter(by_name))), where)
            return self._dataclass(by_name[name], value, path)
        found = next((kind for kind in kinds if _fits(kind, value)), None)
        if found is None:
            raise _misfit(path, "must be", _or(map(_words, kinds)), value)
        return self.build(found, value, path)

    def _tuple(self, kinds: Sequence[Any], value: Any, path: str) -> tuple[Any, ...]:
        if not _is_list(value):
            raise _misfit(path, "must be", "a list", value)
        if kinds[-1] is Ellipsis:
            kinds = [kinds[0]] * len(value)
        if len(kinds) != len(value):
            raise _misfit(path, "must be", f"a list of {len(kinds)} values", value)
        return tuple(
            self.build(kind, part, f"{path}[{place}]")
            for place, (kind, part) in enumerate(zip(kinds, value, strict=True))
        )

    def _mapping(self, kinds: Sequence[Any], value: Any, path: str) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise _misfit(path, "must be", "a table", value)
        built: dict[Any, Any] = {}
        for key, part in value.items():
            name = self._key(kinds[0], key, path)
            if name in built:
                raise _Misfit(f"{path or 'it'} has {name} twice, once as {shown(key)}")
            built[name] = self.build(kinds[1], part, f"{path}.{shown_key(key)}".lstrip("."))
        return built

    def _key(self, kind: Any, key: Any, path: str) -> Any:
        """The key of a table: text, or the digits of an id."""
        ids = next((rule for rule in typing.get_args(kind) if isinstance(rule, Ids)), None)
        where = f"{path}: " if path else ""
        if ids is None:
            return self.build(kind, key, f"{where}the key {shown_key(key)}")
        if isinstance(key, Integral):  # already read: plain values of a checkpoint
            key = str(key)
        if not re.fullmatch(r"[0-9]{1,9}", key) or not ids.holds(int(key)):
            raise _Misfit(f"{where}{ids.what} must be whole numbers, got {shown(key)}")
        return int(key)

    def _dataclass(self, kind: Any, value: Any, path: str) -> Any:
        if isinstance(value, kind):
            return self.check(value, path)
        specs = {spec.metadata.get("key", spec.name): spec for spec in dataclasses.fields(kind)}
        if not isinstance(value, Mapping):
            listed = ", ".join(f"{key!r}: ..." for key in specs)
            raise _misfit(path, "should be", "a table" if path else f"{{{listed}}}", value)
        strange = sorted(str(key) for key in value if key not in specs)
        if strange and self.unknown == "refuse":
            named = ", ".join(f"{path}.{shown_key(key)}".lstrip(".") for key in strange[:5])
            raise _Misfit(
                f"unknown entries {named}: {path or 'it'} has no field"
                f" {', '.join(map(shown_key, strange[:5]))}; it has {', '.join(specs)}; it may come"
                " from a newer version"
            )
        lacking = [key for key, spec in specs.items() if key not in value and _required(spec)]
        if lacking:
            raise _Misfit(f"{path or 'it'} is incomplete: lacks {', '.join(lacking)}")
        hints = _hints(kind)
        built = {
            spec.name: self.build(hints[spec.name], value[key], f"{path}.{key}".lstrip("."))
            for key, spec in specs.items()
            if key in value
        }
        try:
            return kind(**built)
        except Sam2sError as error:  # what the class itself checks, such as two fields together
            raise _Misfit(f"{path}: {error}" if path else str(error)) from error


def _required(spec: dataclasses.Field[Any]) -> bool:
    return spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING


def _single(kind: Any, value: Any, path: str) -> Any:
    """A number, a truth value or a text."""
    if not _fits(kind, value):
        raise _misfit(path, "must be", _words(kind), value)
    if kind is str and SURROGATE.search(value):
        raise _misfit(path, "must be", "text of whole characters", value)
    return float(value) if kind is float else value


def _one_of(values: Sequence[Any], value: Any, path: str) -> Any:
    found = next((v for v in values if type(v) is type(value) and v == value), None)
    if found is None:
        raise _misfit(path, "must be", _or(map(repr, values)), value)
    return found


def _tagged(kinds: Sequence[Any]) -> tuple[str, dict[Any, Any]] | None:
    """The name of the `Literal` field by which several dataclasses differ, and the dataclasses by
    its values; None where there are not several."""
    tables: list[Any] = [kind for kind in kinds if dataclasses.is_dataclass(kind)]
    if len(tables) < 2:
        return None
    literals = [
        {
            name: typing.get_args(hint)[0]
            for name, hint in _hints(kind).items()
            if typing.get_origin(hint) is Literal
        }
        for kind in tables
    ]
    tag = next(iter(literals[0]))
    return tag, {names[tag]: kind for names, kind in zip(literals, tables, strict=True)}


def _fits(kind: Any, value: Any) -> bool:
    """Whether a value looks like an annotation from outside: its type, not what is in it."""
    if dataclasses.is_dataclass(kind):
        return isinstance(value, Mapping | kind)  # type: ignore[operator]
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _fits(typing.get_args(kind)[0], value)
    if origin in (types.UnionType, typing.Union):
        return any(_fits(part, value) for part in typing.get_args(kind))
    if origin is Literal:
        return isinstance(value, str | int) and value in typing.get_args(kind)
    if origin is tuple:
        return _is_list(value)
    if origin is not None:
        return isinstance(value, Mapping)
    return kind is Any or _LOOKS[kind](value)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _is_number(value: Any) -> bool:
    """A finite number that a double can hold."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


_LOOKS: Mapping[Any, Callable[[Any], bool]] = {
    bool: lambda value: isinstance(value, bool),
    int: lambda value: isinstance(value, Integral) and not isinstance(value, bool),
    float: _is_number,
    str: lambda value: isinstance(value, str),
    type(None): lambda value: value is None,
}
_NAMES: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    type(None): "null",
}


def _or(words: Iterable[str]) -> str:
    """a, b or c."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _words(kind: Any) -> str:
    """An annotation in words."""
    if typing.get_origin(kind) is typing.Annotated:
        inner, rule, *_ = typing.get_args(kind)
        return rule.words(_words(inner)) if isinstance(rule, Bounds) else _words(inner)
    if typing.get_origin(kind) is Literal:
        return _or(map(repr, typing.get_args(kind)))
    return _NAMES.get(kind, "a list" if typing.get_origin(kind) is tuple else "a table")


@lru_cache(maxsize=256)
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _plain(value: Any, path: str, depth: int = 0) -> Any:
    """A value of no stated kind, if it is not too deep."""
    if depth > MAX_DEPTH:
        raise _Misfit(f"{path} is nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        for key, part in value.items():
            _plain(part, f"{path}.{shown_key(key)}", depth + 1)
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            _plain(part, f"{path}[{place}]", depth + 1)
    return value
