"""On processors where oneDNN's products are the quicker ones, a tracker uses them."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from sam2s.model.by_onednn import by_onednn
from sam2s.nn import onednn
from sam2s.nn.onednn import OneDnnLinear
from sam2s.tracking import tracker as tracker_module
from sam2s.tracking.tracker import Tracker
from sam2s.types import Points
from sam2s.weights.load import load_model
from small import small_model
from tiny import moving_square

pytestmark = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, "_linear_pointwise"), reason="this torch has no oneDNN"
)


def test_a_copy_has_every_layer_by_onednn_and_shares_all_parameters() -> None:
    model = small_model()
    copy = by_onednn(model)
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    assert sum(isinstance(m, OneDnnLinear) for m in copy.modules()) == len(linear)
    assert not any(isinstance(m, nn.Linear) for m in copy.modules())
    mine, theirs = dict(model.named_parameters()), dict(copy.named_parameters())
    assert mine.keys() == theirs.keys()
    assert all(theirs[name] is parameter for name, parameter in mine.items())


def test_masks_are_the_same_up_to_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model("nano")
    frames = moving_square(4)
    click = {1: Points(np.array([[20.0, 20.0]]), np.array([1]))}
    found = []
    for quicker in (False, True):
        for module in (onednn, tracker_module):
            monkeypatch.setattr(module, "has_quicker_products", lambda given=quicker: given)
        tracker = Tracker(model, precision="fp32")
        assert quicker == any(isinstance(m, OneDnnLinear) for m in tracker.core.model.modules())
        results = [tracker.step(f, click if k == 0 else None) for k, f in enumerate(frames)]
        found.append([result.logits.tensor(1) for result in results])
        restored = deepcopy(tracker)
        assert restored.objects == (1,)
    for plain, other in zip(*found, strict=True):
        assert (plain - other).abs().max() <= 1e-4 * plain.abs().max()
