"""The demo's user: clicks again while the tracker is unsure, where the mask is wrong, and not for
ever."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from sam2s.commands.demo import CLICKS, SURE, _click
from sam2s.tracking.tracker import Tracker

MASK = np.zeros((40, 60), bool)
MASK[10:30, 10:50] = True
LEFT = MASK.copy()
LEFT[:, 30:] = False


class Hesitant:
    """Sees the left half only, and says it is sure after ``sure_after`` clicks."""

    def __init__(self, sure_after: int) -> None:
        self.sure_after = sure_after

    def preview(self, image: np.ndarray, prompts: dict[int, Any]) -> Any:
        score = SURE if len(prompts[1].labels) >= self.sure_after else SURE - 0.1
        return SimpleNamespace(scores={1: score}, masks={1: LEFT})


@pytest.mark.parametrize(("sure_after", "given"), [(1, 1), (2, 2), (9, CLICKS)])
def test_a_user_clicks_until_the_tracker_is_sure(sure_after: int, given: int) -> None:
    clicks = _click(cast(Tracker, Hesitant(sure_after)), np.zeros((40, 60, 3), np.uint8), MASK)
    assert len(clicks) == given
    assert all(click.positive for click in clicks)
    assert all(click.x > 30 for click in clicks[1:])
