"""A real ``sam2s annotate`` in a process of its own, for tests that use it as people do."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Running:
    """A server: its process, the address with the token, and what it said before that."""

    process: subprocess.Popen[str]
    address: str
    said: str

    @property
    def origin(self) -> str:
        return self.address.partition("/?")[0]

    def stop(self) -> int:
        """End it as Ctrl+C does; the exit code."""
        self.process.terminate()
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def start_server(arguments: Sequence[object], **environment: str) -> Running:
    """Start it and wait for its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sam2s", "annotate", *map(str, arguments), "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        found = re.search(r"http://\S+", line)
        if found:
            return Running(process, found[0], said)
    raise AssertionError(f"no address, exit code {process.wait()}: {said}")


def demo_clip() -> Path:
    """The packaged synthetic video."""
    import sam2s

    return Path(sam2s.__file__).parent / "commands" / "demo_clip" / "scene.mp4"
