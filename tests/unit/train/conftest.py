"""Small material for training tests: a masklet folder of sliding squares, and a model of a few
thousand weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from accelerate.state import AcceleratorState

from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.model.presets import PRESETS
from sam2s.train.config import TrainConfig
from sam2s.train.run import run_training
from sam2s.train.trainer import Due, Trainer
from small import SMALL

SIDE = 64
SMALL_PRESET = "small for tests"
BreakOff = Callable[[TrainConfig, Path, int], None]


class _BrokenOff(Exception):
    """What a run is broken off by."""


@pytest.fixture
def break_off(monkeypatch: pytest.MonkeyPatch) -> BreakOff:
    """Starts a run in a folder and breaks it off once so many steps are done and saved."""
    whole = Trainer._after

    def broken(config: TrainConfig, out: Path, steps: int) -> None:
        def stop(self: Trainer, done: int, due: Due) -> None:
            whole(self, done, due)
            if done == steps:
                raise _BrokenOff

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_after", stop)
            with pytest.raises(_BrokenOff):
                run_training(config, out)

    return broken


def square_scene(frames: int, seed: int) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Two bright squares sliding over a dark noisy ground; the second is out of view in the second
    half."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (frames, SIDE, SIDE, 3)).astype(np.uint8)
    masks = {1: np.zeros((frames, SIDE, SIDE), bool), 2: np.zeros((frames, SIDE, SIDE), bool)}
    starts = {1: rng.integers(4, 20, 2), 2: rng.integers(36, 44, 2)}
    for t in range(frames):
        for object_id, (top, left) in starts.items():
            if object_id == 2 and t >= frames // 2:
                continue
            place = (slice(top, top + 16), slice(left + t, left + t + 14))
            masks[object_id][t][place] = True
            images[t][place] = (220, 80, 60) if object_id == 1 else (60, 200, 220)
    return images, masks


@pytest.fixture(autouse=True)
def fresh_accelerate() -> Iterator[None]:
    """accelerate keeps one state a process; runs of different precision must not share it."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(autouse=True, scope="session")
def small_preset() -> Iterator[None]:
    """The small model under a name, so that runs from scratch need not train nano."""
    PRESETS[SMALL_PRESET] = SMALL
    yield
    del PRESETS[SMALL_PRESET]


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A masklet folder of four such videos of ten frames."""
    root = tmp_path_factory.mktemp("squares")
    objects = {1: ObjectInfo("grasper", "instrument"), 2: ObjectInfo("polyp", "tissue")}
    with MaskletWriter(root) as writer:
        for number in range(4):
            name = f"squares{number}"
            writer.add_video(name, VideoInfo("synthetic", "test", "train", 25.0, objects))
            images, masks = square_scene(10, number)
            for t in range(10):
                writer.write(name, f"{t:05d}", images[t], {i: m[t] for i, m in masks.items()})
    return root
