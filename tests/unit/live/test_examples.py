"""The examples do what they say, as far as that can be run here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from fakes import frames

import sam2s
from sam2s.export.video_file import write_video
from small import small_model

EXAMPLES = Path(__file__).parents[3] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_opencv_loop_tracks_what_is_clicked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = example("opencv_loop")
    video = tmp_path / "op.mp4"
    write_video(video, [frame.image for frame in frames(6, size=(48, 64))])
    callbacks, shown = [], []

    def show(_title: str, picture: np.ndarray) -> None:
        shown.append(picture)
        if len(shown) == 2:
            callbacks[0](module.cv2.EVENT_LBUTTONDOWN, 20, 20, 0, None)

    trackers = []

    class Kept(sam2s.Tracker):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            trackers.append(self)

    torch.manual_seed(0)
    monkeypatch.setattr(module.sam2s, "Tracker", Kept)
    monkeypatch.setattr(module.sam2s, "load_model", lambda _: small_model())
    monkeypatch.setattr(module.cv2, "namedWindow", lambda _: None)
    monkeypatch.setattr(module.cv2, "setMouseCallback", lambda _, call: callbacks.append(call))
    monkeypatch.setattr(module.cv2, "imshow", show)
    monkeypatch.setattr(module.cv2, "waitKey", lambda _: ord("q") if len(shown) == 5 else -1)
    module.main(str(video))
    assert len(shown) == 5, "q ends it"
    assert trackers[0].objects == (1,)
