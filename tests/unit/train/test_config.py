"""Training configurations: JSON round trip, and the lookup of stages."""

from __future__ import annotations

import json

import pytest

from sam2s.errors import InputError
from sam2s.recipes import RECIPES, recipe
from sam2s.synthetic.procedures import HELD_OUT
from sam2s.train.config import FolderSet, Stage, TrainConfig, from_json, to_json


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_survive_json(name: str) -> None:
    config = recipe(name)
    assert from_json(TrainConfig, to_json(config)) == config


def test_nano_never_trains_on_the_held_out_procedure_or_on_validation_seeds() -> None:
    config = recipe("nano")
    trained = {p for made in config.synthetic for p in made.procedures}
    assert HELD_OUT not in trained
    assert len(trained) >= 4
    assert config.validation is not None
    seeds = {made.seed + i for made in config.synthetic for i in range(len(made.procedures))}
    assert not seeds & {
        config.validation.data.seed + i for i in range(len(config.validation.data.procedures))
    }


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="nano"):
        recipe("giant")


def two_stages() -> TrainConfig:
    stages = (Stage("a", 3, 64, 1, 1e-3, 0.0), Stage("b", 2, 64, 1, 1e-3, 0.0))
    return TrainConfig("t", "nano", stages, folders=(FolderSet("here", 2.0),))


def test_stages_by_step() -> None:
    config = two_stages()
    assert config.steps == 5
    assert [(config.stage_at(k)[0].name, config.stage_at(k)[1]) for k in range(5)] == [
        ("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)
    ]  # fmt: skip
    with pytest.raises(InputError, match="no step 5"):
        config.stage_at(5)


def test_unknown_and_missing_fields_are_named() -> None:
    plain = json.loads(to_json(two_stages()))
    plain["stages"][1]["speed"] = 3
    with pytest.raises(InputError, match=r"stages\[1\] has no field speed"):
        from_json(TrainConfig, json.dumps(plain))
    del plain["stages"][1]["speed"], plain["stages"][0]["steps"]
    with pytest.raises(InputError, match=r"stages\[0\] is incomplete.*steps"):
        from_json(TrainConfig, json.dumps(plain))
