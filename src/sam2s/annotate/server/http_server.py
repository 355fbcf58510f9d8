"""Listening: a socket on this machine alone, unless there is a password."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Thread

import uvicorn

from sam2s.annotate.server.application import make_application
from sam2s.annotate.server.sign_in import SignIn
from sam2s.annotate.workspace import Workspace
from sam2s.errors import InputError

PARTING = 2
"""Seconds that open requests have when the server ends."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Where to listen. ``host``: an address of this machine; ``port`` 0: a free one; ``password``:
    needed wherever others reach the port."""

    host: str = "127.0.0.1"
    port: int = 0
    password: str | None = None

    def check(self) -> None:
        """``InputError`` for an address that others reach where there is no password, and for what
        is no address."""
        if not 0 <= self.port <= 65535:
            raise InputError(f"--port {self.port}: expected a number from 0 to 65535")
        if is_loopback(self.host):
            return
        try:
            ip_address(self.host)
        except ValueError as error:
            raise InputError(f"--host {self.host}: expected an IP address") from error
        if not self.password:
            raise InputError(
                f"--host {self.host}: others can reach that address, so set a password in the"
                " environment variable SAM2S_PASSWORD; and put a proxy with TLS in front, since"
                " without it passwords and patients' pictures cross the network in the clear"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def serve(work: Workspace, binding: Binding, say: Callable[[str], None], *, browser: bool) -> None:
    """Listen until a signal ends it; ``say`` is told the address once it is answered at."""
    binding.check()
    listening = _listen(binding)
    port = listening.getsockname()[1]
    sign_in = SignIn(port, binding.password)
    host = f"[{binding.host}]" if ":" in binding.host else binding.host
    names = {host, *(("127.0.0.1", "localhost") if is_loopback(binding.host) else ())}
    app = make_application(work, sign_in, {f"{name}:{port}" for name in names})
    address = f"http://{host}:{port}/?token={sign_in.new_link()}"
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=PARTING,
        server_header=False,
    )

    class Announcing(uvicorn.Server):
        """Says when it is ready, and ends the streams of events before it waits for requests."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            say(address)
            if browser:
                Thread(target=webbrowser.open, args=(address,), daemon=True).start()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            work.bus.close()
            await super().shutdown(sockets)

    with listening:
        Announcing(config).run(sockets=[listening])


def _listen(binding: Binding) -> socket.socket:
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((binding.host, binding.port))
    except OSError as error:
        listening.close()
        raise InputError(
            f"--port {binding.port}: cannot be listened at ({error.strerror}); choose another, or"
            " leave it out for a free one"
        ) from error
    return listening
