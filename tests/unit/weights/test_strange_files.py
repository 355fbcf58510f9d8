"""Weights by somebody else: whatever the files hold, a model that runs or one line; and no more
memory than the files are large."""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from sam2s.errors import InputError, WeightsError
from sam2s.model.presets import PRESETS, ModelConfig
from sam2s.model.sam2s import build_model
from sam2s.weights.hf_config import config_from_hf, hf_config
from sam2s.weights.load import load_model, weights_hash
from sam2s.weights.save import save_model
from small import SMALL, small_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(small_model(), tmp_path_factory.mktemp("model"))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.sampled_from([10**9, -(10**400), 10**400, 2**63])
    | st.floats()
    | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=5,
)


def paths(values: dict[str, Any], before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every field of nested tables, tables included."""
    found = []
    for key, value in values.items():
        found.append((*before, key))
        if isinstance(value, dict):
            found += paths(value, (*before, key))
    return found


def changed(values: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    new = copy.deepcopy(values)
    place = new
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return new


OURS = SMALL.to_dict()
THEIRS = json.loads(json.dumps(hf_config(PRESETS["tiny"])))


@settings(deadline=None, max_examples=400)
@given(path=st.sampled_from(paths(OURS)), value=VALUES)
def test_any_value_in_our_config_is_a_model_or_one_line(path: tuple[str, ...], value: Any) -> None:
    try:
        config = ModelConfig.from_dict(changed(OURS, path, value))
        with torch.device("meta"):
            build_model(config)
    except (WeightsError, InputError) as error:
        message = str(error)
        assert len(message) < 600
    else:
        assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@settings(deadline=None, max_examples=400)
@given(path=st.sampled_from(paths(THEIRS)), value=VALUES)
def test_any_value_in_a_config_of_transformers_too(path: tuple[str, ...], value: Any) -> None:
    try:
        config_from_hf(changed(THEIRS, path, value))
    except WeightsError as error:
        message = str(error)
        assert message.startswith("config.json: ")
        assert len(message) < 600


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("decoder_heads", 0, "decoder_heads must be a whole number of at least 1 and at most 256"),
        ("decoder_heads", 3, "half of dim, 16, cannot be split over 3 heads"),
        ("decoder_layers", "x", "decoder_layers must be a whole number"),
        ("decoder_layers", 10**9, "decoder_layers must be a whole number"),
        ("dropout", 1.5, "dropout must be a number of at least 0 and below 1, got 1.5"),
        ("dropout", True, "dropout must be a number"),
        ("iou_head_dim", -1, "iou_head_dim must be"),
        ("trunk_blocks", [1, 1, 1, 10**8], "trunk_blocks[3] must be"),
        ("trunk_windows", [6, 4, 4, 4], "the first window must be 2, 4 or 8"),
        ("memory.long_term", [], "memory.long_term must be a whole number"),
        ("memory.iou_threshold", None, "memory.iou_threshold must be a number"),
        ("memory.recent.maps", 10**9, "memory.recent.maps must be a whole number of at least 1"),
        ("memory.recent_maps", 10**9, "memory.recent.maps must be a whole number of at least 1"),
        ("memory.pointers", float("nan"), "NaN is not a JSON number"),
        ("name", "\x1b[2J", "name must be one line of text without control characters"),
    ],
)
def test_the_field_is_named(
    folder: Path, tmp_path: Path, field: str, value: Any, message: str
) -> None:
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    text = json.dumps(changed(OURS, tuple(field.split(".")), value))
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(WeightsError) as caught:
        load_model(tmp_path)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"dim": 1, "dim": 32}'])
def test_configs_that_are_hardly_json(folder: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=r"config.json: cannot be read as JSON"):
        load_model(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "5", "null", "[1]", "[" * 100_000, '{"x": NaN}'])
def test_a_config_in_the_header_of_safetensors(tmp_path: Path, text: str) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "m.safetensors", {"sam2s_config": text})
    with pytest.raises(WeightsError, match=r"the sam2s_config of m.safetensors's header: "):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}},
        {"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [2**63, 2**63], "data_offsets": [0, 0]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}},
        {"a": {"dtype": "F4", "shape": [8], "data_offsets": [0, 4]}},
        {"a": {"dtype": "NO", "shape": [1], "data_offsets": [0, 4]}},
        {"a": 5},
        [],
    ],
)
def test_headers_of_safetensors_that_lie(tmp_path: Path, header: Any) -> None:
    text = json.dumps(header).encode()
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(WeightsError, match=r"m.safetensors"):
        load_model(tmp_path / "m.safetensors")
    (tmp_path / "m.safetensors").write_bytes(struct.pack("<Q", 2**62) + text)
    with pytest.raises(WeightsError, match="damaged or not safetensors"):
        load_model(tmp_path / "m.safetensors")


@pytest.mark.parametrize(
    "dtype", [torch.int8, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn]
)
def test_numbers_that_are_no_weights(folder: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["no_object_map"] = torch.zeros(16).to(dtype)
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(WeightsError, match=r"1 of another number type \(no_object_map torch"):
        load_model(tmp_path)


def test_numbers_too_large_for_the_model(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["no_object_map"] = torch.full((16,), 1e300, dtype=torch.float64)
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(WeightsError, match=r"1 with NaN or infinity \(no_object_map\)"):
        load_model(tmp_path)


# ---------------------------------------------------------------- files of torch.save


def repacked(
    path: Path, change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_DEFLATED
) -> Path:
    """A small file of Meta's kind, its parts changed and packed."""
    stored = io.BytesIO()
    torch.save({"model": {"sam_mask_decoder.x": torch.zeros(3)}}, stored)
    with zipfile.ZipFile(stored) as old, zipfile.ZipFile(path, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return path


@pytest.mark.parametrize("part", ["data.pkl", "data/0", ".format_version"])
def test_a_file_that_unpacks_to_more_than_it_is(tmp_path: Path, part: str) -> None:
    large = bytes(30_000_000)
    path = repacked(tmp_path / "m.pt", lambda n, c: c + large if n.endswith(part) else c)
    assert path.stat().st_size < 100_000
    with pytest.raises(WeightsError, match=r"m.pt: refused, since its parts would unpack to 30 MB"):
        load_model(path)


def test_parts_that_are_listed_many_times(tmp_path: Path) -> None:
    """One megabyte in the file, a thousand entries in the directory that lead to it."""
    path = repacked(
        tmp_path / "m.pt",
        lambda n, c: bytes(10**6) if n.endswith("data/0") else c,
        zipfile.ZIP_STORED,
    )
    with zipfile.ZipFile(path, "a") as archive:
        entry = next(p for p in archive.infolist() if p.filename.endswith("data/0"))
        for number in range(100):
            again = copy.copy(entry)
            again.filename = f"archive/data/{number + 1}"
            archive.filelist.append(again)
        archive._didModify = True  # type: ignore[attr-defined]
    with pytest.raises(WeightsError, match=r"m.pt: refused, since its parts would unpack to"):
        load_model(path)


def test_a_description_without_end(tmp_path: Path) -> None:
    long = b"]" * (9 * 2**20)  # nine million empty lists
    path = repacked(
        tmp_path / "m.pt",
        lambda n, c: long if n.endswith("data.pkl") else c,
        zipfile.ZIP_STORED,
    )
    with pytest.raises(WeightsError, match="the description of its tensors is larger than 8 MB"):
        load_model(path)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(10**12),
        torch.zeros(1, device="meta").expand(10**12),
        torch.empty(10**6, device="meta"),
        torch.eye(3).to_sparse(),
    ],
)
def test_tensors_that_are_more_than_the_file(tmp_path: Path, tensor: torch.Tensor) -> None:
    torch.save({"model": {"sam_mask_decoder.x": tensor}}, tmp_path / "m.pt")
    for read in (load_model, weights_hash):
        with pytest.raises(
            WeightsError, match=r"m.pt: .*(claim|not a plain tensor|could run code)"
        ):
            read(tmp_path / "m.pt")


def test_the_format_before_torch_1_6(tmp_path: Path) -> None:
    torch.save({"model": {}}, tmp_path / "m.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match=r"m.pt: damaged, or not a file of torch.save"):
        load_model(tmp_path / "m.pt")


def test_archives_of_something_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("x", "y")
    stored = (tmp_path / "a.pt").read_bytes()
    (tmp_path / "b.pt").write_bytes(b"#!/bin/sh\n" + stored)
    for name in ("a.pt", "b.pt"):
        with pytest.raises(WeightsError, match=r"damaged, or not a file of torch.save"):
            load_model(tmp_path / name)


@pytest.mark.parametrize("name", ["a" * 300, "a/" * 3000, "a\0b", "\x1b[2J", "~nobody-here/x"])
def test_names_that_no_model_can_have(name: str) -> None:
    with pytest.raises(WeightsError) as caught:
        load_model(name)
    assert len(str(caught.value)) < 700
