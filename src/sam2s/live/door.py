"""Who may ask the local page's server: the browser that was given the address, and nobody else.

Any web page can make a browser send requests to 127.0.0.1, and a name that a stranger owns can be
made to point there. So ``Host`` must be ours (else DNS rebinding), ``Origin`` and
``Sec-Fetch-Site`` too (else another page), and a token must be there, in a cookie that no script
reads or, for players that keep no cookies, in the address of the stream.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

STREAM = "/stream.mjpg"
ICON = "/favicon.ico"
"""Browsers ask for it, whatever the page says."""
OPEN_PATHS = frozenset({"/page.js", "/page.css", ICON})
"""What is given to everyone who calls us by our name: files without anything in them."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

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
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            return 403, "this server does not answer to that name; use the address it printed"
        if origin is not None and origin.partition("://")[2] not in self._hosts:
            return 403, "requests from other pages are refused"
        signing_in = path == "/" and bool(query_token)
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none") and not signing_in:
            return 403, "requests from other pages are refused"
        if path in OPEN_PATHS or self._knows(headers):
            return None
        if path in ("/", STREAM) and self.is_token(query_token):
            return None
        return 401, "open the address that sam2s live printed"

    def _knows(self, headers: Mapping[str, str]) -> bool:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return morsel is not None and self.is_token(morsel.value)
