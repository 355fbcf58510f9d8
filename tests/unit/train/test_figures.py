"""A step's numbers, read late; and batches that are on the card before they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, cast

import pytest
import torch

from sam2s.train import examples
from sam2s.train.figures import NAMES, TOTAL, Diverged, Figures, read


def figures(step: int, passes: int = 2, norm: float = 1.0) -> Figures:
    values = torch.arange(passes * len(NAMES)).float().view(passes, -1) + 100 * step
    clips = tuple(f"clip {step}.{k}" for k in range(passes))
    return Figures(step, values, clips, rows=7, lr=0.5, norm=torch.tensor(norm))


def test_passes_are_added_up_and_steps_kept_apart() -> None:
    first, second = read([figures(0), figures(1, passes=1, norm=3.0)])
    assert first["total"] == 2 * TOTAL + len(NAMES)
    assert second["total"] == 100 + TOTAL
    assert (first["norm"], second["norm"]) == (1.0, 3.0)
    assert (first["lr"], first["rows"]) == (0.5, 7.0)
    assert read([]) == []


def test_a_number_that_is_none_names_the_first_step_and_pass_at_fault() -> None:
    bad = figures(4)
    bad.passes[1, TOTAL] = float("inf")
    with pytest.raises(Diverged, match=r"^step 5: the loss is inf, with the clips clip 4\.1;"):
        read([figures(3), bad, figures(5, norm=float("nan"))])
    with pytest.raises(
        Diverged, match=r"^step 6: the gradient is nan, with the clips clip 5\.0; clip 5\.1;"
    ):
        read([figures(3), figures(5, norm=float("nan"))])


class _Stream:
    """Stands in for a stream of a card, and writes down what is done on it."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def record_event(self) -> str:
        self.log.append("uploaded")
        return "event"

    def wait_event(self, event: str) -> None:
        self.log.append(f"wait for {event}")


class _Batch:
    def __init__(self, name: str) -> None:
        self.name = name

    def to(self, device: torch.device) -> _Batch:
        return _Batch(f"{self.name} on {device}")

    def tensors(self) -> dict[str, Any]:
        return {}


def test_the_next_batch_is_uploaded_before_a_step_gets_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log: list[str] = []
    stream = _Stream(log)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda side: nullcontext())

    def loader() -> Iterator[list[_Batch]]:
        for k in range(3):
            log.append(f"load {k}")
            yield [_Batch(str(k))]

    seen = []
    for (batch,) in examples._one_ahead(cast(Any, loader()), torch.device("cuda")):
        log.append(f"step {batch.name}")
        seen.append(cast(_Batch, batch).name)
    assert seen == ["0 on cuda", "1 on cuda", "2 on cuda"]
    both = ["load 0", "uploaded", "load 1", "uploaded", "wait for event", "step 0 on cuda"]
    assert log[:6] == both
    assert log.count("wait for event") == 3
