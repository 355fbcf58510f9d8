"""Loading and saving models: every format, and everything that can be wrong with a file."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sam2s.errors import InputError, WeightsError
from sam2s.model.presets import PRESETS, ModelConfig
from sam2s.model.sam2s import SAM2S
from sam2s.weights import load
from sam2s.weights.hf_config import hf_config
from sam2s.weights.keymap import hf_to_ours, ours_to_meta
from sam2s.weights.load import load_model, pick_device, weights_hash
from sam2s.weights.save import save_model
from small import SMALL, small_model

FillCache = Callable[[dict[str, bytes]], Path]


@pytest.fixture
def model() -> SAM2S:
    return small_model()


@pytest.fixture
def folder(model: SAM2S, tmp_path: Path) -> Path:
    return save_model(model, tmp_path / "model")


def same_weights(a: SAM2S, b: SAM2S) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left
    )


def edit_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    """Replace, add or (None) drop tensors of a saved model; a double underscore stands for a
    dot."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name, tensor in changes.items():
        if tensor is None:
            del tensors[name.replace("__", ".")]
        else:
            tensors[name.replace("__", ".")] = tensor
    save_file(tensors, path)


# ---------------------------------------------------------------- round trip


def test_a_saved_model_comes_back(model: SAM2S, folder: Path):
    loaded = load_model(folder, device="cpu")
    assert loaded.config == model.config
    assert loaded.image_size == 64
    assert not loaded.training
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    assert same_weights(model, loaded)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_the_weights_file_alone_is_the_whole_model(model: SAM2S, folder: Path, tmp_path: Path):
    alone = tmp_path / "alone.safetensors"
    (folder / "model.safetensors").rename(alone)
    loaded = load_model(str(alone), device="cpu")
    assert loaded.config == model.config
    assert same_weights(model, loaded)


def test_saving_again_replaces_both_files(folder: Path):
    other = small_model(seed=1)
    save_model(other, folder)
    assert same_weights(load_model(folder, device="cpu"), other)


def test_half_precision_is_for_storage_only(model: SAM2S, folder: Path, tmp_path: Path):
    half = save_model(model, tmp_path / "half", dtype=torch.float16)
    assert (half / "model.safetensors").stat().st_size < 0.6 * (
        folder / "model.safetensors"
    ).stat().st_size
    loaded = load_model(half, device="cpu")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)


def test_loading_leaves_the_callers_randomness_alone(folder: Path):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_model(folder, device="cpu")
    assert torch.equal(torch.rand(1), expected)


def test_a_value_too_large_for_half_is_not_saved(model: SAM2S, tmp_path: Path):
    with torch.no_grad():
        model.no_object_map[0] = 1e6
    with pytest.raises(
        WeightsError, match=r"no_object_map: .* too large for torch.float16; nothing was saved"
    ):
        save_model(model, tmp_path / "m", dtype=torch.float16)
    assert not (tmp_path / "m").exists()


