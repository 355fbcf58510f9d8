"""Published runs by name; each is a Python function that returns the full configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sam2s.errors import InputError
from sam2s.recipes.finetune import finetune
from sam2s.recipes.nano import nano
from sam2s.recipes.nano_closer import nano_closer
from sam2s.recipes.nano_further import nano_further
from sam2s.recipes.nano_growths import nano_growths
from sam2s.recipes.nano_longer import nano_longer
from sam2s.recipes.sam2s_base_plus import sam2s_base_plus
from sam2s.train.config import TrainConfig

RECIPES: dict[str, Callable[[], TrainConfig]] = {
    "nano": nano,
    "nano_further": nano_further,
    "nano_longer": nano_longer,
    "nano_growths": nano_growths,
    "nano_closer": nano_closer,
}
"""Recipes that name their data themselves; those that go on from earlier weights take others as
``model``."""
ON_DATA: dict[str, Callable[..., TrainConfig]] = {
    "finetune": finetune,
    "sam2s_base_plus": sam2s_base_plus,
}
"""Recipes for masklet folders of the user, ``data``, and for any starting weights, ``model``."""


def recipe(name: str, data: Sequence[str] = (), model: str | None = None) -> TrainConfig:
    """The configuration of the recipe ``name``; InputError lists the known ones.

    ``data``: the user's folders, for the recipes of `ON_DATA`; ``model``: weights to start from,
    for these and for recipes that go on from earlier weights.
    """
    if name in ON_DATA:
        given = {"data": tuple(data)} if data or name == "finetune" else {}
        return ON_DATA[name](**given, **({} if model is None else {"model": model}))
    if name not in RECIPES:
        raise InputError(
            f"recipe: unknown name {name!r}; use one of {', '.join(sorted((*RECIPES, *ON_DATA)))}"
        )
    config = RECIPES[name]()
    if data:
        raise InputError(
            f"recipe {name}: names its data itself; --data is for {', '.join(ON_DATA)}"
        )
    if model is None:
        return config
    if not config.pretrained:
        raise InputError(
            f"recipe {name}: starts from scratch, so --model does not fit; leave it out"
        )
    return replace(config, model=model)
