"""Who may ask: one-time addresses, a password where others can reach the port, and cookies."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from threading import Lock

BROWSERS = 32
"""Cookies that are valid at a time; the one that was not used for longest goes first."""
WAIT = 1.0
"""Seconds that a wrong password costs."""


class SignIn:
    """Keys of one server, which end with it. ``port`` is part of the cookie's name, since browsers
    give the cookies of one address to all its ports. Safe to use from several threads."""

    def __init__(self, port: int, password: str | None = None) -> None:
        self.cookie = f"sam2s_{port}"
        self._password = None if password is None else _digest(password)
        self._links: set[str] = set()
        self._keys: list[str] = []
        self._lock = Lock()

    def new_link(self) -> str:
        """A token that is good for one browser, once."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._links.add(_digest(token))
        return token

    def use_link(self, token: str) -> str | None:
        """The key for the cookie; None when the token was used before or is none of ours."""
        with self._lock:
            if _digest(token) not in self._links:
                return None
            self._links.discard(_digest(token))
            return self._new_key()

    def use_password(self, given: str) -> str | None:
        """The key for the cookie; None, after a while, for a wrong password, and always where there
        is none."""
        right = self._password is not None and hmac.compare_digest(_digest(given), self._password)
        if not right:
            time.sleep(WAIT)
            return None
        with self._lock:
            return self._new_key()

    def knows(self, key: str | None) -> bool:
        """Whether a cookie's key is ours."""
        if key is None:
            return False
        digest = _digest(key)
        with self._lock:
            known = [key for key in self._keys if hmac.compare_digest(digest, key)]
            self._keys = [key for key in self._keys if key not in known] + known
            return bool(known)

    def _new_key(self) -> str:
        key = secrets.token_urlsafe(32)
        self._keys = [*self._keys, _digest(key)][-BROWSERS:]
        return key


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
