"""The image encoder through torch's compiler: asked for, the same masks, and one line where it
cannot be."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch

from sam2s.errors import InputError
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, Points
from small import small_model
from tiny import moving_square

CLICK = {1: Points(np.array([[20.0, 20.0]]), np.array([1]))}


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what was compiled, by tracing alone: turning it into machine code takes a minute."""
    names, plainly = list[str](), torch.compile

    def by_tracing(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        names.append(function.__qualname__)
        traced: Callable[..., Any] = plainly(function, backend="eager", **options)
        return traced

    monkeypatch.setattr(torch, "compile", by_tracing)
    return names


def test_the_encoder_alone_is_compiled_and_masks_stay(compiled: list[str]) -> None:
    model, frames = small_model(), moving_square(3)
    plain = Tracker(model)
    assert compiled == []
    other = deepcopy(Tracker(model, compiled=True))  # a copy compiles for itself
    assert compiled == ["SAM2S.encode"] * 2
    for k, (here, frame) in enumerate(zip(other.ahead(_numbered(frames)), frames, strict=True)):
        given = CLICK if k == 0 else None
        wanted, found = plain.step(frame, given), other.step(here, given)
        expected = wanted.logits.tensor(1)
        assert (found.logits.tensor(1) - expected).abs().max() <= 1e-4 * expected.abs().max()


def _numbered(frames: list[np.ndarray]) -> Any:
    return (Frame(k, None, frame) for k, frame in enumerate(frames))


def test_what_cannot_be_compiled_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.exc import TorchDynamoException

    def broken(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
        def called(image: torch.Tensor) -> Any:
            raise TorchDynamoException("\nInvalidCxxCompiler: no working C++ compiler\nmore")

        return called

    monkeypatch.setattr(torch, "compile", broken)
    tracker = Tracker(small_model(), compiled=True)
    with pytest.raises(InputError, match=r"could not \(InvalidCxxCompiler.*leave --compile out$"):
        tracker.step(moving_square(1)[0], CLICK)
    assert tracker.objects == ()
