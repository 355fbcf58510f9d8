"""Pictures and words for the tests of the annotation server."""

from __future__ import annotations

import io
import zlib
from typing import Any

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

FRAMES, HEIGHT, WIDTH = 10, 48, 80


def png_of(mask: np.ndarray) -> bytes:
    """(H, W) bool as a black and white PNG."""
    made = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(made, "PNG")
    return made.getvalue()


def huge_png(side: int) -> bytes:
    """A few bytes that say they are a picture of ``side`` x ``side`` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    size = side.to_bytes(4, "big")
    head = chunk(b"IHDR", size + size + bytes([8, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"x\x9c") + chunk(b"IEND", b"")


def act(page: TestClient, base: str, **action: object) -> Any:
    """Do an action as the page does; the answer."""
    return page.post(f"{base}/actions", json={"action": action})


def refused(answer: Any, status: int, word: str = "") -> None:
    """Whether an answer is a refusal in one line."""
    assert answer.status_code == status, answer.text
    line = answer.json()["error"]
    assert "\n" not in line
    assert word in line
