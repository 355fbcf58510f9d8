"""The local page: MJPEG out, clicks in, on this machine alone."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from io import BytesIO
from threading import Condition, Thread
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from sam2s.errors import InputError
from sam2s.live.door import HEADERS, ICON, STREAM, Door
from sam2s.live.inbox import ActionInbox
from sam2s.live.latency import LatencyCounter
from sam2s.live.sink import LivePicture
from sam2s.typed_json import parse_json

QUALITY = 80
LONGEST_MESSAGE = 2**20
"""Bytes of an action; a mask of a full HD frame takes some ten thousand."""
MOST_STREAMS = 8
"""Pages and players at a time."""
SILENCE = 10.0
"""Seconds that a browser may take to send or receive anything."""
PAGES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}


class PageServer:
    """A sink whose pictures are shown in a browser, and in any player that reads MJPEG. It listens
    from the beginning, on ``port`` of 127.0.0.1 (0: a free one); ``address`` is to be opened once
    in a browser, ``stream`` by players. Raises InputError where the port is taken."""

    name = "page"

    def __init__(self, inbox: ActionInbox, port: int = 0) -> None:
        if not 0 <= port <= 65535:
            raise InputError(f"--port {port}: expected a number from 0 to 65535")
        self.latency: LatencyCounter | None = LatencyCounter()
        self.inbox = inbox
        self.streams = 0
        self._changed = Condition()
        self._newest: tuple[int, float, bytes] | None = None
        self._state: dict[str, Any] = {"objects": {}}
        self._shown: float | None = None
        self._closed = False
        page = self

        class Handler(_Handler):
            server_page = page

        try:
            self._server = _Server(("127.0.0.1", port), Handler)
        except OSError as error:
            raise InputError(
                f"--port {port}: cannot be listened at ({error.strerror}); choose another, or"
                " leave it out for a free one"
            ) from error
        port = self._server.server_address[1]
        self.door = Door(port)
        self.address = f"http://127.0.0.1:{port}/?token={self.door.token}"
        self.stream = f"http://127.0.0.1:{port}{STREAM}?token={self.door.token}"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="page").start()

    def show(self, picture: LivePicture) -> None:
        """Compress a picture for whoever looks."""
        shown: dict[str, Any] = {
            str(i): {
                "name": picture.names.get(i),
                "class": picture.result.classes.get(i),
                "presence": round(float(picture.result.presence[i]), 3),
            }
            for i in sorted(picture.result.masks)
        }
        jpeg = BytesIO()
        if self.streams:
            Image.fromarray(picture.overlay).save(jpeg, "JPEG", quality=QUALITY)
        with self._changed:
            if jpeg.tell():
                self._newest = picture.frame.index, picture.arrived, jpeg.getvalue()
            self._shown = picture.arrived
            self._state = {
                "objects": shown,
                "blanked": picture.blanked,
                "time": picture.frame.time,
                "size": picture.frame.size[::-1],
            }
            self._changed.notify_all()

    def close(self) -> None:
        """End all streams, and listen no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def state(self) -> dict[str, Any]:
        """What the page shows beside the picture."""
        assert self.latency is not None
        with self._changed:
            age = None if self._shown is None else round(perf_counter() - self._shown, 1)
            return {**self._state, "age": age, "latency": asdict(self.latency.summary())}

    def newest_index(self) -> int:
        """Number of the last picture that was compressed, -1 before the first."""
        with self._changed:
            return -1 if self._newest is None else self._newest[0]

    def next_jpeg(self, after: int) -> tuple[int, float, bytes] | None:
        """The newest picture once it is not number ``after``: number, arrival, JPEG; None at the
        end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or (self._newest is not None and self._newest[0] != after)
            )
            return None if self._closed else self._newest


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves is no error."""


class _Handler(BaseHTTPRequestHandler):
    """One request. `PageServer` sets ``server_page``."""

    server_page: PageServer
    timeout = SILENCE
    server_version, sys_version = "sam2s", ""

    def do_GET(self) -> None:
        """The page, its parts, what it polls, and the stream."""
        path, token = self._asked()
        if not self._allowed(path, token):
            return
        if path == "/" and token:
            self._answer(
                303, b"", "text/plain", Location="/", Set_Cookie=self._door.cookie_header()
            )
        elif path in PAGES:
            name, kind = PAGES[path]
            self._answer(200, (files("sam2s.live") / "page" / name).read_bytes(), kind)
        elif path == ICON:
            self._answer(204, b"", "image/x-icon")
        elif path == "/state":
            self._json(200, self.server_page.state())
        elif path == STREAM:
            self._stream()
        else:
            self._json(404, {"error": "there is no such page"})

    def do_POST(self) -> None:
        """An action, as one JSON object."""
        path, _ = self._asked()
        if not self._allowed(path, ""):
            return
        length = self.headers.get("Content-Length", "")
        if path != "/act" or self.headers.get_content_type() != "application/json":
            self._json(404, {"error": "expected an action as application/json at /act"})
        elif not length.isdecimal() or int(length) > LONGEST_MESSAGE:
            self._json(413, {"error": f"too long: the limit is {LONGEST_MESSAGE} bytes"})
        else:
            self._act(self.rfile.read(int(length)))

    def _act(self, body: bytes) -> None:
        anything: Any = dict[str, Any]
        try:
            self.server_page.inbox.put(parse_json(body, anything, "action"), "action")
        except InputError as error:
            self._json(400, {"error": " ".join(str(error).split())})
        else:
            self._json(200, {"ok": True})

    @property
    def _door(self) -> Door:
        return self.server_page.door

    def _asked(self) -> tuple[str, str]:
        """The path, and the token in the query."""
        parts = urlsplit(self.path)
        return parts.path, parse_qs(parts.query).get("token", [""])[0]

    def _allowed(self, path: str, token: str) -> bool:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        refused = self._door.refusal(path, headers, token)
        if refused is not None:
            self._json(refused[0], {"error": refused[1]})
        return refused is None

    def _json(self, status: int, content: Any) -> None:
        self._answer(status, json.dumps(content).encode(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str, **more: str) -> None:
        self.send_response(status)
        more = {name.replace("_", "-"): value for name, value in more.items()}
        for name, value in {**HEADERS, "Content-Type": kind, **more}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        """Pictures until the browser leaves; one that is slow misses some."""
        page = self.server_page
        if page.streams >= MOST_STREAMS:
            self._json(503, {"error": f"{MOST_STREAMS} streams are open; close one"})
            return
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send_response(200)
        kind = "multipart/x-mixed-replace; boundary=frame"
        for name, value in {**HEADERS, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.end_headers()
        page.streams += 1
        number = page.newest_index()  # which may be old: nobody was looking
        try:
            while (newest := page.next_jpeg(number)) is not None:
                number, arrived, jpeg = newest
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
                assert page.latency is not None
                page.latency.add(perf_counter() - arrived)
        except OSError:
            return
        finally:
            page.streams -= 1

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is the user's."""
