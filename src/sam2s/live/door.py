"""Who may ask the local page's server: the browser that was given the address, and nobody else.

Requests under other names and from other pages are refused (`sam2s.local_page`), and a token must
be there: in a cookie that no script reads or, for players that keep no cookies, in the address of
the stream.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

from sam2s.local_page import cookie_of, page_headers, refused_origin

STREAM = "/stream.mjpg"
ICON = "/favicon.ico"
"""Browsers ask for it, whatever the page says."""
OPEN_PATHS = frozenset({"/page.js", "/page.css", ICON})
"""What is given to everyone who calls us by our name: files without anything in them."""
HEADERS = page_headers()

Refusal = tuple[int, str]
"""Status and one line."""


class Door:
    """Of a server at ``port`` of this machine, with a token that ends with it."""

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        # Browsers give the cookies of one address to all its ports.
        self._cookie = f"sam2s_live_{port}"
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    def cookie_header(self) -> str:
        """What ``Set-Cookie`` says to a browser that came with the token."""
        return f"{self._cookie}={self.token}; HttpOnly; SameSite=Strict; Path=/"

    def is_token(self, given: str) -> bool:
        """Whether that is the token."""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())

    def refusal(self, path: str, headers: Mapping[str, str], query_token: str) -> Refusal | None:
        """Why a request is refused, None where it is not. ``headers``: names in lower case, a name
        that stands twice joined by a comma, which then fits nothing."""
        signing_in = path == "/" and bool(query_token)
        stranger = refused_origin(headers, self._hosts, entering=signing_in)
        if stranger is not None:
            return 403, stranger
        if path in OPEN_PATHS or self._knows(headers):
            return None
        if path in ("/", STREAM) and self.is_token(query_token):
            return None
        return 401, "open the address that sam2s live printed"

    def _knows(self, headers: Mapping[str, str]) -> bool:
        cookie = cookie_of(headers, self._cookie)
        return cookie is not None and self.is_token(cookie)
