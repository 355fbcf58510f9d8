"""Fixtures of the benchmark's tests."""

from pathlib import Path

import pytest
from colours import ColourTracker, write_folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("benchmark") / "data")


@pytest.fixture
def tracker() -> ColourTracker:
    return ColourTracker()
