"""Files of ``torch.save``, read as data only: weights of others, and the checkpoints of a run.

A stranger's file may neither run code nor fill the memory. torch refuses the first
(``weights_only``); for the second the archive's directory is looked at before anything is
unpacked, since a few kilobytes can unpack to terabytes.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sam2s.errors import Sam2sError, WeightsError
from sam2s.typed_json import shown

SAFE_TORCH = (2, 10)
"""The first torch whose ``weights_only=True`` has no known way round it (CVE-2025-32434,
CVE-2026-24747)."""
MAX_PICKLE = 8 * 2**20
"""Largest description of what a file holds, in bytes: of a thousand tensors it has 0.2 MB, and each
byte may become an object of some sixty."""


def read_pt(path: Path, origin: str, error: type[Sam2sError] = WeightsError) -> Any:
    """What ``torch.save`` wrote: tensors on the CPU in plain containers. ``origin``: what to call
    the file in an error.

    Raises ``error`` for a file that is damaged, packed, of the format before torch 1.6, or that
    holds anything which could run code.
    """
    if torch_version() < SAFE_TORCH:
        least = ".".join(map(str, SAFE_TORCH))
        raise error(
            f"{origin}: torch {torch.__version__} cannot read .pt files safely; install {least} or"
            " later"
        )
    _check_directory(path, origin, error)
    _check_sums(path, origin, error)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as fault:
        raise error(
            f"{origin}: refused, since it holds something other than tensors and could run code;"
            " use a .safetensors file"
        ) from fault
    except Exception as fault:
        # A truncated or foreign file makes torch raise almost any type; none of them is worth
        # another attempt.
        raise error(f"{origin}: damaged, or not a file of torch.save; download it again") from fault


def _check_directory(path: Path, origin: str, error: type[Sam2sError]) -> None:
    """Refuse an archive that unpacks to more than it is: ``torch.save`` packs nothing."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            file.seek(0)
            if file.read(4) != b"PK\x03\x04":
                raise zipfile.BadZipFile("data before the archive")
            parts = archive.infolist()
    except Exception as fault:  # as above: zipfile raises many types for damaged directories
        raise error(f"{origin}: damaged, or not a file of torch.save; download it again") from fault
    total = sum(part.file_size for part in parts)
    if total > size:
        raise error(
            f"{origin}: refused, since its parts would unpack to {total / 1e6:.0f} MB from a file"
            f" of {size / 1e6:.1f} MB; torch.save does not compress, so download it again"
        )
    if any(p.filename.endswith("data.pkl") and p.file_size > MAX_PICKLE for p in parts):
        raise error(
            f"{origin}: refused, since the description of its tensors is larger than"
            f" {MAX_PICKLE // 2**20} MB; download it again"
        )


def _check_sums(path: Path, origin: str, error: type[Sam2sError]) -> None:
    """Refuse an archive with a part that is not what was written; torch itself does not look."""
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = archive.testzip()
    except Exception as fault:  # as above
        raise error(f"{origin}: damaged, or not a file of torch.save; download it again") from fault
    if wrong is not None:
        raise error(
            f"{origin}: damaged (wrong checksum of its part {shown(wrong)}); download it again"
        )


def check_plain(tensors: Mapping[str, Tensor], path: Path, origin: str) -> None:
    """Refuse tensors that are not plain numbers in memory, or that claim more of them than the file
    can hold: views that repeat a few bytes without end. Raises WeightsError."""
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if claimed > path.stat().st_size:
        raise WeightsError(
            f"{origin}: refused, since its tensors claim {claimed / 1e6:.0f} MB, more than the file"
            " has; download it again"
        )
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise WeightsError(
                f"{origin}: {name} is not a plain tensor ({tensor.layout}, {tensor.device}); save"
                " the weights dense and in floating point"
            )


def torch_version() -> tuple[int, int]:
    """(major, minor) of the installed torch."""
    major, minor = torch.__version__.split(".")[:2]
    return int(major), int(minor)
