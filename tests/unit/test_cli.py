"""The command line's own duties: parsing, handing over, one line for an error, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from sam2s import cli
from sam2s.benchmark.scoring_rules import SA_V, ScoringRules
from sam2s.commands import options
from sam2s.errors import DamagedSource, InputError, WeightsError
from sam2s.memory.all_rules import RULES

Seen = list[Any]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Commands that do nothing but remember their options."""
    calls: Seen = []

    def handler(given: Any) -> Any:
        return lambda value: calls.append(value) or 0

    monkeypatch.setattr(cli, "_handler", handler)
    return calls


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(_: Any) -> int:
        raise error

    monkeypatch.setattr(cli, "_handler", lambda given: fail)


SYNTH = ["synth", "out"]


def test_track_takes_every_flag_as_often_as_needed(seen: Seen):
    words = (
        "track op.mp4 --click 1:640,400 --click 1:600,380,- --click 2:5,6,+ --box 3:1,2,3,4 --mask"
        " 4:m.png --out out/op"
    )
    assert cli.main(words.split()) == 0
    (given,) = seen
    assert given == options.Track(
        source="op.mp4",
        out=Path("out/op"),
        click=("1:640,400", "1:600,380,-", "2:5,6,+"),
        box=("3:1,2,3,4",),
        mask=("4:m.png",),
    )
    assert (given.model, given.memory, given.frame, given.format) == ("nano", "auto", 0, "sav")


def test_track_takes_every_choice(seen: Seen):
    words = (
        "track frames --out o --model m.pt --memory diverse --frame 7 --format davis --overlay"
        " o.mp4 --device cuda:1 --precision bf16 --image-size 512 --click 1:-5,2.5"
    )
    assert cli.main(words.split()) == 0
    assert seen == [
        options.Track(
            source="frames",
            out=Path("o"),
            click=("1:-5,2.5",),
            frame=7,
            model="m.pt",
            memory="diverse",
            image_size=512,
            format="davis",
            overlay=Path("o.mp4"),
            device="cuda:1",
            precision="bf16",
        )
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            (
                "benchmark data --model nano --memory recent --prompt 1-click --json r.json"
                " --floors --video a --video b"
            ),
            options.Benchmark(
                Path("data"),
                memory="recent",
                prompt="1-click",
                json=Path("r.json"),
                floors=True,
                video=("a", "b"),
            ),
        ),
        (
            "evaluate --pred p --gt g --json r.json --skip-first prompted",
            options.Evaluate(
                Path("p"), Path("g"), json=Path("r.json"), rules=ScoringRules(skip_first="prompted")
            ),
        ),
        (
            (
                "benchmark data --suite sa-sv --report out --prompt mask --skip-last video --absent"
                " skip --mean all"
            ),
            options.Benchmark(
                Path("data"),
                suite="sa-sv",
                report=Path("out"),
                prompt="mask",
                rules=ScoringRules(skip_last="video", absent="skip", mean="all"),
            ),
        ),
        (
            (
                "evaluate --pred p --gt g --skip-first annotated --skip-last object --unseen skip"
                " --mean all"
            ),
            options.Evaluate(Path("p"), Path("g"), rules=SA_V),
        ),
        (
            "synth out --videos 3 --frames 20 --size 128 --seed 5 --procedure myotomy --workers 2",
            options.Synth(
                Path("out"), videos=3, frames=20, size=128, seed=5, procedure="myotomy", workers=2
            ),
        ),
        ("train nano --out runs/n --resume", options.Train("nano", Path("runs/n"), resume=True)),
        ("demo --out d --seed 3", options.Demo(Path("d"), seed=3)),
    ],
)
def test_every_command_gets_its_options(seen: Seen, words: str, expected: Any):
    assert cli.main(words.split()) == 0
    assert seen == [expected]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "nonsense",
        "track",
        "track a.mp4",
        "track --out o",
        "track a.mp4 --out o --precision fp16",
        "track a.mp4 --out o --frame x",
        "track a.mp4 --out o --clik 1:2,3",
        "benchmark data --prompt 2-click",
        "benchmark data --per frame",
    ],
)
def test_what_cannot_be_parsed_exits_with_2(
    words: str, seen: Seen, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as stopped:
        cli.main(words.split())
    assert stopped.value.code == 2
    assert not seen
    said = capsys.readouterr()
    assert "Traceback" not in said.err + said.out


@pytest.mark.parametrize("words", ["--help", "track --help", "benchmark --help", "synth -h"])
def test_help_says_something_and_exits_with_0(words: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        cli.main(words.split())
    assert stopped.value.code == 0
    assert "usage: sam2s" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("sam2s 0.")


def test_the_memory_rules_on_offer_are_those_there_are():
    assert set(get_args(options.MemoryRule)) == {"auto", *RULES}


@pytest.mark.parametrize("kind", get_args(options.Command))
def test_every_command_has_its_module(kind: type):
    assert callable(cli._handler(kind.__new__(kind)))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("the file\n  is not there"), 2),
        (WeightsError("the file is not there"), 2),
        (DamagedSource("the file is not there", 5, 0.2), 3),
    ],
)
def test_an_error_is_one_line_and_a_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    failing(monkeypatch, error)
    assert cli.main(SYNTH) == code
    said = capsys.readouterr()
    assert said.err == f"sam2s: {'the file is not there'}\n"
    assert said.out == ""


def test_the_debug_switch_shows_where(monkeypatch: pytest.MonkeyPatch):
    failing(monkeypatch, InputError("no"))
    monkeypatch.setenv("SAM2S_DEBUG", "1")
    with pytest.raises(InputError):
        cli.main(SYNTH)


def test_an_error_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch):
    failing(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.main(SYNTH)


def test_an_interrupt_exits_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    failing(monkeypatch, KeyboardInterrupt())
    assert cli.main(SYNTH) == 130
    assert capsys.readouterr().err == "sam2s: interrupted\n"


def test_a_reader_that_leaves_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    failing(monkeypatch, BrokenPipeError())
    with (tmp_path / "out").open("w") as file:
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(fileno=file.fileno))
        assert cli.main(SYNTH) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("own", "seen_by_torch"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")]
)
def test_waiting_threads_sleep_unless_the_user_says_otherwise(
    own: dict[str, str], seen_by_torch: str
):
    """In a process of its own: the setting must be there before torch is, and torch must not be
    there before it."""
    code = (
        "import os, sys, sam2s.cli as cli;assert 'torch' not in sys.modules;cli._handler = lambda"
        " given: lambda value: print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules) or"
        " 0;cli.main(['synth', 'out'])"
    )
    env = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | own
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [seen_by_torch, "False"]
