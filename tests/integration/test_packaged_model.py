"""The model that ships: there, small, and loadable without a network."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from sam2s.tracking.tracker import Tracker
from sam2s.types import Points
from sam2s.weights import load
from sam2s.weights.load import PACKAGED, load_model
from sam2s.weights.save import save_model
from small import small_model

LARGEST = 16_000_000
"""Bytes that a packaged model may take."""


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_model_is_there_and_small(name: str):
    folder = resources.files("sam2s.weights") / name
    assert {"model.safetensors", "config.json"} <= {entry.name for entry in folder.iterdir()}
    assert len((folder / "model.safetensors").read_bytes()) <= LARGEST


@pytest.mark.parametrize("name", PACKAGED)
def test_every_packaged_model_tracks(name: str):
    model = load_model(name, device="cpu")
    assert model.config.name == name
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    tracker = Tracker(model)
    picture = np.random.default_rng(0).integers(0, 255, (96, 128, 3), dtype=np.uint8)
    tracker.step(picture, {1: Points([[60, 50]], [1])})
    result = tracker.step(picture)
    assert result.masks[1].shape == (96, 128)
    assert 0 <= result.scores[1] <= result.presence[1] <= 1


def test_a_packaged_model_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_model(small_model(), tmp_path / "pocket", dtype=torch.float16)
    monkeypatch.setattr(load, "PACKAGED", ("pocket",))
    monkeypatch.setattr(load.resources, "files", lambda package: tmp_path)
    assert load_model("pocket", device="cpu").image_size == 64
