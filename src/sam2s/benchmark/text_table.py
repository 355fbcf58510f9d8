"""Tables of text: as Markdown, or as wide as a terminal is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GAP = "  "
NARROWEST = 8
"""Letters over which a column's head may be wrapped, where its cells need fewer."""


@dataclass(frozen=True, slots=True)
class Table:
    """``head`` and ``rows`` of cells, the first of each naming its row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Numbers to the right."""
        rule = [":--", *["--:"] * (len(self.head) - 1)]
        return "".join(
            f"| {' | '.join(cells)} |\n" for cells in (list(self.head), rule, *self.rows)
        )

    def fitted(self, width: int) -> str:
        """In columns, no line longer than ``width`` letters: heads are wrapped, and columns that
        find no room follow below, under the same names. A name that is itself too long is cut."""
        names = [self.head[0], *(row[0] for row in self.rows)]
        first = min(max(map(len, names)), max(width // 2, NARROWEST))
        columns = [self._column(k) for k in range(1, len(self.head))]
        blocks = ["\n".join(self._block(first, some)) for some in _packed(columns, width - first)]
        return "\n\n".join(blocks) + "\n"

    def _column(self, k: int) -> list[list[str]]:
        """The head in lines, and the cells as one line each, all of one width."""
        cells = [row[k] for row in self.rows]
        widest = max([*map(len, cells), NARROWEST if len(self.head[k]) > NARROWEST else 1])
        head = textwrap.wrap(self.head[k], widest, break_long_words=False) or [""]
        widest = max(widest, *map(len, head))
        return [[part.rjust(widest) for part in head], [cell.rjust(widest) for cell in cells]]

    def _block(self, first: int, columns: Sequence[list[list[str]]]) -> Iterator[str]:
        tall = max((len(head) for head, _ in columns), default=1)
        for k in range(tall):
            parts = [_at(head, k - tall) for head, _ in columns]
            name = self.head[0] if k == tall - 1 else ""
            yield GAP.join([_cut(name, first), *parts]).rstrip()
        for k, row in enumerate(self.rows):
            yield GAP.join([_cut(row[0], first), *(cells[k] for _, cells in columns)]).rstrip()


def _at(lines: list[str], from_end: int) -> str:
    """A line counted from the end, so that heads stand on their columns; blank above the first."""
    return lines[from_end] if -from_end <= len(lines) else " " * len(lines[0])


def _packed(columns: Sequence[list[list[str]]], room: int) -> Iterator[list[list[list[str]]]]:
    """Columns in groups of which each fits into ``room`` letters, or is a single one."""
    group: list[list[list[str]]] = []
    used = 0
    for column in columns:
        wide = len(GAP) + len(column[0][0])
        if group and used + wide > room:
            yield group
            group, used = [], 0
        group.append(column)
        used += wide
    yield group


def _cut(text: str, width: int) -> str:
    return (text if len(text) <= width else f"{text[: width - 1]}…").ljust(width)
