"""Commands as processes of their own, for tests that stop them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path


def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "sam2s.cli", *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdout=options.get("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **{k: v for k, v in options.items() if k != "stdout"},
    )


def wait_for(path: Path, size: int, process: subprocess.Popen[str]) -> None:
    """Until a file has grown to some size."""
    until = time.monotonic() + 120
    while not path.exists() or path.stat().st_size < size:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.05)
