"""From a name or a path to a model in evaluation mode: strict about every tensor, never running
code from a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from sam2s.devices import memory_errors, pick_device
from sam2s.errors import InputError, WeightsError
from sam2s.model.presets import ModelConfig, preset
from sam2s.model.sam2s import SAM2S, build_model
from sam2s.typed_json import parse_json, read_json, reason, shown
from sam2s.weights import hub, keymap
from sam2s.weights.hf_config import config_from_hf
from sam2s.weights.pt_file import check_plain, read_pt
from sam2s.weights.weights_map import WeightsMap

PACKAGED = ("nano",)
"""Models that ship inside the package."""
PUBLISHED = tuple(
    f"facebook/sam2.1-hiera-{size}" for size in ("tiny", "small", "base-plus", "large")
)
"""Meta's SAM 2.1 weights on the Hugging Face hub; any other id in that format loads as well."""

MAX_CONFIG = 4 * 2**20
"""Largest ``config.json``, in bytes."""
_META_PREFIX = "sam_mask_decoder."
STORED = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""Kinds of numbers that weights are stored as; integers would be codes that need a scale."""
LISTED = 10
"""How many offending tensors an error names before it only counts them."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Weights under our names, with the model they belong to. ``origin``: what to call it in an
    error."""

    config: ModelConfig
    tensors: Mapping[str, Tensor]
    origin: str


def load_model(
    name_or_path: str | os.PathLike[str],
    *,
    device: str | torch.device = "auto",
    image_size: int | None = None,
    weights_map: str | os.PathLike[str] | None = None,
) -> SAM2S:
    """A model in evaluation mode, float32, on ``device`` ("auto": the first GPU, else the CPU).

    ``name_or_path``: "nano" (packaged); a Hugging Face id such as "facebook/sam2.1-hiera-base-plus"
    (downloaded once, ``HF_HUB_OFFLINE`` is honoured); a folder with ``config.json`` and
    ``model.safetensors``, ours or transformers'; a ``.safetensors`` file; or a ``.pt`` file of
    Meta's. ``image_size``: side of the square model input in pixels, a multiple of 32, instead of
    the size the weights come with. ``weights_map``: a JSON file of other names for the tensors of a
    derivative (`sam2s.weights.weights_map`).

    Raises WeightsError when weights cannot be found, are unsafe, damaged, or do not fit; InputError
    for a device or an image size that cannot be.
    """
    target = pick_device(device)
    renames = None if weights_map is None else WeightsMap.read(weights_map)
    model = assemble(read_checkpoint(name_or_path, renames), image_size)
    remedy = "use a smaller model or another device"
    with memory_errors(f"{name_or_path}: loading to {target}", remedy):
        return model.to(target)


def read_checkpoint(
    name_or_path: str | os.PathLike[str], weights_map: WeightsMap | None = None
) -> Checkpoint:
    """Find and read the weights that ``load_model`` was asked for."""
    found = _find(name_or_path)
    tensors = found.tensors
    if weights_map is not None:
        tensors = weights_map.apply(tensors, found.origin)
    return _interpret(tensors, found.config, found.origin)


@dataclass(frozen=True, slots=True, eq=False)
class _Stored:
    """Weights as a file holds them, under its own names. ``config``: of whatever kind came with
    them."""

    tensors: dict[str, Tensor]
    config: dict[str, Any] | None
    origin: str


def _find(name_or_path: str | os.PathLike[str]) -> _Stored:
    name, path = str(name_or_path), Path(os.path.expanduser(name_or_path))
    if name in PACKAGED:
        return _read_packaged(name)
    try:
        is_folder, is_file = bool(name) and path.is_dir(), path.is_file()
    except (OSError, ValueError) as error:  # a name that no file can have
        raise WeightsError(f"{shown(name)}: cannot name a model ({reason(error)})") from error
    if is_folder:
        return _read_folder(path, name)
    if is_file:
        return _read_file(path, name)
    if (
        path.suffix.lower() in (*_READERS, ".pth")
        or path.is_absolute()
        or name.startswith((".", "~"))
    ):
        raise WeightsError(f"{name}: no such file or folder")
    if hub.is_repo_id(name):
        return _read_folder(hub.fetch(name), name)
    raise WeightsError(
        f"{name or '(empty)'}: unknown model; use {', '.join((*PACKAGED, *PUBLISHED))}, "
        "or the path of a model folder, a .safetensors file or a .pt file"
    )


def assemble(checkpoint: Checkpoint, image_size: int | None = None) -> SAM2S:
    """The model that ``checkpoint`` describes, with its weights; every tensor must be there, fit,
    and be finite."""
    config = checkpoint.config
    if image_size is not None:
        config = _resized(config, image_size)
    with torch.device(
        "meta"
    ):  # starting values would be overwritten; this draws none and leaves randomness alone
        model = build_model(config)
    expected = model.state_dict()
    _check_fit(checkpoint, expected)
    tensors = {name: tensor.to(expected[name].dtype) for name, tensor in checkpoint.tensors.items()}
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def weights_hash(model: SAM2S | str | os.PathLike[str]) -> str:
    """sha256 over name, shape and float32 values of every tensor of a model, or of the one a name
    or path leads to.

    The same weights give the same hash however they are stored.
    """
    tensors = model.state_dict() if isinstance(model, SAM2S) else read_checkpoint(model).tensors
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().to("cpu", torch.float32).contiguous().numpy().tobytes())
    return digest.hexdigest()


def _resized(config: ModelConfig, image_size: int) -> ModelConfig:
    if image_size < 32 or image_size % 32:
        raise InputError(
            f"image size {image_size}: give a multiple of 32 pixels, such as 512 or 1024"
        )
    return replace(config, image_size=image_size)


def _check_fit(checkpoint: Checkpoint, expected: Mapping[str, Tensor]) -> None:
    """Raise WeightsError naming every kind of misfit between the file and the model."""
    given = checkpoint.tensors
    shared = sorted(given.keys() & expected.keys())
    misshapen = [name for name in shared if given[name].shape != expected[name].shape]
    strange = [name for name in shared if given[name].dtype not in STORED]
    # Only what fits is looked into: the rest may be of any size.
    fitting = [name for name in shared if name not in {*misshapen, *strange}]
    problems = {
        "missing": sorted(expected.keys() - given.keys()),
        "unexpected": sorted(given.keys() - expected.keys()),
        "of another shape": [
            f"{name} {list(given[name].shape)}, expected {list(expected[name].shape)}"
            for name in misshapen
        ],
        "of another number type": [f"{name} {given[name].dtype}" for name in strange],
        "with NaN or infinity": [
            name for name in fitting if not torch.isfinite(given[name].float()).all()
        ],
    }
    found = [f"{len(names)} {kind} ({_listed(names)})" for kind, names in problems.items() if names]
    if found:
        raise WeightsError(
            f"{checkpoint.origin}: its tensors do not fit the {checkpoint.config.name} model:"
            f" {', '.join(found)}; use weights of exactly this model, or rename them with"
            " --weights-map (docs/weights.md)"
        )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _read_packaged(name: str) -> _Stored:
    with resources.as_file(resources.files("sam2s.weights") / name) as folder:
        if not (folder / hub.WEIGHTS_FILE).is_file():
            raise WeightsError(
                f"{name}: this copy of sam2s was packaged without its weights; install it again, or"
                " name another model"
            )
        return _read_folder(folder, name)


def _read_folder(folder: Path, origin: str) -> _Stored:
    for name in (hub.CONFIG_FILE, hub.WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise WeightsError(
                f"{origin}: has no {name}; a model is {hub.CONFIG_FILE} and {hub.WEIGHTS_FILE}"
            )
    tensors, _ = _read_safetensors(folder / hub.WEIGHTS_FILE, origin)
    return _Stored(tensors, _read_config(folder / hub.CONFIG_FILE, origin), origin)


def _read_file(path: Path, origin: str) -> _Stored:
    reader = _READERS.get(".pt" if path.suffix.lower() == ".pth" else path.suffix.lower())
    if reader is None:
        raise WeightsError(
            f"{origin}: not a weights file; give .safetensors or .pt, or a folder that holds a"
            " model"
        )
    tensors, config = reader(path, origin)
    beside = path.with_name(hub.CONFIG_FILE)
    if config is None and path.name == hub.WEIGHTS_FILE and beside.is_file():
        config = _read_config(beside, origin)
    return _Stored(tensors, config, origin)


def _read_config(path: Path, origin: str) -> dict[str, Any]:
    try:
        return read_json(path, dict[str, Any], error=WeightsError, max_bytes=MAX_CONFIG)
    except WeightsError as error:
        detail = str(error).removeprefix(f"{path}: ")
        raise WeightsError(f"{origin}: {path.name}: {detail}; download it again") from error


def _read_safetensors(path: Path, origin: str) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """Tensors, and our config where the header carries one."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            config = (file.metadata() or {}).get(hub.CONFIG_KEY)
    except Exception as error:
        # Besides its own errors, whatever torch raises for a kind of number it does not know.
        raise WeightsError(
            f"{origin}: {path.name} is damaged or not safetensors ({reason(error)}); download"
            " it again"
        ) from error
    if config is None:
        return tensors, None
    where = f"{origin}: the {hub.CONFIG_KEY} of {path.name}'s header"
    return tensors, parse_json(config, dict[str, Any], where, error=WeightsError)


