"""What banks recall, stacked into tensors of one shape, so that rows run in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sam2s.devices import upload
from sam2s.memory.bank import Bank
from sam2s.memory.policy import Policy
from sam2s.types import MemoryBatch

Recalled = Sequence[tuple[Tensor, int]]
"""Maps with their temporal slots, or pointers with their ages."""


def memory_batch(
    policy: Policy[Any], banks: Sequence[Bank[Any]], times: Sequence[int]
) -> MemoryBatch | None:
    """What each row's bank recalls at its own time, padded to the longest into one batch; None when
    no row remembers anything.

    Padding has to be masked, which fused attention is several times slower with; rows that have
    been tracked as long as one another need none.
    """
    recalled = [policy.select(bank, time) for bank, time in zip(banks, times, strict=True)]
    example = next((memory for r in recalled for memory, _ in r.maps), None)
    if example is None:
        return None
    maps = [[(memory.map, slot) for memory, slot in r.maps] for r in recalled]
    pointers = [[(memory.pointer, age) for memory, age in r.pointers] for r in recalled]
    slots_wide = max(1, *map(len, maps))
    ages_wide = max(1, *map(len, pointers))
    # Slots, ages and what is in use travel to the device in one upload.
    numbers = [
        _numbers(some, slots_wide) + _numbers(others, ages_wide)
        for some, others in zip(maps, pointers, strict=True)
    ]
    there = upload(torch.tensor(numbers), example.map.device)
    widths = [slots_wide, slots_wide, ages_wide, ages_wide]
    slots, maps_used, ages, pointers_used = there.split(widths, dim=1)
    return MemoryBatch(
        maps=_stacked(maps, slots_wide, torch.zeros_like(example.map)),
        slots=slots,
        map_mask=maps_used.bool(),
        pointers=_stacked(pointers, ages_wide, torch.zeros_like(example.pointer)),
        ages=ages.float(),
        pointer_mask=pointers_used.bool(),
        full=all(len(row) == slots_wide for row in maps)
        and all(len(row) == ages_wide for row in pointers),
    )


def _numbers(row: Recalled, width: int) -> list[int]:
    """The numbers of a row, then 1 where one is in use, each padded with zeros to ``width``."""
    unused = [0] * (width - len(row))
    return [*(number for _, number in row), *unused, *[1] * len(row), *unused]


def _stacked(rows: Sequence[Recalled], width: int, blank: Tensor) -> Tensor:
    """N rows of tensors -> (N, width, ...), padded with ``blank``."""
    padded = [(*(tensor for tensor, _ in row), *[blank] * (width - len(row))) for row in rows]
    return torch.stack([tensor for row in padded for tensor in row]).view(
        len(rows), width, *blank.shape
    )
