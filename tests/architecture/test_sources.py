"""What the text of the repository must not hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 400
"""Lines; files are meant to have 80 to 300."""

# Written in pieces, so that this file does not hold what it looks for.
UNSAFE = {
    "unsafe unpickling": r"weights_only\s*=\s*"
    + "False|pickle"
    + r"\.loads?\(|allow_"
    + "pickle=True",
    "unchecked extraction": r"\.extract" + r"all\(",
    "torchvision": r"^\s*(import|from) torch" + "vision",
    "an open end": "TO" + "DO|FIX" + "ME|X" + "XX|raise NotImplemented" + "Error",
    "an absolute path of some machine": r"(?<![\w.])/(work|root|home|opt|Users)/" + r"\w",
}
LOADS = "torch.lo" + "ad("
MAY_LOAD = {"src/sam2s/weights/pt_file.py"}


def sources() -> list[Path]:
    places = [
        *(
            ROOT / name
            for name in ("src", "tests", "docs", "scripts", ".ci")
            if (ROOT / name).is_dir()
        )
    ]
    texts = {".py", ".md", ".toml", ".json", ".sh", ""}
    inside = [
        path
        for place in places
        for path in place.rglob("*")
        if path.suffix in texts and path.is_file()
    ]
    return [*inside, *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]


@pytest.mark.parametrize("what", sorted(UNSAFE))
def test_the_repository_is_free_of(what: str):
    pattern = re.compile(UNSAFE[what], re.MULTILINE)
    found = [
        f"{path.relative_to(ROOT)}: {hit.group()}"
        for path in sources()
        for hit in pattern.finditer(_text(path))
    ]
    assert not found


def test_the_patterns_find_what_they_look_for():
    samples = {
        "unsafe unpickling": "torch.load(f, weights_only=" + "False)",
        "unchecked extraction": "archive.extract" + "all(target)",
        "torchvision": "import torch" + "vision.ops",
        "an open end": "# TO" + "DO: later",
        "an absolute path of some machine": "open('/ho" + "me/someone/x')",
    }
    assert samples.keys() == UNSAFE.keys()
    for what, sample in samples.items():
        assert re.search(UNSAFE[what], sample, re.MULTILINE), what


def test_files_of_tensors_are_opened_in_one_place_only():
    found = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "src").rglob("*.py")
        if LOADS in _text(path)
    }
    assert found <= MAY_LOAD
    for name in found:
        text = _text(ROOT / name)
        assert text.count(LOADS) == len(
            re.findall(re.escape(LOADS) + r"[^)]*weights_only=True", text)
        ), name


def test_files_are_opened_in_one_place_and_text_is_printed_in_one():
    """There, formats are chosen and control characters taken out."""
    for call, home in (
        ("Image.open(", {"media/pictures.py"}),
        (
            "av.open(",
            {
                *("media/opening.py", "export/video_file.py", "formats/mask_video.py"),
                *("live/stream_encoder.py", "onnx_export/runtime.py"),
            },
        ),
        # The runtime is copied out of the package, to where the package is not.
        ("print(", {"commands/terminal.py", "onnx_export/runtime.py"}),
    ):
        found = {
            path.relative_to(ROOT / "src" / "sam2s").as_posix()
            for path in (ROOT / "src").rglob("*.py")
            if re.search(rf"(?<![\w.]){re.escape(call)}", _text(path))
        }
        assert found - {"cli.py"} == home, call


def test_files_stay_small_enough_to_read():
    long = {
        p.name: n
        for p in (ROOT / "src").rglob("*.py")
        if (n := _text(p).count("\n")) > LONGEST_FILE
    }
    assert not long


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
