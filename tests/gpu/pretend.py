"""A pretend GPU: values live on the CPU, the rules are a GPU's.

Importing this module registers the device ``gpu:0`` (torch's PrivateUse1), which cannot be taken
back, so it is imported in processes of their own (``scenes.py``). Under ``Device()`` tensors can be
made there and moved there; what CUDA would refuse is refused:

- an operator on a dtype for which CUDA has no kernel (``no_cuda_kernel.json``): ``NoKernel``;
- tensors of one dimension or more on the CPU beside device tensors: ``MixedDevices``;
- ``.numpy()`` on a device tensor: ``TypeError``.

``COUNTS`` holds kernel launches, bytes moved, and host synchronisations (moments at which Python
waits for the device) by the line of the project that caused them. It knows nothing of kernel
choice, TF32, races or memory: those need a card (``make gpu-check``).
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

NAME = "gpu"
TABLE = Path(__file__).with_name("no_cuda_kernel.json")
NO_KERNEL: dict[str, set[torch.dtype]] = {
    op: {getattr(torch, dtype) for dtype in dtypes}
    for op, dtypes in json.loads(TABLE.read_text()).items()
}
"""Operator -> dtypes that the CPU computes and CUDA does not."""
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
"""Operators that take an index on the CPU: allowed, but it is uploaded while Python waits."""
WAITING = {"_local_scalar_dense", "equal", "nonzero", "masked_select", "_unique2"}
"""Operators whose answer Python needs: it waits until the device has it."""
NO_LAUNCH = {"detach", "alias", "lift_fresh", "_unsafe_view", "_reshape_alias"}


class NoKernel(NotImplementedError):
    """CUDA has no kernel for this operator and dtype."""


class MixedDevices(RuntimeError):
    """An operator was given tensors of the CPU beside those of the device."""


@dataclass
class Counts:
    """What happened on the device since ``clear``."""

    launches: int = 0
    uploaded: int = 0
    downloaded: int = 0
    syncs: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        """Start counting anew."""
        self.launches = self.uploaded = self.downloaded = 0
        self.syncs.clear()

    def wait(self, why: str) -> None:
        """Python waited for the device."""
        self.syncs[f"{project_line()}: {why}"] += 1


COUNTS = Counts()


class _Backend(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def get_rng_state(self, device: Any = None) -> torch.Tensor:
        return torch.zeros(1, dtype=torch.uint8)

    def set_rng_state(self, state: torch.Tensor, device: Any = None) -> None:
        pass

    def device(self, device: Any) -> Any:
        return nullcontext()


_setup_privateuseone_for_python_backend(NAME, _Backend())
# torch.tensor(..., device=) is then a copy that goes through the dispatcher, and is counted.
torch._C._set_only_lift_cpu_tensors(True)
# A wrapper tensor can be no inference tensor.
torch.inference_mode = lambda mode=True: torch.no_grad() if mode else nullcontext()
DEVICE = torch.device(NAME, 0)


def project_line() -> str:
    """``file.py:line`` of the innermost frame inside the package."""
    frame = sys._getframe(1)
    while frame is not None:
        if "/src/sam2s/" in frame.f_code.co_filename:
            return f"{frame.f_code.co_filename.split('/sam2s/')[-1]}:{frame.f_lineno}"
        frame = frame.f_back
    return "tests"


class OnDevice(torch.Tensor):
    """A tensor of the device: a shell around its values on the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    values: torch.Tensor

    @staticmethod
    def __new__(cls, values: torch.Tensor) -> OnDevice:
        shell = torch.Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            layout=values.layout,
            device=DEVICE,
        )
        shell.values = values
        return shell

    def __repr__(self, **_: Any) -> str:
        return f"OnDevice({self.values!r})"

    def tolist(self) -> Any:
        COUNTS.wait("tolist")
        COUNTS.downloaded += self.numel() * self.element_size()
        return self.values.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"can't convert a {NAME} tensor to numpy; .cpu() first ({project_line()})")

    __array__ = numpy

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class Device(TorchDispatchMode):
    """Within it, tensors can be made on the device and moved there and back."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def place(module: torch.nn.Module) -> torch.nn.Module:
    """``module.to(DEVICE)``, in place."""
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                values = OnDevice(parameter.detach().clone())
                part._parameters[name] = torch.nn.Parameter(
                    values, requires_grad=parameter.requires_grad
                )
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = OnDevice(buffer.clone())
    return module


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """One operator: refused, or computed on the CPU and counted."""
    name = func._schema.name.split("::")[1]
    flat, spec = tree_flatten((args, kwargs))
    ours = [a for a in flat if isinstance(a, OnDevice)]
    theirs = [a for a in flat if isinstance(a, torch.Tensor) and not isinstance(a, OnDevice)]
    target = kwargs.get("device")
    if name == "_to_copy" and target is not None and _on_device(target) != bool(ours):
        return _move(func, args, kwargs, bool(ours))
    if not ours and not _on_device(target):
        return func(*args, **kwargs)
    _refuse(name, ours, theirs)
    _count(func, name, ours, theirs)
    on_cpu = [
        a.values if isinstance(a, OnDevice) else torch.device("cpu") if _is_device(a) else a
        for a in flat
    ]
    cpu_args, cpu_kwargs = tree_unflatten(on_cpu, spec)
    out = tree_map(
        lambda t: OnDevice(t) if isinstance(t, torch.Tensor) else t, func(*cpu_args, **cpu_kwargs)
    )
    if ours and (func._schema.is_mutable or func.is_view):
        return return_and_correct_aliasing(func, args, kwargs, out)
    return out


def _is_device(value: Any) -> bool:
    return isinstance(value, torch.device) and value.type == NAME


def _on_device(target: Any) -> bool:
    return target is not None and torch.device(target).type == NAME


def _move(func: Any, args: Any, kwargs: dict[str, Any], down: bool) -> Any:
    """A copy between host and device. A pinned, asynchronous upload does not wait; the copy down
    does whatever it is called with, since the values are read at once."""
    size = args[0].numel() * args[0].element_size()
    if down:
        COUNTS.downloaded += size
        COUNTS.wait("copy to the host")
        return func(args[0].values.clone(), *args[1:], **kwargs)
    COUNTS.uploaded += size
    if not kwargs.get("non_blocking"):
        COUNTS.wait("copy to the device")
    made = func(args[0].clone(), *args[1:], **{**kwargs, "device": torch.device("cpu")})
    return OnDevice(made)


def _refuse(name: str, ours: list[OnDevice], theirs: list[torch.Tensor]) -> None:
    shapes = [tuple(t.shape) for t in theirs if t.ndim]
    if ours and shapes and name not in INDEXING:
        raise MixedDevices(f"{name}: tensors {shapes} of the CPU ({project_line()})")
    if ours and ours[0].dtype in NO_KERNEL.get(name, ()):
        raise NoKernel(f'"{name}" has no CUDA kernel for {ours[0].dtype} ({project_line()})')


def _count(func: Any, name: str, ours: list[OnDevice], theirs: list[torch.Tensor]) -> None:
    if name in INDEXING and any(t.ndim for t in theirs):
        COUNTS.wait("index on the CPU")
    if name in INDEXING and any(t.dtype == torch.bool for t in ours[1:]):
        COUNTS.wait("boolean index")
    if name in WAITING:
        COUNTS.wait(name)
    if not func.is_view and name not in NO_LAUNCH:
        COUNTS.launches += 1


def _autocast_as_on_cuda() -> tuple[torch.library.Library, torch.library.Library]:
    """CUDA's lists of operators that autocast lowers or keeps, read from torch's own header."""
    header = (Path(torch.__file__).parent / "include/ATen/autocast_mode.h").read_text()
    key = torch._C.DispatchKey.AutocastPrivateUse1

    def caster(op: Any, to: torch.dtype) -> Any:
        def cast(value: Any) -> Any:
            floats = isinstance(value, torch.Tensor) and value.is_floating_point()
            lowered = floats and value.dtype != torch.float64 and value.device.type == NAME
            return value.to(to) if lowered else value

        def run(*args: Any, **kwargs: Any) -> Any:
            with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(key)):
                return op(*tree_map(cast, args), **tree_map(cast, kwargs))

        return run

    library = torch.library.Library("aten", "IMPL")
    lists = {
        "AT_FORALL_LOWER_PRECISION_FP": torch.bfloat16,
        "AT_FORALL_FP32": torch.float32,
        "AT_FORALL_FP32_SET_OPT_DTYPE": torch.float32,
    }
    for macro, to in lists.items():
        block = header.split(f"#define {macro}(_)")[1].split("\n\n")[0]
        for name, overload in re.findall(r"_\((\w+)(?:,\s*(\w+))?\)", block):
            packet = getattr(torch.ops.aten, name, None)
            kind = overload or "default"
            if packet is None or name == "einsum" or not hasattr(packet, kind):
                continue
            full = f"{name}.{overload}" if overload else name
            library.impl(full, caster(getattr(packet, kind), to), "AutocastPrivateUse1")
    rest = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
    rest.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    return library, rest


_KEPT = _autocast_as_on_cuda()
"""Libraries undo their registrations when they are collected."""
