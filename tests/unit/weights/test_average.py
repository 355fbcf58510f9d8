"""scripts/average_models.py: the mean lies between two models, and unlike models have none."""

from __future__ import annotations

import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sam2s.errors import InputError
from sam2s.weights.load import load_model
from sam2s.weights.save import save_model
from small import SMALL, small_model

SCRIPT = Path(__file__).parents[3] / "scripts" / "average_models.py"


def average(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_the_mean_of_two_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (small_model(seed) for seed in (1, 2))
    folders = [
        str(save_model(model, tmp_path / name)) for model, name in ((one, "a"), (other, "b"))
    ]
    average(monkeypatch, *folders, str(tmp_path / "mean"), "--share", "0.25")
    mean = load_model(tmp_path / "mean", device="cpu")
    assert mean.config == one.config
    for (name, mixed), a, b in zip(
        mean.state_dict().items(),
        one.state_dict().values(),
        other.state_dict().values(),
        strict=True,
    ):
        torch.testing.assert_close(mixed, 0.75 * a + 0.25 * b, msg=name)


def test_unlike_models_have_no_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wider = replace(SMALL, memory_mlp_dim=2 * SMALL.memory_mlp_dim)
    folders = [
        str(save_model(m, tmp_path / n))
        for m, n in ((small_model(), "a"), (small_model(config=wider), "b"))
    ]
    with pytest.raises(InputError, match="b: has another architecture than"):
        average(monkeypatch, *folders, str(tmp_path / "mean"))
    assert not (tmp_path / "mean").exists()
