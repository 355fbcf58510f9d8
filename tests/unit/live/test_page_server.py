"""The page's server: what it gives, and to whom it gives nothing."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from io import BytesIO
from threading import Event, Thread
from time import perf_counter
from urllib.parse import urlsplit

import numpy as np
import pytest
from fakes import picture
from PIL import Image

from sam2s.errors import InputError
from sam2s.live.inbox import ActionInbox
from sam2s.live.page_server import LONGEST_MESSAGE, PageServer
from sam2s.live.sink import LivePicture
from sam2s.types import Frame, FrameResult

CLICK = json.dumps({"action": "click", "object": 1, "x": 3, "y": 4})


@pytest.fixture
def page() -> Iterator[PageServer]:
    server = PageServer(ActionInbox())
    yield server
    server.close()


def shot(index: int) -> LivePicture:
    frame = Frame(index, index / 25, picture(), perf_counter())
    masks = {1: np.ones(frame.size, bool)}
    return LivePicture(frame, FrameResult(index, 0.0, masks, {1: 0.9}, {1: 0.8}), {1: "<b>"}, False)


def ask(page: PageServer, path: str, method: str = "GET", body: str | None = None, **headers: str):
    """Status, headers and text of an answer, as a browser with the cookie asks for it."""
    port = urlsplit(page.address).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    cookie = page.door.cookie_header().partition(";")[0]
    given = {"Host": f"127.0.0.1:{port}", "Cookie": cookie, "Content-Type": "application/json"}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    try:
        connection.request(method, path, body, {k: v for k, v in given.items() if v})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def test_the_address_gives_a_cookie_and_then_the_page(page: PageServer):
    path = page.address.partition("/?")[2]
    status, headers, _ = ask(page, f"/?{path}", Cookie="")
    assert (status, headers["Location"]) == (303, "/")
    assert headers["Set-Cookie"].endswith("HttpOnly; SameSite=Strict; Path=/")
    status, headers, text = ask(page, "/")
    assert status == 200
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "<script>" not in text
    assert "style=" not in text
    for part in ("/page.js", "/page.css"):
        assert ask(page, part, Cookie="")[0] == 200


@pytest.mark.parametrize("path", ["/", "/state", "/stream.mjpg", "/nonsense"])
def test_without_the_cookie_there_is_nothing(page: PageServer, path: str):
    assert ask(page, path, Cookie="")[0] == 401
    assert ask(page, f"{path}?token=wrong", Cookie="")[0] == 401
    assert ask(page, path, Cookie=f"sam2s_live_{urlsplit(page.address).port}=wrong")[0] == 401
    assert ask(page, "/act", "POST", CLICK, Cookie="")[0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_other_pages_and_other_names_are_refused(page: PageServer, headers: dict[str, str]):
    assert ask(page, "/state", **headers)[0] == 403
    assert ask(page, "/act", "POST", CLICK, **headers)[0] == 403
    assert page.inbox.take() == []


def test_actions_go_in(page: PageServer):
    own = page.address.partition("/?")[0]
    assert ask(page, "/act", "POST", CLICK, Origin=own, Sec_Fetch_Site="same-origin")[0] == 200
    assert len(page.inbox.take()) == 1
    status, _, text = ask(page, "/act", "POST", '{"action": "lock"}')
    assert (status, "nothing to do on a live source" in text) == (400, True)
    assert ask(page, "/act", "POST", "{")[0] == 400
    assert ask(page, "/act", "POST", CLICK, Content_Type="text/plain")[0] == 404
    assert ask(page, "/act", "POST", CLICK, Content_Length=str(LONGEST_MESSAGE + 1))[0] == 413
    assert ask(page, "/act", "POST", CLICK, Content_Length="-1")[0] == 413
    assert ask(page, "/other", "POST", CLICK)[0] == 404
    assert page.inbox.take() == []


def test_the_state_says_who_is_there(page: PageServer):
    assert json.loads(ask(page, "/state")[2])["age"] is None
    page.show(shot(3))
    status, _, text = ask(page, "/state")
    state = json.loads(text)
    assert 0 <= state["age"] < 5, "seconds: an old picture is no live one"
    assert status == 200
    assert state["objects"] == {"1": {"name": "<b>", "class": None, "presence": 0.9}}
    assert state["size"] == [32, 24]


def test_the_stream_gives_newer_pictures_to_a_player_with_the_token(page: PageServer):
    page.show(shot(0))  # before anybody looks: old when somebody does
    address = urlsplit(page.stream)
    ended = Event()

    def film() -> None:
        index = 1
        while not ended.wait(0.01):
            page.show(shot(index))
            index += 1

    camera = Thread(target=film)
    with socket.create_connection(("127.0.0.1", address.port), timeout=5) as line:
        request = f"GET {address.path}?{address.query} HTTP/1.1\r\nHost: 127.0.0.1:{address.port}"
        line.sendall(f"{request}\r\n\r\n".encode())
        file = line.makefile("rb")
        while file.readline().strip():
            pass
        camera.start()
        for _ in range(3):
            assert file.readline() == b"--frame\r\n"
            assert file.readline() == b"Content-Type: image/jpeg\r\n"
            length = int(file.readline().split()[1])
            file.readline()
            with Image.open(BytesIO(file.read(length))) as shown:
                assert shown.size == (32, 24)
            file.readline()
        file.close()
    ended.set()
    camera.join()
    assert page.latency is not None
    assert page.latency.summary().count >= 2
    assert page.latency.summary().max < 2000


def test_a_port_that_is_taken(page: PageServer):
    with pytest.raises(InputError, match="cannot be listened at"):
        PageServer(ActionInbox(), urlsplit(page.address).port or 0)
    with pytest.raises(InputError, match="0 to 65535"):
        PageServer(ActionInbox(), 70_000)
