"""Common to all tests: one thread, no network beyond this machine, nothing fetched from the hub."""

from __future__ import annotations

import os
import signal
import socket

import pytest
import torch

# Before any test imports the hub's client, which reads its switches once.
os.environ["HF_HUB_OFFLINE"] = "1"
for proxy in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[proxy]  # a proxy on this machine would carry a connection past the guard below

# A shell's background job and nohup ignore these, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection that leaves this machine fails the test that tried it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        local = self.family == getattr(socket, "AF_UNIX", None)
        if not local and not (
            isinstance(address, tuple) and str(address[0]) in ("127.0.0.1", "::1", "localhost")
        ):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
