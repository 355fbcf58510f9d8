"""The architecture as a picture: the packages in their layers, and who imports whom.

    python scripts/architecture_picture.py [docs/images/architecture.png]

The layers are those of the import contract in ``pyproject.toml``, the imports those of the source,
read with ``ast``; imports for type checking alone are left out, as in the contract. An arrow goes
from a package to one that it imports, unless it also reaches that one through others: with those
arrows too, nothing could be made out. Small modules that many use are drawn below, without arrows.
Needs matplotlib.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "sam2s"
WIDTH, ROW, CLOSE_ROW = 11.0, 0.72, 0.46
"""Inches: of the picture, and from one layer to the next, with arrows between and without."""
BOX = (0.36, 1.2)
"""Height and width of a box in inches."""
SWEEPS = 8
LINE, SHARED = "#4a4f57", "#eeeeee"
COLOURS = {
    "what people and programs call": (
        "#dbe9f6",
        "cli commands recipes measures compat annotate live export onnx_export",
    ),
    "training and judging": ("#e3f1dc", "train benchmark metrics"),
    "data": ("#fdeacb", "curation convert clips synthetic formats masklets media"),
    "model, memory and tracking": ("#f6d9d5", "tracking weights model memory nn"),
    "small, for all above (no arrows)": (SHARED, ""),
}


def layers() -> list[list[str]]:
    """The import contract: names on each layer, the highest layer first."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rows = contract["tool"]["importlinter"]["contracts"][0]["layers"]
    return [[name.strip().removeprefix("sam2s.") for name in row.split("|")] for row in rows]


def packages() -> dict[str, list[Path]]:
    """{top-level package or module: its source files}; ``__init__`` and ``__main__`` are doors, not
    rooms."""
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if name not in ("__init__", "__main__"):
            found.setdefault(name, []).append(path)
    return found


def imports(sources: Mapping[str, Sequence[Path]]) -> dict[str, set[str]]:
    """{package: packages that it imports}, itself left out."""
    return {
        name: {
            target
            for path in paths
            for target in _imported(ast.parse(path.read_text(encoding="utf-8")))
            if target != name and target in sources
        }
        for name, paths in sources.items()
    }


def _imported(node: ast.AST) -> Iterator[str]:
    """Second parts of the names ``sam2s.x...`` that are imported anywhere below ``node``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.ImportFrom) and child.module:
            whole = [f"{child.module}.{alias.name}" for alias in child.names]
        elif isinstance(child, ast.Import):
            whole = [alias.name for alias in child.names]
        else:
            whole = []
        yield from (name.split(".")[1] for name in whole if name.startswith("sam2s."))
        yield from _imported(child)


def direct(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The edges that no longer way replaces (transitive reduction of a graph without circles)."""

    def below(name: str) -> set[str]:
        return {name}.union(*(below(target) for target in edges[name]))

    return {
        name: {
            target
            for target in targets
            if not any(target in below(other) for other in targets - {target})
        }
        for name, targets in edges.items()
    }


def ordered(rows: Sequence[Sequence[str]], edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The rows, each sorted so that its names lie near those that they are joined with: the mean of
    their places, swept down and up a few times."""
    rows = [list(row) for row in rows]
    joined = {name: set(targets) for name, targets in edges.items()}
    for name, targets in edges.items():
        for target in targets:
            joined[target].add(name)
    for _ in range(SWEEPS):
        for row in [*rows, *reversed(rows)]:
            at = {n: (i + 1) / (len(r) + 1) for r in rows for i, n in enumerate(r)}
            row.sort(
                key=lambda n: sum(at[m] for m in joined[n]) / len(joined[n]) if joined[n] else 0.5
            )
    return rows


def places(
    rows: Sequence[Sequence[str]], top: float, step: float
) -> dict[str, tuple[float, float]]:
    """{name: (x, y) of its box's middle, inches}, the first row at ``top``. Rows of one name swing
    from side to side, so that arrows past them can be followed."""
    return {
        name: (
            WIDTH * (place + 1) / (len(row) + 1) + (0.9 * (-1) ** depth if len(row) == 1 else 0),
            top - step * depth,
        )
        for depth, row in enumerate(rows)
        for place, name in enumerate(row)
    }


def draw(path: Path) -> None:
    """Write the picture: arrows between the coloured packages; below them what any may use."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    sources = packages()
    coloured = {name for name in sources if _colour(name) != SHARED}
    upper = [[n for n in row if n in coloured] for row in layers()]
    lower = [[n for n in row if n not in coloured] for row in layers()]
    edges = direct(imports({n: paths for n, paths in sources.items() if n in coloured}))
    upper = ordered([row for row in upper if row], edges)
    lower = [row for row in lower if row]
    height = ROW * len(upper) + CLOSE_ROW * len(lower) + 0.6
    figure = plt.figure(figsize=(WIDTH, height), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(0, height))
    axes.axis("off")
    at = places(upper, height - 0.35, ROW)
    for name, targets in edges.items():
        for target in sorted(targets):
            axes.add_patch(_arrow(at[name], at[target]))
    at |= places(lower, height - ROW * len(upper) - 0.4, CLOSE_ROW)
    for name, (x, y) in at.items():
        lines = sum(len(p.read_text(encoding="utf-8").splitlines()) for p in sources[name])
        axes.add_patch(_box(x, y, _colour(name)))
        text = {"ha": "center", "va": "center", "zorder": 3}
        axes.text(x, y + 0.055, name, fontsize=9.5, **text)
        size = f"{lines / 1000:.1f}k lines" if lines >= 950 else f"{round(lines, -1)} lines"
        axes.text(x, y - 0.105, size, fontsize=6, color="#555555", **text)
    handles = [Patch(fc=colour, ec=LINE, label=label) for label, (colour, _) in COLOURS.items()]
    axes.legend(handles=handles, loc="upper right", fontsize=7.5, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> Any:
    """From a box's lower edge to another's upper edge; a long one is bent, around what lies
    between."""
    from matplotlib.patches import FancyArrowPatch

    (x, y), (u, v) = start, end
    bow = 0.0 if y - v < 1.5 * ROW else 0.08 * (1 if x <= u else -1)
    return FancyArrowPatch(
        (x, y - BOX[0] / 2),
        (u, v + BOX[0] / 2),
        arrowstyle="-|>",
        mutation_scale=8,
        connectionstyle=f"arc3,rad={bow}",
        color="#8a8f98",
        linewidth=0.8,
        zorder=1,
        shrinkA=0,
        shrinkB=1,
    )


def _box(x: float, y: float, colour: str) -> Any:
    from matplotlib.patches import FancyBboxPatch

    return FancyBboxPatch(
        (x - BOX[1] / 2, y - BOX[0] / 2),
        BOX[1],
        BOX[0],
        boxstyle="round,pad=0,rounding_size=0.05",
        fc=colour,
        ec=LINE,
        lw=0.8,
        zorder=2,
    )


def _colour(name: str) -> str:
    for colour, names in COLOURS.values():
        if name in names.split():
            return colour
    return SHARED


def main() -> int:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "out", type=Path, nargs="?", default=ROOT / "docs" / "images" / "architecture.png"
    )
    draw(parser.parse_args().out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
