"""``sam2s benchmark`` shared out: shards on the command line give the file of one run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sam2s.cli import main

FRAMES, SIZE = 4, 64
TIMED = ("fps", "object_fps", "provenance")


@pytest.fixture(scope="module")
def masklets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shards") / "data"
    line = (
        f"synth {out} --videos 2 --frames {FRAMES} --size {SIZE} --seed 3 --procedure"
        " cholecystectomy"
    )
    assert main(line.split()) == 0
    return out


def scores(file: Path) -> dict[str, object]:
    return {key: value for key, value in json.loads(file.read_text()).items() if key not in TIMED}


def test_two_shards_are_one_run(sam2s, masklets: Path, model_folder: Path, tmp_path: Path):
    command = (
        f"benchmark {masklets} --model {model_folder} --prompt 1-click --device cpu --json"
        f" {tmp_path}"
    )
    assert sam2s(f"{command}/one.json").code == 0
    first = sam2s(f"{command}/two.json --shard 1/2")
    assert (first.code, first.err) == (0, "")
    assert "1 of 2 videos are finished" in first.out
    assert not (tmp_path / "two.json").exists()
    for claim in ("a", "b"):
        (tmp_path / "two.json.shards" / f"{claim}.claim").write_text("dead")
    last = sam2s(f"{command}/two.json --shard any --reclaim")
    assert (last.code, last.err) == (0, "")
    assert f"all scores: {tmp_path}/two.json" in last.out
    assert scores(tmp_path / "two.json") == scores(tmp_path / "one.json")
    assert not list((tmp_path / "two.json.shards").glob("*.claim"))


def test_what_cannot_be_shared_out(sam2s, masklets: Path, model_folder: Path, tmp_path: Path):
    command = f"benchmark {masklets} --model {model_folder} --device cpu"
    for options, words in (
        (f"--shard 3/2 --json {tmp_path}/r.json", "expected i/n"),
        ("--shard 1/2", "--json"),
        (f"--shard 1/2 --ray auto --json {tmp_path}/r.json", "give one of them"),
    ):
        said = sam2s(f"{command} {options}")
        assert (said.code, said.err.count("\n")) == (2, 1)
        assert words in said.err
