"""What ``--help`` gives as an example can be typed: every one is parsed, and those of ``train`` are
carried out."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from sam2s import cli
from sam2s.commands import data_options, options
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo

COMMANDS = [kind.__name__.lower() for kind in get_args(options.Command)]


def help_of(command: str) -> str:
    """What ``sam2s COMMAND --help`` prints, without its frame, in one line."""
    said = io.StringIO()
    with pytest.raises(SystemExit) as stopped, contextlib.redirect_stdout(said):
        cli.main([*command.split(), "--help"])
    assert stopped.value.code == 0
    plain = re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", said.getvalue())
    return " ".join(plain.split())


def examples_of(doc: str) -> Iterator[str]:
    """The command lines of a docstring's paragraph that begins with "Example"."""
    for paragraph in doc.split("\n\n"):
        text = " ".join(paragraph.split())
        if text.startswith("Example"):
            for line in text.partition(":")[2].split(";"):
                yield line.strip().removeprefix("sam2s ")


DOCS = [
    *(kind.__doc__ or "" for kind in get_args(options.Command)),
    *(
        value.__doc__ or ""
        for value in vars(data_options).values()
        if isinstance(value, type) and value.__module__ == data_options.__name__
    ),
]
EXAMPLES = sorted({line for doc in DOCS for line in examples_of(doc)})


def test_there_are_examples():
    begun = {line.split()[0] for line in EXAMPLES}
    assert {"track", "preview", "export", "train", "data"} <= begun


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_understood(line: str, monkeypatch: pytest.MonkeyPatch):
    given = []

    def handler(options: object):
        return lambda options: given.append(options) or 0

    monkeypatch.setattr(cli, "_handler", handler)
    assert cli.main(line.split()) == 0
    assert len(given) == 1


# ---------------------------------------- train


@pytest.fixture
def my_videos(tmp_path: Path) -> Path:
    """Four short videos of a square that moves."""
    rng = np.random.default_rng(0)
    with MaskletWriter(tmp_path / "my_videos") as writer:
        for k in range(4):
            info = VideoInfo("mine", None, None, 25.0, {1: ObjectInfo("grasper", "instrument")})
            writer.add_video(f"op{k}", info)
            for frame in range(4):
                picture = rng.integers(0, 90, (64, 64, 3), dtype=np.uint8)
                mask = np.zeros((64, 64), bool)
                mask[16:48, 8 + 4 * frame : 40 + 4 * frame] = True
                picture[mask] = 220
                writer.write(f"op{k}", f"{frame:03d}", picture, {1: mask})
    return tmp_path / "my_videos"


def test_the_example_of_train_is_carried_out(sam2s, my_videos: Path, tmp_path: Path):
    """With what its help says of ``--set``, and up to the first step, small enough for a test."""
    text = help_of("train")
    (line,) = re.findall(r"Example: sam2s (train .*? --out \S+)", text)
    assert line in EXAMPLES
    settings = re.findall(r"([\w.*]+=[\w.-]+?)(?=[,.]? )", text.partition("--set")[2])
    settings = [one.rstrip(".") for one in settings if "." in one or one.startswith("seed=")]
    assert len(settings) >= 4, f"the help of --set names some: {settings}"
    small = ["stages.0.clips.size=64", "stages.0.clips.sampler.frames=2"]
    typed = line.replace("my_videos", str(my_videos)).replace("runs/mine", str(tmp_path / "mine"))
    for setting in [*settings, *small]:
        typed += f" --set {setting}"
    said = sam2s(f"{typed} --device cpu --dry-run")
    assert said.code == 0, said.err
    assert "estimate: about" in said.out
    assert "stage finetune: 10 steps" in said.out, "stages.0.schedule.steps=10 wins over epochs"
    assert "dry run: nothing was trained" in said.out