def test_a_failing_save_leaves_the_earlier_model(
    model: SAM2S, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    def full_disk(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sam2s.weights.save.save_file", full_disk)
    with pytest.raises(InputError, match="No space left on device"):
        save_model(small_model(seed=1), folder)
    assert same_weights(load_model(folder, device="cpu"), model)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_saving_onto_a_file(model: SAM2S, tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot save the model there"):
        save_model(model, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


# ---------------------------------------------------------------- sizes and devices


def test_a_loaded_model_computes_what_the_saved_one_did(model: SAM2S, folder: Path):
    picture = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(
            load_model(folder, device="cpu").encode(picture).stride16,
            model.encode(picture).stride16,
        )


def test_another_image_size(folder: Path):
    assert load_model(folder, device="cpu", image_size=96).image_size == 96


@pytest.mark.parametrize("size", [0, -32, 100, 33])
def test_an_image_size_that_cannot_be(folder: Path, size: int):
    with pytest.raises(InputError, match=f"image size.*{size}.*multiple of 32"):
        load_model(folder, device="cpu", image_size=size)


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "cpu:x"])
def test_a_device_that_cannot_be(folder: Path, device: str):
    with pytest.raises(InputError, match=f"device {device}: not usable here"):
        load_model(folder, device=device)


# ---------------------------------------------------------------- hashes


def test_the_hash_names_the_weights_and_not_their_storage(model: SAM2S, folder: Path):
    assert weights_hash(model) == weights_hash(folder) == weights_hash(folder / "model.safetensors")
    assert len(weights_hash(model)) == 64


def test_the_hash_sees_every_value(model: SAM2S):
    before = weights_hash(model)
    with torch.no_grad():
        model.no_object_map[-1] += 1e-6
    assert weights_hash(model) != before


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["nanoo", "base_plus", "", "a/b/c"])
def test_an_unknown_name_lists_the_known_ones(name: str):
    with pytest.raises(WeightsError, match=r"unknown model; use nano, facebook/sam2.1-hiera-tiny"):
        load_model(name)


@pytest.mark.parametrize(
    "name", ["./none", "none.pt", "some/none.safetensors", "~/none-at-all", "/none/at/all"]
)
def test_a_path_that_is_not_there(name: str):
    with pytest.raises(WeightsError, match="no such file or folder"):
        load_model(name)


def test_a_hub_id_that_is_not_cached():
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        load_model("nobody/nothing-of-this-name")


def test_a_package_without_weights_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load, "PACKAGED", ("never_shipped",))
    with pytest.raises(WeightsError, match="packaged without its weights"):
        load_model("never_shipped")


def test_a_file_of_another_kind(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(WeightsError, match="not a weights file"):
        load_model(tmp_path / "model.onnx")


# ---------------------------------------------------------------- tensors that do not fit


def test_missing_tensors_are_listed(folder: Path):
    edit_tensors(folder, no_object_map=None, no_object_pointer=None)
    with pytest.raises(WeightsError, match=r"2 missing \(no_object_map, no_object_pointer\)"):
        load_model(folder)


def test_unexpected_tensors_are_listed(folder: Path):
    edit_tensors(folder, extra__weight=torch.zeros(2))
    with pytest.raises(WeightsError, match=r"1 unexpected \(extra.weight\)"):
        load_model(folder)


def test_misshapen_tensors_are_listed(folder: Path):
    edit_tensors(folder, no_object_map=torch.zeros(17))
    with pytest.raises(
        WeightsError, match=r"1 of another shape \(no_object_map \[17\], expected \[16\]\)"
    ):
        load_model(folder)


def test_tensors_with_nan_are_listed(folder: Path):
    edit_tensors(folder, no_object_map=torch.full((16,), float("nan")))
    with pytest.raises(WeightsError, match=r"1 with NaN or infinity \(no_object_map\)"):
        load_model(folder)


def test_many_tensors_are_counted(folder: Path):
    edit_tensors(folder, **{f"extra{k:02d}": torch.zeros(1) for k in range(25)})
    with pytest.raises(
        WeightsError, match=r"25 unexpected \(extra00, .*extra09 and 15 more\)"
    ) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- damaged and foreign files


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_an_incomplete_folder(folder: Path, missing: str):
    (folder / missing).unlink()
    with pytest.raises(WeightsError, match=f"has no {missing}"):
        load_model(folder)


@pytest.mark.parametrize("content", ["{", "", "[1, 2]", '"text"', "\udcff"])
def test_a_config_that_is_no_json_object(folder: Path, content: str):
    (folder / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(WeightsError, match=r"config.json"):
        load_model(folder)


def test_a_config_of_a_newer_version(folder: Path):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "later": 1}))
    with pytest.raises(WeightsError, match=r"unknown entries later"):
        load_model(folder)


@pytest.mark.parametrize("keep", [0, 4, 100, 2000])
def test_a_truncated_safetensors_file(folder: Path, keep: int):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(WeightsError, match="damaged or not safetensors"):
        load_model(folder)


