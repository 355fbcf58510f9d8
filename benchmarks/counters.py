"""What is counted rather than timed: arithmetic, calls to the device, memory; and the peak that
arithmetic is compared with."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from stopwatch import wait_for
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from sam2s.nn.onednn import has_quicker_products, product


def flop(call: Callable[[], Any], device: torch.device, *, bf16: bool = False) -> int:
    """Floating-point operations of a call, two for each multiply-add; those of products and
    convolutions. ``bf16``: under autocast, as its arguments were made."""
    cast = torch.autocast(device.type, torch.bfloat16, enabled=bf16)
    counter = FlopCounterMode(display=False, custom_mapping=_by_onednn())
    with torch.inference_mode(), cast, counter:
        call()
    return int(counter.get_total_flops())


def _by_onednn() -> dict[Any, Any]:
    """How torch's counter is to count the products of `sam2s.nn.onednn`, which it does not know."""
    called = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    if called is None:
        return {}

    def formula(x: Any, weight: Any, *rest: Any, out_shape: Any, **more: Any) -> int:
        return 2 * math.prod(x) * weight[0]

    return {called: formula}


RUNTIME = {
    "kernels launched": (
        "cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx",
    ),
    "graphs launched": ("cudaGraphLaunch",),
    "copies": ("cudaMemcpyAsync", "cudaMemcpy"),
    "waits": ("cudaStreamSynchronize", "cudaEventSynchronize", "cudaMemcpy"),
}  # fmt: skip
"""Calls of the CUDA runtime. The profiler itself waits for the whole device, so that
`cudaDeviceSynchronize` is not counted: nothing of ours calls it."""


def count_calls(play: Callable[[], None], frames: int, device: torch.device) -> dict[str, float]:
    """What Python asked of the device, a frame."""
    card = device.type == "cuda"
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if card else [])]
    with profile(activities=kinds) as profiler:
        play()
        wait_for(device)
    if not card:
        top = [e for e in profiler.events() if e.cpu_parent is None and "aten::" in e.name]
        return {"operators": len(top) / frames}
    seen = {row.key: row.count for row in profiler.key_averages()}
    return {name: sum(seen.get(key, 0) for key in keys) / frames for name, keys in RUNTIME.items()}


def matmul_peak(device: torch.device, *, bf16: bool) -> float:
    """FLOP/s of the best of several large matrix products, in the precision that is tracked in."""
    side = 8192 if device.type == "cuda" else 1024
    kind = torch.bfloat16 if bf16 else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    # On a CPU by the library that the network's products go to.
    multiply = product if device.type == "cpu" and has_quicker_products() else torch.mm
    multiply(a, b)
    times = []
    for _ in range(8):
        wait_for(device)
        begun = time.perf_counter()
        multiply(a, b)
        wait_for(device)
        times.append(time.perf_counter() - begun)
    return float(2 * side**3 / min(times))


def used_bytes(device: torch.device) -> dict[str, int]:
    """What the process holds: of a card, what tensors take and what torch has reserved; else the
    resident size."""
    gc.collect()
    if device.type == "cuda":
        wait_for(device)
        allocated, reserved = (
            torch.cuda.memory_allocated(device),
            torch.cuda.memory_reserved(device),
        )
        return {"allocated": allocated, "reserved": reserved}
    import psutil

    return {"resident": psutil.Process().memory_info().rss}
