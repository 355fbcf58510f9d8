"""Feeds and trackers for tests of the live loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter, sleep
from typing import Any

import numpy as np

from sam2s.errors import InputError
from sam2s.live.feed import LiveFeed
from sam2s.media.frames import open_frames
from sam2s.media.latest import LatestFrames
from sam2s.types import Frame, FrameResult

SIZE = (24, 32)
TISSUE, ROOM = (180, 60, 50), (90, 110, 130)


def picture(colour: tuple[int, int, int] = TISSUE, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((*size, 3), colour, np.uint8)


def frames(
    count: int,
    step: float = 0.0,
    colour: Callable[[int], tuple[int, int, int]] = lambda _: TISSUE,
    size: tuple[int, int] = SIZE,
) -> Iterator[Frame]:
    """Pictures that arrive every ``step`` seconds."""
    for index in range(count):
        yield Frame(index, index / 25, picture(colour(index), size), perf_counter())
        sleep(step)


def latest(each: Iterator[Frame]) -> LatestFrames:
    opened = open_frames(each, latest=True)
    assert isinstance(opened, LatestFrames)
    opened.name = "camera"
    return opened


class EveryFrame:
    """A feed that drops nothing, so that counts do not depend on how busy the machine is."""

    dropped = reconnected = 0

    def __init__(self, each: Iterator[Frame]) -> None:
        self.frames = lambda: each

    def close(self) -> None:
        pass


def feed(each: Iterator[Frame]) -> LiveFeed:
    return LiveFeed(lambda: latest(each), 0.0, lambda _: None)


class FakeTracker:
    """Every object is in view everywhere; a click left of 0 is refused."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.objects: tuple[int, ...] = ()
        self.indices: list[int] = []
        self.seconds = seconds

    def step(self, frame: Frame, prompts: Mapping[int, Any] | None = None) -> FrameResult:
        for given in (prompts or {}).values():
            for prompt in given:
                if prompt.xy.min() < 0:
                    raise InputError("a click lies outside the picture")
        sleep(self.seconds)
        self.objects = tuple(sorted({*self.objects, *(prompts or {})}))
        self.indices.append(frame.index)
        masks = {i: np.ones(frame.size, bool) for i in self.objects}
        one = dict.fromkeys(self.objects, 1.0)
        assert frame.arrived is not None
        spent = perf_counter() - frame.arrived
        return FrameResult(frame.index, frame.time, masks, one, one, latency=spent)

    def remove(self, object_id: int) -> None:
        self.objects = tuple(i for i in self.objects if i != object_id)
