"""What the rows of a training batch remember.

All rows of a batch follow one script, and the rules that training runs under look at clocks and at
who marked a frame, not at what is on it. So the rule is asked once for all clips of one clock, over
memories that hold a frame's number in the place of its map, and what it recalls is gathered for all
rows at once: no tensor is taken apart row by row, and nobody waits for the device. A rule that
looks at scores or features is asked row by row, as a tracker asks it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import torch
from torch import Tensor

from sam2s.clips.batch import ClipBatch
from sam2s.devices import upload
from sam2s.memory.bank import Bank
from sam2s.memory.policy import Policy
from sam2s.memory.recent import Recent
from sam2s.memory.rehearsal import Rehearsal
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.core import Core
from sam2s.tracking.recall import memory_batch
from sam2s.tracking.row_prompts import RowPrompt
from sam2s.tracking.rows import Observation, Rows
from sam2s.types import Decoded, Features, Memory, MemoryBatch, Origin


class ClipMemory(Protocol):
    """The memory of all rows of a batch, which grows frame by frame."""

    def recall(self, frame: int) -> MemoryBatch | None:
        """What the rows recall on ``frame``; None where nobody remembers anything."""

    def keep(self, frame: int, origin: Origin, features: Features, decoded: Decoded) -> None:
        """Remember ``frame``, with the unconditioned ``features`` of every row and what was
        ``decoded``."""


def clip_memory(model: SAM2S, policy: Policy[Any], batch: ClipBatch) -> ClipMemory:
    """An empty memory for the rows of ``batch``."""
    if isinstance(policy, Recent | Rehearsal):
        return SharedMemory(model, policy, batch)
    return RowMemory(model, policy, batch)


class SharedMemory:
    """Under a rule that asks for times and origins alone."""

    def __init__(self, model: SAM2S, policy: Recent | Rehearsal, batch: ClipBatch) -> None:
        self.model, self.policy, self.rows = model, policy, batch.rows
        self.device = batch.clip_of_row.device
        self.clocks = tuple(dict.fromkeys(batch.times))
        self.banks: list[Bank[Any]] = [Bank() for _ in self.clocks]
        self.maps: dict[int, Tensor] = {}
        self.pointers: dict[int, Tensor] = {}
        number = {clock: k for k, clock in enumerate(self.clocks)}
        owners = [number[batch.times[clip]] for clip in batch.known.owners]
        self.clock_of_row = upload(torch.tensor(owners), self.device)

    def recall(self, frame: int) -> MemoryBatch | None:
        """See `ClipMemory.recall`."""
        times = [clock[frame] for clock in self.clocks]
        # One row for each clock, on the CPU, with numbers of frames in the place of maps.
        wanted = memory_batch(self.policy, self.banks, times)
        if wanted is None:
            return None
        maps, pointers = wanted.maps, wanted.pointers
        numbers = [maps, wanted.slots, wanted.map_mask, pointers, wanted.ages, wanted.pointer_mask]
        there = upload(torch.cat([part.long() for part in numbers], dim=1), self.device)
        # (clocks, width) -> (N, width)
        mine = there.index_select(0, self.clock_of_row)
        own, slots, used, theirs, ages, pointed = mine.split([p.shape[1] for p in numbers], dim=1)
        return replace(
            wanted,
            maps=self._gathered(self.maps, maps, own),
            slots=slots,
            map_mask=used.bool(),
            pointers=self._gathered(self.pointers, pointers, theirs),
            ages=ages.float(),
            pointer_mask=pointed.bool(),
        )

    def keep(self, frame: int, origin: Origin, features: Features, decoded: Decoded) -> None:
        """See `ClipMemory.keep`."""
        tracked = torch.zeros(self.rows, dtype=torch.bool, device=self.device)
        self.maps[frame] = self.model.memorize(features, decoded, binarize=tracked)
        self.pointers[frame] = decoded.pointer
        number = torch.tensor(frame)
        self.banks = [
            self.policy.admit(bank, Memory(clock[frame], origin, number, number, 0.0, 0.0))
            for bank, clock in zip(self.banks, self.clocks, strict=True)
        ]

    def _gathered(self, kept: dict[int, Tensor], frames: Tensor, places: Tensor) -> Tensor:
        """Of the tensors (N, ...) ``kept`` by frame, those that each row wants: (N, width, ...).
        ``frames`` (clocks, width) on the CPU, ``places`` (N, width) the same for every row, on the
        device."""
        lists = frames.tolist()
        if all(some == lists[0] for some in lists):
            return torch.stack([kept[frame] for frame in lists[0]], dim=1)
        order = sorted(kept)
        # Places where nothing is recalled hold frame 0, and are masked.
        position = torch.zeros(order[-1] + 1, dtype=torch.long)
        position[order] = torch.arange(len(order))
        rows = torch.arange(self.rows, device=self.device)[:, None]
        index = upload(position, self.device)[places] * self.rows + rows
        stacked = torch.stack([kept[frame] for frame in order]).flatten(0, 1)
        return stacked.index_select(0, index.flatten()).unflatten(0, index.shape)


class RowMemory:
    """Under any other rule, row by row through the tracker's own core."""

    def __init__(self, model: SAM2S, policy: Policy[Any], batch: ClipBatch) -> None:
        self.core = Core(model, policy, training=True)
        self.batch = batch
        self.banks: tuple[Bank[Any], ...] = (Bank(),) * batch.rows

    def recall(self, frame: int) -> MemoryBatch | None:
        """See `ClipMemory.recall`."""
        return memory_batch(self.core.policy, self.banks, self.batch.now(frame))

    def keep(self, frame: int, origin: Origin, features: Features, decoded: Decoded) -> None:
        """See `ClipMemory.keep`."""
        prompts = (RowPrompt(origin=origin),) * self.batch.rows
        rows = Rows(features, self.banks, tuple(self.batch.now(frame)), prompts)
        self.banks = self.core.commit(Observation(rows, decoded))
