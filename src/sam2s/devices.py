"""Where a model runs: device names, precisions, the way there and back, and what to say when memory
runs out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sam2s.errors import InputError, OutOfMemory

Precision = Literal["auto", "fp32", "bf16"]


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """The torch device called ``name``: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto``, which
    is the first CUDA device where there is one, else the CPU.

    MPS has to be asked for, since no test has run on it. Raises ``InputError`` for a device that is
    not there, or on which nothing can be computed: a card too old for this torch, or one whose
    memory others fill.
    """
    if str(name) == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(name)
        _compute_on(found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = (str(error).splitlines() or ["no reason given"])[0]
        raise InputError(
            f"device {name}: not usable here; give auto, or one of {', '.join(_usable())}"
            f" (torch: {why})"
        ) from error
    return found


def _compute_on(device: torch.device) -> None:
    """One sum: torch lists cards that it has no kernels for."""
    torch.ones(1, device=device).add(1).item()


def _usable() -> list[str]:
    cards = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu", *cards, *(["mps"] if torch.backends.mps.is_available() else [])]


def describe(device: torch.device, *, bf16: bool) -> str:
    """The device and precision in words, for people: "cuda:0 (NVIDIA H100), bf16"."""
    return f"{device}{_card(device)}, {'bf16' if bf16 else 'fp32'}"


def kind_of(device: torch.device) -> str:
    """The device without its number, "cuda (NVIDIA H100)": what computes alike is called alike."""
    return f"{device.type}{_card(device)}"


def _card(device: torch.device) -> str:
    return f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""


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


def trains_in_bf16(precision: str, device: torch.device) -> bool:
    """As ``wants_bf16``, but a card that only emulates bf16 trains in fp32 whatever was asked:
    recipes are written for newer ones."""
    emulated = device.type == "cuda" and not _computes_bf16(device)
    return wants_bf16(precision, device) and not emulated


def _computes_bf16(device: torch.device) -> bool:
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on ``device``. On CUDA Python does not wait for it: it goes by way of
    pinned memory."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def download(tensors: Sequence[Tensor]) -> list[np.ndarray]:
    """Tensors of one device as NumPy arrays, in one copy, so that Python waits for the device
    once. Training may ask for what has a gradient: it is let go of here."""
    if tensors[0].device.type == "cpu":
        return [tensor.detach().numpy() for tensor in tensors]
    flat = [tensor.detach().contiguous().view(-1).view(torch.uint8) for tensor in tensors]
    pieces = _to_host(torch.cat(flat)).split([len(piece) for piece in flat])
    return [
        # Copied, so that what users keep does not hold pinned memory.
        piece.clone().view(tensor.dtype).view(tensor.shape).numpy()
        for piece, tensor in zip(pieces, tensors, strict=True)
    ]


def _to_host(tensor: Tensor) -> Tensor:
    if tensor.device.type != "cuda":
        return tensor.cpu()
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor)


@contextmanager
def halved_threads() -> Iterator[None]:
    """Half of torch's threads for this thread and for those started within, as for work that goes
    on in two stages side by side: each then has cores of its own, instead of waiting for the other
    in every small product. What is computed with other numbers of threads agrees up to rounding.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // 2))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


_NO_MEMORY = ("out of memory", "allocate memory", "not enough memory", "ALLOC_FAILED")
"""What plain RuntimeErrors say of it: those of MPS, of the CPU, of a CUDA context, and of cuBLAS
and cuDNN."""


@contextmanager
def memory_errors(doing: str, remedy: str) -> Iterator[None]:
    """``OutOfMemory`` in one line, with what was being done and what helps, where torch says that a
    device has no memory left."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not any(
            words in str(error) for words in _NO_MEMORY
        ):
            raise
        raise OutOfMemory(f"{doing}: the device has no memory left; {remedy}") from error
