"""Models by hub id, without a network: a fake cache, and every way the hub can say no."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub.errors as hub_errors
import pytest
from huggingface_hub import constants

from sam2s.errors import WeightsError
from sam2s.weights import hub

REVISION = "0123456789abcdef0123456789abcdef01234567"
NAME = "someone/model"


def fill_cache(cache: Path, files: dict[str, bytes], repo_id: str = NAME) -> Path:
    """A hub cache as ``huggingface_hub`` lays it out; gives the snapshot's folder."""
    root = cache / f"models--{repo_id.replace('/', '--')}"
    snapshot = root / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(REVISION)
    for name, content in files.items():
        (snapshot / name).write_bytes(content)
    return snapshot


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["facebook/sam2.1-hiera-tiny", "a/b", "Org_1/Model.v2-x"])
def test_hub_ids(name: str):
    assert hub.is_repo_id(name)


@pytest.mark.parametrize("name", ["nano", "a/b/c", "/a/b", "./a/b", "a/", "/b", "", "a b/c", "../b"])
def test_no_hub_ids(name: str):
    assert not hub.is_repo_id(name)


def test_a_cached_model_needs_no_network(cache: Path):
    snapshot = fill_cache(cache, {"config.json": b"{}", "model.safetensors": b"x"})
    assert hub.fetch(NAME) == snapshot


def test_offline_without_a_copy(cache: Path):
    with pytest.raises(WeightsError, match=r"config.json is not in the local cache and HF_HUB_OFFLINE is set"):
        hub.fetch(NAME)


def test_offline_with_half_a_copy(cache: Path):
    fill_cache(cache, {"config.json": b"{}"})
    with pytest.raises(WeightsError, match=r"model.safetensors is not in the local cache"):
        hub.fetch(NAME)


def _response() -> Any:
    """As much of an HTTP response as the hub's errors look at; its library differs between versions."""
    return SimpleNamespace(headers={}, request=None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (hub_errors.LocalEntryNotFoundError("no"), "cannot be reached; check the network"),
        (hub_errors.RepositoryNotFoundError("no", response=_response()), "no such public model"),
        (hub_errors.GatedRepoError("no", response=_response()), "accept the terms"),
        (hub_errors.RemoteEntryNotFoundError("no", response=_response()), "if it holds a .pt file"),
        (OSError("name does\nnot resolve"), r"\(name does not resolve\); check the network"),
        (TimeoutError(), r"\(TimeoutError\); check the network"),
    ],
)
def test_what_the_hub_answers_becomes_one_line(error: Exception, words: str, monkeypatch: pytest.MonkeyPatch):
    def refuse(repo_id: str, name: str) -> str:
        raise error

    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(WeightsError, match=words) as caught:
        hub.fetch(NAME)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error
