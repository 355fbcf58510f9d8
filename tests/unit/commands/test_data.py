"""``sam2s data``: the four actions on a small made-up source, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s import cli
from sam2s.masklets.masklets import open_masklets


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two frames of one polyp, in ClinicDB's layout of sequences."""
    root = tmp_path / "in"
    for kind in ("images", "masks"):
        (root / kind / "seq01").mkdir(parents=True)
    for i in range(1, 4):
        picture = np.full((24, 32, 3), 90, np.uint8)
        mask = np.zeros((24, 32), np.uint8)
        mask[6:16, 4 + i : 16 + i] = 255
        Image.fromarray(picture).save(root / "images" / "seq01" / f"{i:03d}.jpg")
        Image.fromarray(mask).save(root / "masks" / "seq01" / f"{i:03d}.png")
    return root


def test_convert_then_stats_then_check(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    words = [
        "data",
        "convert",
        "cvc-clinicdb",
        str(source),
        str(out),
        "--frames",
        "copy",
        "--option",
        "gap=2",
    ]
    assert cli.main(words) == 0
    assert "1 videos, 3 frames, 1 masklets, 3 masks" in capsys.readouterr().out
    assert len(open_masklets(out).videos) == 1
    assert cli.main(words) == 0
    assert "1 were there already" in capsys.readouterr().out

    counts, findings = tmp_path / "made" / "stats.json", tmp_path / "check.json"
    assert cli.main(["data", "stats", str(out), "--against", "sa-sv", "--json", str(counts)]) == 0
    assert "CVC-ClinicDB" in capsys.readouterr().out
    assert json.loads(counts.read_text())
    sheet = tmp_path / "sheet.png"
    assert (
        cli.main(["data", "check", str(out), "--json", str(findings), "--sheet", str(sheet)]) == 0
    )
    assert "findings" in capsys.readouterr().out
    assert json.loads(findings.read_text())


def test_sources_are_listed(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["data", "sources"]) == 0
    listed = capsys.readouterr().out
    assert "endovis18" in listed
    assert "vocalfolds" in listed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["convert", "nowhere", "a", "b"], "no source 'nowhere'; there are: art-net"),
        (
            ["convert", "cvc-clinicdb", "a", "b", "--option", "gap"],
            "--option gap: expected KEY=VALUE",
        ),
        (["stats", "no-such-folder"], "no-such-folder"),
        (["check", "no-such-folder"], "no-such-folder"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["data", *words]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
