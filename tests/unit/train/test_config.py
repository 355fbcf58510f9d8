"""Training configurations: JSON round trip, and the lookup of stages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sam2s.errors import InputError
from sam2s.recipes import RECIPES, recipe
from sam2s.recipes.nano import scratch
from sam2s.synthetic.procedures import HELD_OUT
from sam2s.train.config import Clips, FolderSet, Schedule, Stage, TrainConfig, from_json, to_json

LOGS = Path(__file__).parents[3] / "docs" / "training"
VALIDATION = scratch().validation
assert VALIDATION is not None


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_survive_json(name: str) -> None:
    for config in recipe(name):
        assert from_json(TrainConfig, to_json(config)) == config


def test_nano_never_trains_on_the_held_out_procedure_or_on_validation_seeds() -> None:
    for config in recipe("nano"):
        trained = {p for made in config.synthetic for p in made.procedures}
        assert HELD_OUT not in trained
        assert trained
        seeds = {made.seed + i for made in config.synthetic for i in range(len(made.procedures))}
        assert not seeds & {
            VALIDATION.data.seed + i for i in range(len(VALIDATION.data.procedures))
        }
    assert len({p for made in recipe("nano")[0].synthetic for p in made.procedures}) >= 4


@pytest.mark.skipif(not LOGS.is_dir(), reason="the logs are not part of an installed package")
@pytest.mark.parametrize(
    ("part", "log"),
    [
        ("scratch", "nano"),
        ("further", "nano_further"),
        ("longer", "nano_longer"),
        ("growths", "nano_growths"),
        ("closer", "nano_closer"),
        ("tissue", "nano_tissue"),
        ("doubles", "nano_doubles"),
        ("broad", "nano_broad"),
        ("pairs", "nano_pairs"),
        ("clips", "nano_clips"),
        ("pictures", "nano_pictures"),
        ("moving", "nano_moving"),
    ],
)
def test_a_past_part_stays_as_it_was_run(part: str, log: str) -> None:
    assert (LOGS / f"{log}.jsonl").is_file()
    kept = from_json(TrainConfig, (LOGS / f"{log}.json").read_text(encoding="utf-8"))
    assert recipe(f"nano:{part}") == (kept,)


def test_parts_go_on_from_one_another() -> None:
    first, *others = (*recipe("nano"), *recipe("nano_next"))
    assert not first.pretrained
    assert all(part.pretrained for part in others)
    assert len({part.name for part in (first, *others)}) == 1 + len(others)
    with pytest.raises(InputError, match="unknown part 'nano:last'; use one of nano:scratch"):
        recipe("nano:last")


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="nano"):
        recipe("giant")


def two_stages() -> TrainConfig:
    stages = (
        Stage(
            name="a",
            schedule=Schedule(steps=3, lr=1e-3, lr_end=0.0),
            clips=Clips(size=64, batch=1),
        ),
        Stage(
            name="b",
            schedule=Schedule(steps=2, lr=1e-3, lr_end=0.0),
            clips=Clips(size=64, batch=1),
        ),
    )
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
    del plain["stages"][1]["speed"], plain["stages"][0]["schedule"]["steps"]
    with pytest.raises(InputError, match=r"stages\[0\].schedule is incomplete.*steps"):
        from_json(TrainConfig, json.dumps(plain))
