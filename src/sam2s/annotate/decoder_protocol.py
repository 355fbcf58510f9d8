"""What the server and the processes that decode say to each other: a head in JSON and bytes.
Nothing is unpickled: whoever takes over a decoder gets no further than its own process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

LONGEST_HEAD, LONGEST_BODY = 2**20, 2**30
"""Bytes; a picture may have 64 megapixels."""


def send(to: Connection, head: Mapping[str, Any], body: bytes | memoryview = b"") -> None:
    """Send one message."""
    to.send_bytes(json.dumps({**head, "bytes": len(body)}).encode())
    if len(body):
        to.send_bytes(body)


def receive(one: Connection) -> tuple[dict[str, Any], bytes]:
    """Wait for one message; ``EOFError`` or ``OSError`` when the other side is gone, ``ValueError``
    for what is no message."""
    head = json.loads(one.recv_bytes(LONGEST_HEAD))
    body = one.recv_bytes(LONGEST_BODY) if head["bytes"] else b""
    if len(body) != head["bytes"]:
        raise ValueError("the body is not as long as its head says")
    return head, body
