"""A hub cache on disk, as ``huggingface_hub`` lays it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from huggingface_hub import constants

REVISION = "0123456789abcdef0123456789abcdef01234567"
FillCache = Callable[[Mapping[str, bytes]], Path]


@pytest.fixture
def fill_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FillCache:
    """Puts files of the model someone/model into an otherwise empty cache; gives the folder they
    will be found in."""
    cache = tmp_path / "hub-cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))

    def fill(files: Mapping[str, bytes]) -> Path:
        root = cache / "models--someone--model"
        snapshot = root / "snapshots" / REVISION
        snapshot.mkdir(parents=True)
        (root / "refs").mkdir()
        (root / "refs" / "main").write_text(REVISION)
        for name, content in files.items():
            (snapshot / name).write_bytes(content)
        return snapshot

    return fill
