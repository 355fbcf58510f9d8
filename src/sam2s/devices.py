"""Where a model runs: device names, precisions, and what to say when memory runs out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from sam2s.errors import InputError, OutOfMemory

Precision = Literal["auto", "fp32", "bf16"]


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """The torch device called ``name``: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto``, which
    is the first CUDA device where there is one, else the CPU.

    MPS has to be asked for, since no test has run on it. Raises ``InputError`` for a device that is
    not there.
    """
    if str(name) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"device {name}: not usable here; give auto, or one of {', '.join(_usable())}"
        ) from error
    return found


def _usable() -> list[str]:
    cards = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu", *cards, *(["mps"] if torch.backends.mps.is_available() else [])]


def describe(device: torch.device, *, bf16: bool) -> str:
    """The device and precision in words, for people: "cuda:0 (NVIDIA H100), bf16"."""
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    return f"{device}{name}, {'bf16' if bf16 else 'fp32'}"


def wants_bf16(precision: str, device: torch.device) -> bool:
    """Whether layers run in bfloat16. ``auto``: on CUDA devices whose hardware computes it (Ampere
    and later; older ones emulate it, slower than fp32); elsewhere fp32.

    Raises ``InputError`` for another word than ``auto``, ``fp32`` or ``bf16``.
    """
    if precision not in ("auto", "fp32", "bf16"):
        raise InputError(f"precision {precision!r}: expected auto, fp32 or bf16")
    if precision == "auto":
        return device.type == "cuda" and _computes_bf16(device)
    return precision == "bf16"


def _computes_bf16(device: torch.device) -> bool:
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)


@contextmanager
def memory_errors(doing: str, remedy: str) -> Iterator[None]:
    """``OutOfMemory`` in one line, with what was being done and what helps, where torch says that a
    device has no memory left."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(f"{doing}: the device has no memory left; {remedy}") from error
