"""Every memory rule by its name, and rules as they are saved with weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, get_args

from sam2s.errors import InputError
from sam2s.memory.distractor import Distractor
from sam2s.memory.diverse import Diverse
from sam2s.memory.hypothesis_tree import HypothesisTree
from sam2s.memory.policy import Policy
from sam2s.memory.pruned import Pruned
from sam2s.memory.recent import Recent
from sam2s.memory.samurai import Samurai
from sam2s.typed_json import Upgrade

Rule = Recent | Diverse | Pruned | Distractor | Samurai | HypothesisTree
"""A memory rule with its constants. A new rule is one file, and its class here."""

RULES: dict[str, type[Rule]] = {kind().rule: kind for kind in get_args(Rule)}
"""Classes by name."""


def named_rule(name: str, like: Rule) -> Rule:
    """The rule called ``name`` with the recent part of ``like``, or ``like`` itself where that is
    its name; ``InputError`` for another name."""
    if name not in RULES:
        raise InputError(
            f"memory rule: unknown name {name!r}; use one of {', '.join(sorted(RULES))}"
        )
    if name == like.rule:
        return like
    recent = recent_part(like)
    return recent if name == recent.rule else RULES[name](recent)  # type: ignore[arg-type]


def pick_rule(wanted: str | Policy[Any] | None, default: Rule) -> Policy[Any]:
    """The rule that was asked for: a name, a policy as it is, or None for the ``default``."""
    if wanted is None:
        return default
    return named_rule(wanted, default) if isinstance(wanted, str) else wanted


def recent_part(rule: Rule) -> Recent:
    """The recent memory that a rule builds on."""
    return rule if isinstance(rule, Recent) else rule.recent


def describe_rule(rule: Policy[Any]) -> dict[str, Any]:
    """A rule as JSON: its name and constants, or the class of a policy of the caller's own."""
    known = type(rule) in RULES.values()
    return asdict(rule) if known else {"rule": type(rule).__name__}  # type: ignore[call-overload]


_SHARED = {
    "recent_maps": "maps",
    "pointers": "pointers",
    "stride": "stride",
    "future_pointers": "future_pointers",
    "forget_on_correction": "forget_on_correction",
}
_DIVERSE = ("iou_threshold", "candidates", "long_term", "long_term_pointers")


def from_one_table(values: Any) -> Any:
    """The fields of a rule from the one table of all rules' constants with which weights were saved
    at first; anything else as it is."""
    if not isinstance(values, Mapping) or not {"recent_maps", "similarity"} & values.keys():
        return values
    name = values.get("rule", "recent")
    shared = {new: values[old] for old, new in _SHARED.items() if old in values}
    if name != "recent":
        shared = {"recent": shared}
    if name == "diverse":
        shared |= {key: values[key] for key in _DIVERSE if key in values}
        if "similarity" in values:
            similarity = values["similarity"]
            shared["pooled"] = {"flat": False, "pooled": True}.get(str(similarity), similarity)
    known = {"similarity", *_SHARED, *_DIVERSE}
    # What no table ever held is kept, to be refused.
    return {**{key: value for key, value in values.items() if key not in known}, **shared}


SavedRule = Annotated[Rule, Upgrade(from_one_table)]
"""A rule as a field of a configuration that is saved as JSON."""
