"""Single fields of a training configuration, replaced from the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.errors import InputError
from sam2s.memory.recent import Recent
from sam2s.memory.samurai import Samurai
from sam2s.model.presets import SemanticConfig
from sam2s.recipes.nano import scratch
from sam2s.recipes.overrides import override
from sam2s.train.ambiguity import SoftLabel
from sam2s.train.config import FolderSet, TrainConfig, from_json, to_json


def test_fields_positions_and_all_positions() -> None:
    config = scratch()
    changed = override(
        config,
        [
            "stages.0.schedule.steps=10",
            "stages.*.schedule.lr=2e-5",
            "optim.clip=0.5",
            "seed=11",
            "stages.-1.clips.size=64",
        ],
    )
    assert changed.stages[0].schedule.steps == 10
    assert {stage.schedule.lr for stage in changed.stages} == {2e-5}
    assert changed.stages[-1].clips.size == 64
    assert (changed.optim.clip, changed.seed) == (0.5, 11)
    assert changed.stages[1] == replace(
        config.stages[1], schedule=replace(config.stages[1].schedule, lr=2e-5)
    )
    assert from_json(TrainConfig, to_json(changed)) == changed


def test_every_kind_of_value() -> None:
    changed = override(
        scratch(),
        [
            "pretrained=yes",
            "run.tensorboard=false",
            "model=runs/a=b",
            "optim.betas=0.8, 0.9",
            "validation=none",
            "stages.0.teaching.frozen=image_encoder,prompt_encoder",
            "stages.1.teaching.frozen=",
            "stages.0.schedule.epochs=2.5",
            'folders=[{"root": "mine", "weight": 2}]',
            "stages.0.clips.augment.scale=[0.5, 2]",
        ],
    )
    assert (changed.pretrained, changed.run.tensorboard, changed.model) == (True, False, "runs/a=b")
    assert changed.optim.betas == (0.8, 0.9)
    assert changed.validation is None
    assert changed.stages[0].teaching.frozen == ("image_encoder", "prompt_encoder")
    assert changed.stages[1].teaching.frozen == ()
    assert changed.stages[0].schedule.epochs == 2.5
    assert changed.folders == (FolderSet("mine", 2.0),)
    assert changed.stages[0].clips.augment.scale == (0.5, 2.0)


def test_what_is_none_is_made_on_the_way() -> None:
    changed = override(scratch(), ["stages.0.teaching.loss.soften.sigma=0.5"])
    assert changed.stages[0].teaching.loss.soften == replace(SoftLabel(), sigma=0.5)
    with pytest.raises(
        InputError, match=r"SemanticConfig is none; give it whole, as JSON with classes"
    ):
        override(scratch(), ["semantic.width=8"])
    whole = override(scratch(), ['semantic={"classes": ["hook"], "bank": "orthogonal"}'])
    assert whole.semantic == SemanticConfig(("hook",), bank="orthogonal")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed", "expected PATH=VALUE"),
        ("=3", "expected PATH=VALUE"),
        ("sead=3", r"--set sead=3: TrainConfig has no field 'sead'; it has name, model, stages"),
        ("stages.0.stepz=3", r"Stage has no field 'stepz'; it has name, schedule, clips"),
        ("stages.0.schedule.steps=3.5", r"expected a whole number, got '3.5'"),
        ("stages.9.schedule.steps=3", r"position '9': expected 0 to 5, or \* for all"),
        ("stages.-9.schedule.steps=3", r"position '-9': expected 0 to 5"),
        ("stages.first.schedule.steps=3", r"position 'first': expected 0 to 5"),
        ("folders.0.weight=3", "this is empty"),
        ("optim.clip=high", "expected a number, got 'high'"),
        ("pretrained=perhaps", "expected true or false"),
        ("optim.betas=0.9", "got 1 values, expected 2 values with commas"),
        ("seed.more=3", "'more' leads nowhere: this is a whole number"),
        ("stages.0.schedule.epochs=many", "expected a number or none"),
        ("folders=[", "as JSON"),
        ("validation={}", "ValidationConfig is incomplete"),
        ("optim=fast", "expected OptimConfig as JSON"),
        ('semantic={"classes": []}', "semantic classes"),
    ],
)
def test_mistakes_are_named_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        override(scratch(), [text])
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=50)
@given(
    value=st.one_of(st.floats(allow_nan=False), st.integers(-(10**9), 10**9)),
    position=st.integers(-6, 5),
)
def test_any_number_arrives(value: float, position: int) -> None:
    changed = override(scratch(), [f"stages.{position}.schedule.lr={value!r}"])
    assert changed.stages[position].schedule.lr == float(value)
    others = [k for k in range(6) if k != position % 6]
    assert all(changed.stages[k] == scratch().stages[k] for k in others)


def test_the_memory_rule_and_its_constants() -> None:
    config = scratch()
    assert config.memory == Recent(future_pointers=True)
    assert override(config, ["memory.stride=2"]).memory == Recent(stride=2, future_pointers=True)
    changed = override(
        config,
        [
            'memory={"rule": "samurai", "settled": 3}',
            "memory.motion_weight=0.3",
            "memory.recent.maps=4",
        ],
    )
    assert changed.memory == Samurai(Recent(maps=4), motion_weight=0.3, settled=3)
    assert from_json(TrainConfig, to_json(changed)) == changed
    with pytest.raises(InputError, match=r"Recent has no field 'settled'; it has maps, pointers,"):
        override(config, ["memory.settled=3"])
    with pytest.raises(InputError, match=r"another kind of table is given whole, as JSON"):
        override(config, ["memory.rule=diverse"])
    with pytest.raises(InputError, match=r"motion_weight must be a number of at least 0"):
        override(changed, ["memory.motion_weight=7"])


def test_steps_that_are_set_take_the_place_of_epochs():
    stage = scratch().stages[0]
    stage = replace(stage, schedule=replace(stage.schedule, epochs=30.0))
    config = replace(scratch(), stages=(stage, stage))
    one = override(config, ["stages.0.schedule.steps=4"])
    assert [(s.schedule.steps, s.schedule.epochs) for s in one.stages] == [
        (4, None),
        (stage.schedule.steps, 30.0),
    ]
    every = override(config, ["stages.*.schedule.steps=4"])
    assert all(s.schedule.epochs is None for s in every.stages)


@pytest.mark.parametrize("place", ["0", "*"])
def test_steps_and_epochs_of_one_stage_contradict_one_another(place: str):
    with pytest.raises(InputError, match="both say how long a stage is; give one of them"):
        override(scratch(), ["stages.0.schedule.steps=4", f"stages.{place}.schedule.epochs=2"])


def test_the_one_part_that_has_a_field_may_be_left_out():
    config = override(scratch(), ["stages.0.size=64", "stages.*.steps=3", "precision=fp32"])
    assert config.stages[0].clips.size == 64
    assert {stage.schedule.steps for stage in config.stages} == {3}
    assert config.run.precision == "fp32"
    with pytest.raises(InputError, match="has no field 'stepz'; it has name, schedule, clips"):
        override(scratch(), ["stages.0.stepz=3"])
