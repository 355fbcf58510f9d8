"""Verbs as graphs, with a recorder that works anywhere: its replay computes again from what lies in
the fixed inputs, and writes to the fixed answer. What CUDA itself records is checked on a card
(``make gpu-check``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch

from sam2s.geometry import image_to_model
from sam2s.memory.bank import Bank
from sam2s.memory.diverse import Diverse
from sam2s.tracking.core import Core
from sam2s.tracking.cuda_graphs import KEPT, Graphed, Replayed, _tensors
from sam2s.tracking.row_prompts import TRACKED, RowPrompt
from sam2s.tracking.rows import Rows
from sam2s.types import Features


@dataclass
class Recorder:
    """Counts what is recorded and replayed."""

    recorded: int = 0
    replayed: list[int] = field(default_factory=list)

    def __call__(self, work: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
        number, answer = self.recorded, work()
        self.recorded += 1

        def replay() -> None:
            self.replayed.append(number)
            for there, here in zip(_tensors(answer), list(_tensors(work())), strict=True):
                there.copy_(here)

        return answer, replay


def pair(value: float, rows: int = 2) -> Features:
    grid = torch.full((1, 2, 3, 3), value)
    return Features(grid, grid[:, :1], grid[:, :1]).expand(rows)


def doubled(features: Features, factor: int) -> Features:
    return replace(features, stride16=features.stride16 * factor)


def test_alike_calls_are_recorded_once_and_replayed():
    recorder = Recorder()
    verb = Replayed(doubled, recorder)
    answers = [verb(pair(float(k)), 2) for k in range(5)]
    assert [a.stride16.unique().tolist() for a in answers] == [[0], [2], [4], [6], [8]]
    assert recorder.recorded == 1  # on the second call
    assert recorder.replayed == [0, 0, 0]
    assert all(a.stride16.shape == (2, 2, 3, 3) for a in answers)


def test_whatever_decides_on_kernels_has_its_own_graph():
    recorder = Recorder()
    verb = Replayed(doubled, recorder)
    for rows, factor in [(2, 2), (3, 2), (2, 3)] * 3:
        found = verb(pair(1.0, rows), factor)
        assert found.stride16.unique().tolist() == [factor]
        assert len(found.stride16) == rows
    assert recorder.recorded == 3
    repeated, own = pair(1.0), Features(*(t.contiguous() for t in _tensors(pair(1.0))))
    verb(own, 2)
    verb(own, 2)
    verb(repeated, 2)
    assert recorder.recorded == 4


def test_graphs_that_are_no_longer_used_are_let_go():
    recorder = Recorder()
    verb = Replayed(doubled, recorder)
    for rows in range(1, KEPT + 3):
        verb(pair(1.0, rows), 2)
        verb(pair(1.0, rows), 2)
    assert recorder.recorded == KEPT + 2
    assert len(verb._known) == KEPT
    verb(pair(1.0, 1), 2)
    verb(pair(1.0, 1), 2)
    assert recorder.recorded == KEPT + 3


def test_where_recording_fails_the_plain_verb_goes_on():
    def broken(_work: Callable[[], Any]) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    verb = Replayed(doubled, broken)
    verb(pair(1.0), 2)
    with pytest.warns(UserWarning, match=r"recording failed.*not permitted when stream"):
        assert verb(pair(3.0), 2).stride16.unique().tolist() == [6]
    assert verb(pair(4.0), 2).stride16.unique().tolist() == [8]


def test_an_interrupt_while_recording_is_not_swallowed():
    def out_of_memory(_work: Callable[[], Any]) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    verb = Replayed(doubled, out_of_memory)
    verb(pair(1.0), 2)
    with pytest.raises(torch.OutOfMemoryError):
        verb(pair(1.0), 2)


def test_a_core_over_graphs_answers_as_the_plain_one(model, video):
    """Every row's memories, and answers of earlier frames after later ones were replayed."""
    recorder = Recorder()
    click = RowPrompt().with_points(np.array([[8, 32]]), np.array([1]))
    box = RowPrompt().with_points(np.array([[4, 20], [16, 44]]), np.array([2, 3]))
    seen: dict[str, list[torch.Tensor]] = {}
    with torch.inference_mode():
        for name, verbs in (("plain", model), ("graphs", Graphed(model, recorder))):
            core, banks = Core(verbs, Diverse(iou_threshold=0.0)), (Bank(), Bank())
            found = []
            for k in range(12):
                features = verbs.encode(image_to_model(video[k], 64))
                prompts = (click, box) if k == 0 else (TRACKED, click if k == 9 else TRACKED)
                observed = core.observe(Rows(features, banks, (k, k), prompts))
                banks = core.commit(observed)
                found.append(observed.decoded)
            seen[name] = [t for decoded in found for t in _tensors(decoded)]
            seen[name] += [m.map for bank in banks for m in bank.memories]
    assert len(recorder.replayed) > 12
    for plain, graphs in zip(seen["plain"], seen["graphs"], strict=True):
        assert torch.equal(plain, graphs)
