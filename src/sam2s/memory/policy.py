"""From a ``MemoryConfig`` (saved with the weights) to the rule it names."""

from __future__ import annotations

from collections.abc import Callable

from sam2s.errors import InputError
from sam2s.memory.bank import Policy
from sam2s.memory.distractor import Distractor
from sam2s.memory.diverse import Diverse
from sam2s.memory.pruned import Pruned
from sam2s.memory.recent import Recent
from sam2s.memory.samurai import Samurai
from sam2s.memory.tree import Tree
from sam2s.types import MemoryConfig


def _recent(config: MemoryConfig) -> Recent:
    return Recent(
        maps=config.recent_maps,
        pointers=config.pointers,
        stride=config.stride,
        future_pointers=config.future_pointers,
        forget_on_correction=config.forget_on_correction,
    )


def _diverse(config: MemoryConfig) -> Diverse:
    return Diverse(
        recent=_recent(config),
        iou_threshold=config.iou_threshold,
        candidates=config.candidates,
        long_term=config.long_term,
        pooled=config.similarity == "pooled",
        long_term_pointers=config.long_term_pointers,
    )


RULES: dict[str, Callable[[MemoryConfig], Policy]] = {
    "recent": _recent,
    "diverse": _diverse,
    "pruned": lambda config: Pruned(_recent(config)),
    "distractor": lambda config: Distractor(_recent(config)),
    "samurai": lambda config: Samurai(_recent(config)),
    "tree": lambda config: Tree(_recent(config)),
}
"""Every memory rule by name; a new rule is one file and one line here."""


def make_policy(config: MemoryConfig) -> Policy:
    """The rule named by ``config.rule`` with its constants; ``InputError`` for a name or constant
    that makes no sense."""
    if config.rule not in RULES:
        raise InputError(
            f"memory rule: unknown name {config.rule!r}; use one of {', '.join(sorted(RULES))}"
        )
    if config.similarity not in ("flat", "pooled"):
        raise InputError(f"memory similarity: expected flat or pooled, got {config.similarity!r}")
    low = {"recent_maps": 1, "pointers": 1, "stride": 1, "candidates": 1, "long_term": 1}
    for name, least in low.items():
        if getattr(config, name) < least:
            raise InputError(
                f"memory {name}: expected at least {least}, got {getattr(config, name)}"
            )
    return RULES[config.rule](config)
