from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.errors import InputError, WeightsError
from sam2s.memory.all_rules import RULES
from sam2s.model.presets import PRESETS, ModelConfig, preset
from sam2s.model.sam2s import SAM2S, build_model

PUBLISHED_MILLIONS = {"tiny": 38.9, "small": 46.0, "base_plus": 80.8, "large": 224.4}
"""Parameters of SAM 2.1, as its authors give them."""


def parameters(config: ModelConfig) -> float:
    with torch.device("meta"):
        return sum(p.numel() for p in SAM2S(config).parameters()) / 1e6


@pytest.mark.parametrize("name", PUBLISHED_MILLIONS)
def test_sizes_are_the_published_ones(name: str):
    assert parameters(preset(name)) == pytest.approx(PUBLISHED_MILLIONS[name], abs=0.1)


def test_nano_is_a_few_million():
    assert 3 < parameters(preset("nano")) < 7


def test_default_memory_rules():
    assert {name: config.memory.rule for name, config in PRESETS.items()} == {
        "nano": "diverse",
        "tiny": "recent",
        "small": "recent",
        "base_plus": "recent",
        "large": "recent",
    }
    assert [name for name, config in PRESETS.items() if config.long_term_embedding] == ["nano"]


def test_names_are_the_keys():
    assert all(config.name == name for name, config in PRESETS.items())


def test_overrides():
    assert preset("tiny", image_size=512) == replace(PRESETS["tiny"], image_size=512)


def test_unknown_preset():
    with pytest.raises(InputError, match="unknown model 'giant'; expected one of nano, tiny"):
        preset("giant")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image_size", 500),
        ("image_size", 0),
        ("dim", 100),
        ("memory_dim", 48),
        ("trunk_blocks", (1, 2, 3)),
        ("trunk_windows", (8, 4, 7, 7)),
    ],
)
def test_senseless_shapes(field: str, value: object):
    with pytest.raises(InputError):
        preset("nano", **{field: value})


@given(
    name=st.sampled_from(sorted(PRESETS)),
    size=st.integers(1, 64),
    rule=st.sampled_from(sorted(RULES)),
    threshold=st.floats(0, 1),
    long_term=st.booleans(),
)
@settings(deadline=None, max_examples=30)
def test_json_round_trip(name: str, size: int, rule: str, threshold: float, long_term: bool):
    memory = RULES[rule]()
    if rule not in ("recent", "pruned"):
        memory = replace(memory, iou_threshold=threshold)
    config = preset(name, image_size=32 * size, long_term_embedding=long_term, memory=memory)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_missing_entries_take_defaults():
    assert ModelConfig.from_dict({}) == ModelConfig()


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"wdith": 3}, "unknown entries wdith"),
        ({"memory": {"rul": "recent"}}, "unknown entries memory.rul"),
        ({"memory": {"rule": "elephant"}}, "memory.rule must be 'recent', 'diverse', "),
        ({"memory": {"rule": "samurai", "recent": {"maps": 7}}}, "memory.recent.maps must be"),
        ({"image_size": 33}, "multiple of 32"),
        ({"image_size": "big"}, "model configuration: "),
        ({"memory": "recent"}, "memory must be a table, got 'recent'"),
    ],
)
def test_what_does_not_fit_is_an_error(values: dict[str, object], named: str):
    with pytest.raises(WeightsError, match=named):
        ModelConfig.from_dict(values)


def test_the_same_seed_gives_the_same_model():
    config = preset("nano", image_size=64)
    torch.manual_seed(5)
    one = build_model(config).state_dict()
    torch.manual_seed(5)
    two = build_model(config).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
