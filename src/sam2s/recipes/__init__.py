"""Published runs by name; each is a Python function that returns the full configuration, of one run
or of several in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sam2s.errors import InputError
from sam2s.recipes.finetune import finetune
from sam2s.recipes.nano_gentle import nano
from sam2s.recipes.nano_next import nano_next
from sam2s.recipes.sam2s_base_plus import sam2s_base_plus
from sam2s.train.config import TrainConfig

RECIPES: dict[str, Callable[[], tuple[TrainConfig, ...]]] = {
    "nano": nano,
    "nano_next": nano_next,
}
"""Recipes that name their data themselves, as their parts in order: each goes on from the model
that the one before left."""
ON_DATA: dict[str, Callable[..., TrainConfig]] = {
    "finetune": finetune,
    "sam2s_base_plus": sam2s_base_plus,
}
"""Recipes for masklet folders of the user, ``data``, and for any starting weights, ``model``."""


def recipe(
    name: str, data: Sequence[str] = (), model: str | None = None
) -> tuple[TrainConfig, ...]:
    """The parts of the recipe ``name``, one for most; InputError lists the known ones.

    ``nano:closer`` is a part alone. ``data``: the user's folders, for the recipes of `ON_DATA`;
    ``model``: weights to start from, for these and for a part that goes on from earlier weights.
    """
    if name in ON_DATA:
        given = {"data": tuple(data)} if data or name == "finetune" else {}
        return (ON_DATA[name](**given, **({} if model is None else {"model": model})),)
    whole, _, part = name.partition(":")
    if whole not in RECIPES:
        raise InputError(
            f"recipe: unknown name {name!r}; use one of {', '.join(sorted((*RECIPES, *ON_DATA)))}"
        )
    if data:
        raise InputError(
            f"recipe {name}: names its data itself; --data is for {', '.join(ON_DATA)}"
        )
    parts = RECIPES[whole]()
    if part:
        parts = tuple(config for config in parts if config.name == part)
        if not parts:
            known = ", ".join(f"{whole}:{config.name}" for config in RECIPES[whole]())
            raise InputError(f"recipe: unknown part {name!r}; use one of {known}")
    if model is None:
        return parts
    if not parts[0].pretrained:
        raise InputError(
            f"recipe {name}: starts from scratch, so --model does not fit; leave it out"
        )
    return (replace(parts[0], model=model), *parts[1:])