def test_a_safetensors_file_without_config(folder: Path, tmp_path: Path):
    save_file(load_file(folder / "model.safetensors"), tmp_path / "bare.safetensors")
    with pytest.raises(WeightsError, match="carry no config"):
        load_model(tmp_path / "bare.safetensors")


def test_a_safetensors_file_beside_its_config(model: SAM2S, folder: Path):
    edit_tensors(folder)  # rewritten without the config in its header
    assert same_weights(load_model(folder / "model.safetensors", device="cpu"), model)


# ---------------------------------------------------------------- Meta's .pt


@pytest.fixture
def small_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """ "tiny" as a small model of SAM 2.1's kind, so that a checkpoint of Meta's takes a moment to
    make."""
    tiny = {**SMALL.to_dict(), "name": "tiny", "long_term_embedding": False, "memory": {}}
    monkeypatch.setitem(PRESETS, "tiny", ModelConfig.from_dict(tiny))


@pytest.fixture
def meta_model(small_presets: None) -> SAM2S:
    return small_model(config=PRESETS["tiny"])


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
def test_a_checkpoint_of_metas(meta_model: SAM2S, tmp_path: Path, suffix: str):
    path = tmp_path / f"sam2.1_hiera{suffix}"
    torch.save({"model": ours_to_meta(meta_model.state_dict())}, path)
    loaded = load_model(path, device="cpu")
    assert loaded.config == PRESETS["tiny"]
    assert same_weights(loaded, meta_model)


def test_a_checkpoint_of_metas_without_its_wrapper(meta_model: SAM2S, tmp_path: Path):
    torch.save(ours_to_meta(meta_model.state_dict()), tmp_path / "m.pt")
    assert same_weights(load_model(tmp_path / "m.pt", device="cpu"), meta_model)


def test_a_checkpoint_of_metas_as_safetensors(meta_model: SAM2S, tmp_path: Path):
    tensors = {
        name: tensor.contiguous() for name, tensor in ours_to_meta(meta_model.state_dict()).items()
    }
    save_file(tensors, tmp_path / "m.safetensors")
    assert same_weights(load_model(tmp_path / "m.safetensors", device="cpu"), meta_model)


def test_a_checkpoint_of_sam_2_0_is_told_from_one_that_lost_a_tensor(
    meta_model: SAM2S, tmp_path: Path
):
    tensors = ours_to_meta(meta_model.state_dict())
    del tensors["no_obj_embed_spatial"]
    torch.save({"model": tensors}, tmp_path / "lost.pt")
    with pytest.raises(WeightsError, match=r"lost.pt.*1 missing \(no_object_map\)"):
        load_model(tmp_path / "lost.pt")
    first = {k: v for k, v in tensors.items() if not k.startswith("obj_ptr_tpos_proj")}
    torch.save({"model": first}, tmp_path / "sam2_hiera.pt")
    with pytest.raises(WeightsError, match=r"sam2_hiera.pt: is SAM 2\.0, not 2\.1"):
        load_model(tmp_path / "sam2_hiera.pt")


def test_a_trunk_of_no_known_size(meta_model: SAM2S, tmp_path: Path):
    tensors = ours_to_meta(meta_model.state_dict())
    tensors["image_encoder.trunk.patch_embed.proj.weight"] = torch.zeros(7, 3, 7, 7)
    torch.save({"model": tensors}, tmp_path / "odd.pt")
    with pytest.raises(WeightsError, match=r"odd.pt: .*width 7"):
        load_model(tmp_path / "odd.pt")


# ---------------------------------------- transformers' format and the hub's cache


