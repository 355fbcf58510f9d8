"""Models by hub id, without a network: a fake cache, and every way the hub can say no."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub.errors as hub_errors
import pytest
from huggingface_hub import constants

from sam2s.errors import WeightsError
from sam2s.weights import hub

NAME = "someone/model"


@pytest.mark.parametrize("name", ["facebook/sam2.1-hiera-tiny", "a/b", "Org_1/Model.v2-x"])
def test_hub_ids(name: str):
    assert hub.is_repo_id(name)


@pytest.mark.parametrize(
    "name", ["nano", "a/b/c", "/a/b", "./a/b", "a/", "/b", "", "a b/c", "../b"]
)
def test_no_hub_ids(name: str):
    assert not hub.is_repo_id(name)


def test_a_cached_model_needs_no_network(fill_cache: Callable[[dict[str, bytes]], Path]):
    snapshot = fill_cache({"config.json": b"{}", "model.safetensors": b"x"})
    assert hub.fetch(NAME) == snapshot


def test_offline_without_a_copy(fill_cache: Callable[[dict[str, bytes]], Path]):
    with pytest.raises(
        WeightsError, match=r"config.json is not in the local cache and HF_HUB_OFFLINE is set"
    ):
        hub.fetch(NAME)


def test_offline_with_half_a_copy(fill_cache: Callable[[dict[str, bytes]], Path]):
    fill_cache({"config.json": b"{}"})
    with pytest.raises(WeightsError, match=r"model.safetensors is not in the local cache"):
        hub.fetch(NAME)


def _response() -> Any:
    """As much of an HTTP response as the hub's errors look at; its library differs between
    versions."""
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
def test_what_the_hub_answers_becomes_one_line(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
):
    def refuse(repo_id: str, name: str) -> str:
        raise error

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(WeightsError, match=words) as caught:
        hub.fetch(NAME)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error
