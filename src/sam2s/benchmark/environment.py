"""What a figure needs beside it so that someone else can get it again: versions, machine, weights,
command."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("sam2s", "torch", "numpy", "scipy", "pillow", "av", "opencv-python-headless")


def environment() -> dict[str, Any]:
    """Versions, machine, time and command line of this process, as JSON holds them."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name)) is not None},
        "machine": machine(),
    }


def machine() -> dict[str, Any]:
    """Processor, its cores and the threads torch uses, the kinds of GPU that there are, and the
    system."""
    cards = (torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": ", ".join(dict.fromkeys(cards)) or None,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """The processor's name; Linux hides it in a file."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
