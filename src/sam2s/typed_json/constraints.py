"""What may stand behind a type in ``Annotated``: bounds of numbers, kinds of text and of keys."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SHOWN = 60
"""Characters of a text that an error shows."""
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother, _REPR.maxlong = 2, SHOWN, SHOWN, SHOWN

MAX_ID = 999_999_999
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line separators, marks that turn the direction of writing, and halves of
characters."""
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a number, in ``Annotated``: ``low`` and ``high`` are allowed, ``above`` and
    ``below`` are not."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None

    def holds(self, value: Any) -> bool:
        """Whether a number is within the limits."""
        return (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def words(self, kind: str) -> str:
        """What is expected, such as "a number above 0 and at most 1"."""
        limits = {
            "of at least": self.low,
            "above": self.above,
            "at most": self.high,
            "below": self.below,
        }
        told = [f"{word} {limit:g}" for word, limit in limits.items() if limit is not None]
        return f"{kind} {' and '.join(told)}"


@dataclass(frozen=True, slots=True)
class OneLine:
    """Text that a terminal shows as one line: without control characters, up to ``longest``
    characters."""

    longest: int = 500

    def holds(self, value: str) -> bool:
        """Whether a text is such a line."""
        return len(value) <= self.longest and is_one_line(value)

    def words(self, kind: str) -> str:
        """What is expected."""
        return f"one line of {kind} without control characters (up to {self.longest} characters)"


@dataclass(frozen=True, slots=True)
class AnyText:
    """Any text, also that of a file's name, which need not be of whole characters."""

    def holds(self, _value: str) -> bool:
        """Always."""
        return True

    def words(self, kind: str) -> str:
        """What is expected."""
        return kind


@dataclass(frozen=True, slots=True)
class FolderName:
    """Text that names one folder inside another: no path, not hidden, nothing a terminal would
    obey."""

    def holds(self, value: str) -> bool:
        """Whether a text is such a name."""
        return is_folder_name(value)

    def words(self, _kind: str) -> str:
        """What is expected."""
        return "the name of a folder (no path, no leading dot, no control characters)"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Values of an older form, in ``Annotated``: ``current`` gives them in the form of today, and
    leaves everything else as it is."""

    current: Callable[[Any], Any]

    def holds(self, _value: Any) -> bool:
        """Always: what is wrong with a value, its type tells."""
        return True

    def words(self, kind: str) -> str:
        """What is expected."""
        return kind


@dataclass(frozen=True, slots=True)
class Ids:
    """Keys that are whole numbers from 0 to ``MAX_ID``, in ``Mapping[Annotated[int, Ids(...)],
    ...]``. ``what``: what an error calls them."""

    what: str

    def holds(self, value: int) -> bool:
        """Whether a number is an id."""
        return 0 <= value <= MAX_ID

    def words(self, kind: str) -> str:
        """What is expected."""
        return f"{kind} from 0 to {MAX_ID}"


def is_one_line(text: str) -> bool:
    """Whether a terminal shows ``text`` as it is."""
    return not CONTROL.search(text)


def is_folder_name(name: str) -> bool:
    """Whether ``name`` names a folder directly inside another one, and not a hidden one."""
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= 255
        and name == name.strip()
        and not name.startswith(".")
        and not re.match(r"[A-Za-z]:|.*[/\\]", name)
        and not CONTROL.search(name)
    )


def shown(value: Any) -> str:
    """A value as an error shows it: short, and without control characters."""
    text = _REPR.repr(value)
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def shown_key(key: Any) -> str:
    """A key in a path."""
    text = str(key)
    plain = len(text) <= SHOWN and text and not CONTROL.search(text)
    return text if plain else shown(text)
