"""The picture of the architecture shows what the import contract says and the source does."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from architecture_picture import COLOURS, direct, draw, imports, layers, ordered, packages


def test_every_package_has_its_place_in_the_contract() -> None:
    named = [name for row in layers() for name in row]
    assert sorted(named) == sorted(packages())


def test_imports_point_to_lower_layers() -> None:
    depth = {name: i for i, row in enumerate(layers()) for name in row}
    found = imports(packages())
    up = [(a, b) for a, targets in found.items() for b in targets if depth[a] >= depth[b]]
    assert not up
    assert "model" in found["tracking"], "imports were found at all"
    assert "tracking" not in found["model"]


def test_an_arrow_is_left_out_where_a_longer_way_exists() -> None:
    edges = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": {"c"}}
    assert direct(edges) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": {"c"}}


def test_rows_are_sorted_towards_what_they_are_joined_with() -> None:
    edges = {"a": {"y"}, "b": {"x"}, "x": set(), "y": set()}
    rows = ordered([["a", "b"], ["x", "y"]], edges)
    assert [row.index(name) for row, name in zip(rows, ("a", "y"), strict=True)] in ([0, 0], [1, 1])


def test_colours_name_packages_that_exist() -> None:
    named = {name for _, names in COLOURS.values() for name in names.split()}
    assert named <= set(packages())


def test_every_package_has_a_line_in_the_readme_and_a_colour_or_is_small() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    folders = {name for name, paths in packages().items() if paths[0].name == "__init__.py"}
    lines = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    assert {f"{name}/" for name in folders} <= set(lines)
    coloured = {name for _, names in COLOURS.values() for name in names.split()}
    assert folders - coloured == {"sharing", "typed_json"}


def test_it_is_drawn(tmp_path: Path) -> None:
    draw(tmp_path / "deep" / "picture.png")
    assert (tmp_path / "deep" / "picture.png").read_bytes().startswith(b"\x89PNG")
