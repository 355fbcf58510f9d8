"""What the documents say exists, exists."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from sam2s import cli
from sam2s.commands import options
from sam2s.recipes.overrides import override
from sam2s.recipes.sam2s_base_plus import sam2s_base_plus
from sam2s.weights.load import PACKAGED, PUBLISHED

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:src|docs|tests|scripts)/[\w./-]+)`", README)))
)
def test_every_file_that_the_readme_names_is_there(path: str):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(link: str):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("kind", get_args(options.Command))
def test_the_readme_lists_every_command(kind: type):
    assert f"`sam2s {kind.__name__.lower()}" in README


def command_lines() -> list[tuple[str, str]]:
    """(document, what follows ``sam2s``) of every command line in the documents' code."""
    found = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"^```\w*\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE):
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                typed = re.search(r"(?:^|[ /$])sam2s ([a-z].*?)(?: & done; wait)?$", line.strip())
                if typed and not line.strip().startswith(("#", ">")):
                    found.append((path.name, typed[1]))
    return found


@pytest.mark.parametrize(("document", "line"), command_lines())
def test_every_command_of_the_documents_is_understood(document: str, line: str):
    cli._parse(shlex.split(line, comments=True))  # SystemExit otherwise


def test_the_worked_example_of_four_gpus_is_a_recipe():
    text = (ROOT / "docs" / "finetune.md").read_text()
    (line,) = re.findall(r"accelerate launch --num_processes 4 scripts/train_recipe.py (.*)", text)
    given = cli._parse(["train", *line.split()])
    config = sam2s_base_plus(given.data)
    assert given.recipe == config.name
    assert [folder.root for folder in config.folders] == ["data/sa-sv"]
    clips = config.stages[0].clips
    assert (clips.batch * clips.accumulate, clips.sampler.frames) == (1, 8), "as the page says"
    assert config.run.checkpoint_minutes == 15
    rehearsal = re.search(r"sam2s train (sam2s_base_plus .*--device cpu)", text)
    assert rehearsal is not None
    settings = cli._parse(["train", *rehearsal[1].split()]).set
    changed = override(sam2s_base_plus(("x",), "nano"), settings)
    assert changed.stages[0].schedule.steps == 2
    assert changed.stages[0].schedule.epochs is None


@pytest.mark.parametrize("name", [*PACKAGED, *PUBLISHED])
def test_the_readme_lists_every_model(name: str):
    assert f"| `{name}` |" in README


def test_the_readme_says_what_it_must():
    for words in (
        "research use only",
        "independent implementation",
        "SurgSLOT",
        "make demo",
        "make test",
        "2511.16618",
    ):
        assert words.lower() in README.lower(), words


def test_the_licence_is_apache_2():
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert "Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


def test_the_image_gets_all_that_the_package_is_built_from():
    """What the Dockerfile copies is let through by .dockerignore, is there, and is all that
    hatchling asks for."""
    copied = re.findall(r"^COPY (.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert names == {line[1:] for line in ignored if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {project["readme"], *project["license-files"], "pyproject.toml", "src"} == names
    assert all((ROOT / name).exists() for name in names)


def test_the_makefile_has_its_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("env", "test", "check", "demo"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
