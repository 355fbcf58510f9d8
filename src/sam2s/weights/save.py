"""Save a model as ``config.json`` + ``model.safetensors``, the folder that ``load_model`` reads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from sam2s.errors import InputError, WeightsError
from sam2s.model.sam2s import SAM2S
from sam2s.weights.hub import CONFIG_FILE, CONFIG_KEY, WEIGHTS_FILE


def save_model(
    model: SAM2S, folder: str | os.PathLike[str], *, dtype: torch.dtype | None = None
) -> Path:
    """Write ``model`` into ``folder`` (made if missing) for ``load_model``; gives the folder.

    ``dtype``: storage type of the floating-point tensors, e.g. ``torch.float16`` for half the size;
    loading always gives float32. Each file appears under its name only when complete. Raises
    WeightsError when a value does not fit ``dtype``, InputError when the folder cannot be written.
    """
    folder = Path(folder)
    tensors = {name: _stored(name, tensor, dtype) for name, tensor in model.state_dict().items()}
    config = json.dumps(model.config.to_dict(), indent=2, sort_keys=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(
            folder / WEIGHTS_FILE,
            lambda path: save_file(tensors, path, {"format": "pt", CONFIG_KEY: config}),
        )
        _replace(
            folder / CONFIG_FILE, lambda path: path.write_text(config + "\n", encoding="utf-8")
        )
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{folder}: cannot save the model there ({reason}); name a folder you may write"
        ) from error
    return folder


def _stored(name: str, tensor: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    """A contiguous copy of its own on the CPU (safetensors refuses shared memory), in the storage
    type."""
    target = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    stored = tensor.detach().to("cpu", target, copy=True).contiguous()
    if stored.is_floating_point() and not torch.isfinite(stored).all():
        raise WeightsError(
            f"{name}: holds NaN, infinity or a value too large for {target}; nothing was saved"
        )
    return stored


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
