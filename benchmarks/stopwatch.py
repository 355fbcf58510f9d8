"""Seconds of each stage of a tracker's frame, by wrapping what it calls."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from sam2s.model.sam2s import SAM2S

VERBS = ("encode", "recall", "decode", "memorize")
FUNCTIONS = {
    "resize_to_model": "resize",
    "normalise": "upload",
    "upload": "upload",
    "shown": "download",
    "download": "download",
    "frame_result": "download",
}
"""Functions that a tracker calls, and the stage that they belong to."""


@dataclass
class Stopwatch:
    """Seconds of each stage of a frame, without those of the stages inside it."""

    device: torch.device
    frames: list[dict[str, float]] = field(default_factory=list)
    calls: dict[str, Callable[[], Any]] = field(default_factory=dict)
    _inside: list[float] = field(default_factory=list)

    def new_frame(self) -> None:
        """What follows belongs to another frame."""
        self.frames.append(defaultdict(float))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what is done inside."""
        wait_for(self.device)
        begun = time.perf_counter()
        self._inside.append(0.0)
        yield
        wait_for(self.device)
        took = time.perf_counter() - begun
        self.frames[-1][name] += took - self._inside.pop()
        if self._inside:
            self._inside[-1] += took

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` as a stage; its last call can be repeated."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] = lambda: function(*args, **kwargs)
            with self.stage(name):
                return function(*args, **kwargs)

        return call

    def median_ms(self) -> dict[str, float]:
        """The median over frames of each stage."""
        names = dict.fromkeys(name for frame in self.frames for name in frame)
        return {n: 1e3 * median(frame.get(n, 0.0) for frame in self.frames) for n in names}


def wait_for(device: torch.device) -> None:
    """Until it has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


@contextmanager
def watched(watch: Stopwatch) -> Iterator[None]:
    """Every call of a verb, and of what surrounds them, is timed."""
    with ExitStack() as stack:
        for verb in VERBS:
            stack.enter_context(
                patch.object(SAM2S, verb, _method(watch, verb, getattr(SAM2S, verb)))
            )
        for name, module in list(sys.modules.items()):
            if not name.startswith("sam2s.tracking"):
                continue
            for function, stage in FUNCTIONS.items():
                if callable(found := vars(module).get(function)):
                    stack.enter_context(patch.object(module, function, watch.timed(stage, found)))
        yield


def _method(watch: Stopwatch, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: SAM2S, *args: Any, **kwargs: Any) -> Any:
        return watch.timed(name, lambda *a, **k: function(self, *a, **k))(*args, **kwargs)

    return call
