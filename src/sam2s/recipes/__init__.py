"""Published runs by name; each is a Python function that returns the full configuration."""

from __future__ import annotations

from collections.abc import Callable

from sam2s.errors import InputError
from sam2s.recipes.nano import nano
from sam2s.recipes.nano_further import nano_further
from sam2s.train.config import TrainConfig

RECIPES: dict[str, Callable[[], TrainConfig]] = {"nano": nano, "nano_further": nano_further}


def recipe(name: str) -> TrainConfig:
    """The configuration of the recipe ``name``; InputError lists the known ones."""
    if name not in RECIPES:
        raise InputError(f"recipe: unknown name {name!r}; use one of {', '.join(sorted(RECIPES))}")
    return RECIPES[name]()
