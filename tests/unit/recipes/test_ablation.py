"""The variants of the ablation differ in their ideas and in nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sam2s.errors import InputError
from sam2s.recipes.ablation import ON_STILLS, VARIANTS, ablation, find_variant
from sam2s.train.config import TrainConfig


def _without_ideas(config: TrainConfig) -> TrainConfig:
    (stage,) = config.stages
    plain = replace(
        stage,
        clips=replace(stage.clips, diverse=0.0),
        teaching=replace(stage.teaching, loss=replace(stage.teaching.loss, tsl=0.0, soften=None)),
    )
    return replace(config, name="", stages=(plain,))


def test_variants_share_everything_but_their_ideas() -> None:
    configs = [ablation(variant, seed=2) for variant in VARIANTS]
    assert len({repr(_without_ideas(config)) for config in configs}) == 1
    assert len({repr(config) for config in configs}) == len(VARIANTS)


@pytest.mark.parametrize(
    ("name", "diverse", "tsl", "softened", "memory"),
    [
        ("sam2", 0.0, 0.0, False, "recent"),
        ("divemem", 0.5, 0.0, False, "diverse"),
        ("tsl", 0.0, 0.1, False, "recent"),
        ("divemem+tsl", 0.5, 0.1, False, "diverse"),
        ("all", 0.5, 0.1, True, "diverse"),
    ],
)
def test_each_idea_is_where_its_name_says(
    name: str, diverse: float, tsl: float, softened: bool, memory: str
) -> None:
    variant = find_variant(name)
    stage = ablation(variant, seed=1).stages[0]
    assert (
        stage.clips.diverse,
        stage.teaching.loss.tsl,
        stage.teaching.loss.soften is not None,
    ) == (
        diverse,
        tsl,
        softened,
    )
    assert variant.memory == memory


def test_what_is_on_stills_differs_from_all_in_stills_alone() -> None:
    every, *others = (ablation(v, seed=1).stages[0] for v in (find_variant("all"), *ON_STILLS))
    assert [(s.clips.stills, s.clips.still.growths) for s in others] == [
        (0.4, (0, 0)),
        (0.4, (0, 2)),
        (0.4, (0, 2)),
    ]
    assert others[2].clips.still.zooming > 2 * others[1].clips.still.zooming
    for stage in others:
        clips = replace(stage.clips, stills=0.0, still=every.clips.still)
        assert replace(stage, clips=clips) == every


def test_a_resting_encoder_is_the_only_difference() -> None:
    awake, resting = (
        ablation(VARIANTS[0], seed=1, rest_encoder=rest).stages[0] for rest in (False, True)
    )
    assert resting == replace(awake, teaching=replace(awake.teaching, frozen=("image_encoder",)))


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(InputError, match="unknown variant 'arl'; use one of sam2, divemem"):
        find_variant("arl")