def _read_pt(path: Path, origin: str) -> tuple[dict[str, Tensor], None]:
    """A file of ``torch.save``, as data only. Whatever is refused stays refused."""
    loaded = read_pt(path, origin)
    tensors = loaded.get("model", loaded) if isinstance(loaded, Mapping) else None
    if not isinstance(tensors, Mapping) or not all(
        isinstance(value, Tensor) for value in tensors.values()
    ):
        raise WeightsError(
            f"{origin}: expected a table of tensors (Meta's SAM 2.1 layout) and found something"
            " else"
        )
    named = {str(name): tensor for name, tensor in tensors.items()}
    check_plain(named, path, origin)
    return named, None


def _interpret(
    tensors: dict[str, Tensor], config: dict[str, Any] | None, origin: str
) -> Checkpoint:
    """Tensors and config of any known format -> ours."""
    try:
        if config is not None and "model_type" in config:
            return Checkpoint(config_from_hf(config), keymap.hf_to_ours(tensors), origin)
        if config is not None:
            return Checkpoint(ModelConfig.from_dict(config), tensors, origin)
        if any(name.startswith(_META_PREFIX) for name in tensors):
            return Checkpoint(
                preset(keymap.preset_of_meta(tensors)), keymap.meta_to_ours(tensors), origin
            )
    except WeightsError as error:
        raise WeightsError(f"{origin}: {error}") from error
    raise WeightsError(
        f"{origin}: its {len(tensors)} tensors ({', '.join(sorted(tensors)[:3])}, ...) carry no"
        " config and are not named as Meta's SAM 2.1 names them; give the folder that holds its"
        f" {hub.CONFIG_FILE}, or rename them with --weights-map (docs/weights.md)"
    )


_READERS = {".safetensors": _read_safetensors, ".pt": _read_pt}
