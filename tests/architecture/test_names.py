"""A name stands for one thing: no two public classes share one, nor do two files."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "sam2s"


def test_public_classes_have_names_of_their_own() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(PACKAGE).as_posix())
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert not shared


def test_files_have_names_of_their_own() -> None:
    """Commands have the names of what they do: ``commands/evaluate``, ``benchmark/evaluate``."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.parent.name != "commands" and path.stem != "__init__":
            places[path.stem].append(path.relative_to(PACKAGE).as_posix())
    shared = {name: found for name, found in places.items() if len(found) > 1}
    assert not shared


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports them by these, and stops where two are equal."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted((PACKAGE.parents[1] / "tests").rglob("test_*.py")):
        places[path.name].append(path.as_posix())
    assert not {name: found for name, found in places.items() if len(found) > 1}