@pytest.fixture(scope="module")
def hf_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder written by transformers itself."""
    from transformers import Sam2VideoConfig, Sam2VideoModel

    torch.manual_seed(0)
    wide = {
        "dim": 64,
        "memory_dim": 64,
    }  # transformers has memories of 64 channels, whatever its config says
    config = ModelConfig.from_dict(
        {**SMALL.to_dict(), **wide, "long_term_embedding": False, "memory": {}}
    )
    folder = tmp_path_factory.mktemp("hf")
    model = Sam2VideoModel(Sam2VideoConfig(**hf_config(config)))
    with (
        torch.no_grad()
    ):  # freshly made, the two copies of the position code differ; in published weights they do not
        code = model.prompt_encoder.shared_embedding.positional_embedding
        model.shared_image_embedding.positional_embedding.copy_(code)
    model.save_pretrained(folder)
    return folder


def test_a_folder_of_transformers(hf_folder: Path):
    loaded = load_model(hf_folder, device="cpu")
    assert loaded.config.memory.rule == "recent"
    assert loaded.image_size == 64
    theirs = hf_to_ours(load_file(hf_folder / "model.safetensors"))
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in loaded.state_dict().items())


def test_a_hub_id_from_the_cache(hf_folder: Path, fill_cache: FillCache):
    fill_cache(
        {name: (hf_folder / name).read_bytes() for name in ("config.json", "model.safetensors")}
    )
    assert weights_hash("someone/model") == weights_hash(hf_folder)
    assert load_model("someone/model", device="cpu", image_size=96).image_size == 96


def test_our_own_format_from_the_hub(folder: Path, model: SAM2S, fill_cache: FillCache):
    fill_cache({p.name: p.read_bytes() for p in folder.iterdir()})
    assert same_weights(load_model("someone/model", device="cpu"), model)


def test_another_kind_of_model_of_transformers(hf_folder: Path, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "model.safetensors").write_bytes((hf_folder / "model.safetensors").read_bytes())
    with pytest.raises(WeightsError, match=rf"{tmp_path}: config.json: model_type is 'bert'"):
        load_model(tmp_path)


# ---------------------------------------------------------------- files that would run code


class Malicious:
    """Runs a command when it is unpickled without care."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_a_malicious_checkpoint_is_refused_and_not_run(tmp_path: Path):
    trap = tmp_path / "ran"
    torch.save({"model": {"x": torch.zeros(1)}, "extra": Malicious(trap)}, tmp_path / "bad.pt")
    with pytest.raises(WeightsError, match="could run code"):
        load_model(tmp_path / "bad.pt")
    assert not trap.exists()


def test_a_malicious_bare_pickle_is_refused_and_not_run(tmp_path: Path):
    trap = tmp_path / "ran"
    (tmp_path / "bad.pt").write_bytes(pickle.dumps(Malicious(trap), protocol=2))
    with pytest.raises(WeightsError):
        load_model(tmp_path / "bad.pt")
    assert not trap.exists()


def test_an_old_torch_reads_no_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    torch.save({"model": {}}, tmp_path / "m.pt")
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(
        WeightsError, match=r"torch 2.9.1\+cpu cannot read .pt files safely; install 2.10"
    ):
        load_model(tmp_path / "m.pt")


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_a_truncated_checkpoint(tmp_path: Path, keep: int):
    torch.save({"model": {"x": torch.zeros(1000)}}, tmp_path / "m.pt")
    (tmp_path / "m.pt").write_bytes((tmp_path / "m.pt").read_bytes()[:keep])
    with pytest.raises(WeightsError, match=r"m.pt: (damaged|refused)"):
        load_model(tmp_path / "m.pt")


@pytest.mark.parametrize(
    "content", [[1, 2], {"model": 5}, {"model": {"x": "text"}}, torch.zeros(3)]
)
def test_a_checkpoint_that_holds_something_else(tmp_path: Path, content: object):
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(WeightsError, match="expected a table of tensors"):
        load_model(tmp_path / "m.pt")


def test_a_checkpoint_with_foreign_names(tmp_path: Path):
    torch.save({"model": {"x": torch.zeros(3)}}, tmp_path / "m.pt")
    with pytest.raises(WeightsError, match="not named as Meta's"):
        load_model(tmp_path / "m.pt")
