"""Other names for the tensors of a derivative."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from sam2s.cli import main
from sam2s.errors import WeightsError
from sam2s.model.presets import PRESETS, ModelConfig
from sam2s.weights.keymap import ours_to_meta
from sam2s.weights.load import load_model, weights_hash
from sam2s.weights.weights_map import WeightsMap
from small import SMALL, small_model


def tensors(*names: str) -> dict[str, Tensor]:
    return {name: torch.tensor(float(k)) for k, name in enumerate(names)}


def renamed(rules: dict[str, str | None], *names: str) -> list[str]:
    return list(WeightsMap(rules, "map.json").apply(tensors(*names), "w.pt"))


def test_names_beginnings_and_what_is_left_out():
    rules = {"module.head.*": None, "module.a.weight": "b.weight", "module.*": "*", "x*": "y.*"}
    names = ("module.head.w", "module.a.weight", "module.c.bias", "x1", "other")
    assert renamed(rules, *names) == ["b.weight", "c.bias", "y.1", "other"]


def test_the_first_rule_that_fits_counts():
    assert renamed({"a.b": "one", "a.*": "two.*"}, "a.b", "a.c") == ["one", "two.c"]


@given(st.lists(st.text("ab.", min_size=1), unique=True, min_size=1))
def test_a_beginning_that_everything_has_can_be_taken_off(names: list[str]):
    wrapped = [f"net.{name}" for name in names]
    assert renamed({"net.*": "*"}, *wrapped) == names
    assert renamed({"*": "net.*"}, *names) == wrapped


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"nothing.*": "*"}, r'"nothing\.\*" fits no tensor of w.pt; its names are such as a.w'),
        ({"a.w": "b.w"}, "both a.w and b.w of w.pt would be b.w; leave one out with null"),
    ],
)
def test_rules_that_do_nothing_or_too_much(rules: dict[str, str | None], words: str):
    with pytest.raises(WeightsError, match=rf"map.json: {words}"):
        renamed(rules, "a.w", "b.w")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read as JSON"),
        ('["a"]', "expected"),
        ('{"a": 1}', "a"),
        ('{"a.*": "b"}', "a [*] stands at the end, in both names or in none"),
        ('{"a": "b.*"}', "a [*] stands at the end"),
        ('{"a*b": "*"}', "a [*] stands at the end"),
        ('{"**": "*"}', "a [*] stands at the end"),
    ],
)
def test_a_file_that_is_no_map(tmp_path: Path, content: str, words: str):
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(WeightsError, match=rf"map\.json: .*{words}"):
        WeightsMap.read(path)


@pytest.fixture
def wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A derivative: Meta's names behind a beginning, and a part of its own."""
    tiny = {**SMALL.to_dict(), "name": "tiny", "long_term_embedding": False, "memory": {}}
    monkeypatch.setitem(PRESETS, "tiny", ModelConfig.from_dict(tiny))
    model = small_model(config=PRESETS["tiny"])
    state: dict[str, Any] = {
        f"module.sam.{name}": tensor for name, tensor in ours_to_meta(model.state_dict()).items()
    }
    state["module.text_head.weight"] = torch.ones(3, 3)
    torch.save({"model": state}, tmp_path / "derivative.pt")
    return tmp_path / "derivative.pt", weights_hash(model)


def test_a_derivative_is_read_through_its_map(wrapped: tuple[Path, str], tmp_path: Path):
    path, expected = wrapped
    with pytest.raises(WeightsError, match=r"\(module\.sam\.image_encoder.* --weights-map"):
        load_model(path)
    names = tmp_path / "map.json"
    names.write_text(json.dumps({"module.sam.*": "*"}))
    with pytest.raises(
        WeightsError, match=r"1 unexpected \(module.text_head.weight\).*weights-map"
    ):
        load_model(path, weights_map=names)
    names.write_text(json.dumps({"module.sam.*": "*", "module.text_head.*": None}))
    assert weights_hash(load_model(path, weights_map=names, device="cpu")) == expected


def test_the_command_line_takes_a_map(wrapped: tuple[Path, str], tmp_path: Path):
    path, expected = wrapped
    names = tmp_path / "map.json"
    names.write_text(json.dumps({"module.sam.*": "*", "module.text_head.*": None}))
    Image.new("RGB", (32, 24)).save(tmp_path / "0.png")
    using = f"--model {path} --weights-map {names} --device cpu --click 1:9,9"
    line = f"track {tmp_path / '0.png'} --out {tmp_path / 'out'} {using}"
    assert main(line.split()) == 0
    assert json.loads((tmp_path / "out/tracks.json").read_text())["run"]["sha256"] == expected
    assert main(f"preview {tmp_path / '0.png'} --out {tmp_path / 'p.png'} {using}".split()) == 0
