"""What every request passes before anything looks at it.

Requests under other names and from other pages are refused (`sam2s.local_page`), and a cookie must
be there that only the one-time address gives. There is no WebSocket; one that is asked for is
closed. What is too long is refused before it is read to its end.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sam2s.annotate.server.sign_in import SignIn
from sam2s.local_page import cookie_of, page_headers, refused_origin

LONGEST_MESSAGE = 16 * 2**20
"""Bytes of a request; a mask of a full HD frame takes some ten thousand."""
LONGEST_FILE = 256 * 2**20
"""Bytes of a file that is imported."""
FILES = ("/imports", "/mask-file")
"""Ends of the paths that take files."""
OPEN_PATHS = ("/", "/api/login")
OPEN_FOLDER = "/page/"
"""What is given to everyone: how to sign in, and a page without anything in it."""
HEADERS = {  # ASGI has names in lower case
    name.lower(): value
    for name, value in page_headers(images="'self' blob:", forms="'self'").items()
}


class TooLong(Exception):
    """A request is longer than its limit."""


class Gate:
    """ASGI middleware. ``hosts``: what ``Host`` may say, such as ``127.0.0.1:8765``."""

    def __init__(self, app: ASGIApp, sign_in: SignIn, hosts: Collection[str]) -> None:
        self._app, self._sign_in, self._hosts = app, sign_in, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on what may pass; answer the rest with one line."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        refused = self._refusal(scope, headers)
        if refused is not None:
            await _answer(send, *refused)
            return
        limit = LONGEST_FILE if scope["path"].endswith(FILES) else LONGEST_MESSAGE
        if _stated_length(headers) > limit:
            await _answer(send, 413, _too_long(limit))
            return
        counted = _Counted(receive, send, limit)
        with suppress(TooLong):
            await self._app(scope, counted.receive, counted.send)
        if counted.over and not counted.started:
            await _answer(send, 413, _too_long(limit))

    def _refusal(self, scope: Scope, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """Status and line where the request is refused."""
        path, method = scope["path"], scope["method"]
        entering = (method, path) == ("GET", "/")
        stranger = refused_origin(headers, self._hosts, entering=entering)
        if stranger is not None:
            return 403, stranger
        is_open = path in OPEN_PATHS or path.startswith(OPEN_FOLDER)
        if not is_open and not self._sign_in.knows(cookie_of(headers, self._sign_in.cookie)):
            return 401, "sign in first: open the address that sam2s annotate printed"
        return None


def _headers(scope: Scope) -> dict[str, str]:
    """The headers; of one that stands twice, which is a trick, something that fits nothing."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        found[key] = (
            f"{found[key]}, {value.decode('latin-1')}"
            if key in found
            else (value.decode("latin-1"))
        )
    return found


def _stated_length(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isdecimal() else 0


class _Counted:
    """Counts what really comes, whatever was stated. What the application says of a request that
    is too long is not sent: it has only seen part of it."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._left = receive, send, limit
        self.over = self.started = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.over = True
            raise TooLong
        return message

    async def send(self, message: Message) -> None:
        if self.over and not self.started:
            return
        self.started = True
        await self._send(_with_headers(message))


def _too_long(limit: int) -> str:
    return f"too long: the limit is {limit // 2**20} MiB"


def _with_headers(message: Message) -> Message:
    if message["type"] != "http.response.start":
        return message
    given = {name for name, _ in message["headers"]}
    added = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in given]
    return {**message, "headers": [*message["headers"], *added]}


async def _answer(send: Send, status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    headers: list[tuple[bytes, Any]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    await send(_with_headers(start))
    await send({"type": "http.response.body", "body": body})
