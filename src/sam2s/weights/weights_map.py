"""Other names for the tensors of a checkpoint: ``--weights-map FILE``.

Derivatives wrap SAM 2 in modules of their own, so that its tensors are all there under longer
names, beside parts that nothing here has use for. A map says how to read them::

    {"module.sam2.*": "*", "text_head.*": null}

Keys are names of the file, a last ``*`` standing for any rest; values are the names to read them
by, Meta's or any other that can be read, with the same ``*``; ``null`` leaves a tensor out. Of
several keys the first that fits counts.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from sam2s.errors import WeightsError
from sam2s.typed_json import read_json

MAX_BYTES = 4 * 2**20
"""Largest map that is read."""


@dataclass(frozen=True, slots=True)
class WeightsMap:
    """``rules``: {name or beginning with ``*``: new name, or None to leave it out}, in order;
    ``origin``: the file's name, for errors."""

    rules: Mapping[str, str | None]
    origin: str

    @staticmethod
    def read(path: str | os.PathLike[str]) -> WeightsMap:
        """The map of a file. ``WeightsError`` for a file that is none."""
        rules = read_json(
            Path(path), dict[str, str | None], error=WeightsError, max_bytes=MAX_BYTES
        )
        for name, new in rules.items():
            stars = name.count("*"), 0 if new is None else new.count("*")
            ends = name.endswith("*") and (new is None or new.endswith("*"))
            if stars != (0, 0) and not (ends and stars in ((1, 1), (1, 0))):
                raise WeightsError(
                    f'{path}: "{name}": a * stands at the end, in both names or in none'
                )
        return WeightsMap(rules, str(path))

    def apply(self, tensors: Mapping[str, Tensor], checkpoint: str) -> dict[str, Tensor]:
        """The tensors under their new names. ``WeightsError`` for a rule that no tensor of
        ``checkpoint`` fits, and for two tensors that get one name."""
        renamed: dict[str, Tensor] = {}
        before: dict[str, str] = {}
        used: Counter[str] = Counter()
        for name, tensor in tensors.items():
            rule = next((rule for rule in self.rules if _fits(rule, name)), None)
            new: str | None = name
            if rule is not None:
                used[rule] += 1
                new = self.rules[rule]
                if new is not None and rule.endswith("*"):
                    new = new[:-1] + name[len(rule) - 1 :]
            if new is None:
                continue
            if new in renamed:
                raise WeightsError(
                    f"{self.origin}: both {before[new]} and {name} of {checkpoint} would be {new};"
                    " leave one out with null"
                )
            renamed[new], before[new] = tensor, name
        idle = [rule for rule in self.rules if not used[rule]]
        if idle:
            raise WeightsError(
                f'{self.origin}: "{idle[0]}" fits no tensor of {checkpoint}; its names are such as'
                f" {', '.join(list(tensors)[:3])}"
            )
        return renamed


def _fits(rule: str, name: str) -> bool:
    return name.startswith(rule[:-1]) if rule.endswith("*") else name == rule
