"""Save a model as ``config.json`` + ``model.safetensors``, the folder that ``load_model`` reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from safetensors.torch import save_file

from sam2s.errors import InputError, WeightsError
from sam2s.files import check_folder, replace_text, replacing
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
    config = json.dumps(model.config.to_dict(), indent=2, sort_keys=True, allow_nan=False)
    try:
        check_folder(folder)
    except InputError as error:
        raise InputError(f"{folder}: cannot save the model there ({error})") from error
    with replacing(folder / WEIGHTS_FILE) as hidden:
        save_file(tensors, hidden, {"format": "pt", CONFIG_KEY: config})
    replace_text(folder / CONFIG_FILE, config + "\n")
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
