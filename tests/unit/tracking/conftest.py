"""Fixtures of the tracking tests."""

from __future__ import annotations

import numpy as np
import pytest

from sam2s.model.sam2s import SAM2S
from tiny import build_tiny, moving_square


@pytest.fixture(scope="session")
def model() -> SAM2S:
    return build_tiny()


@pytest.fixture(scope="session")
def video() -> list[np.ndarray]:
    return moving_square(12)
