"""What the server refuses: in one line, and alive afterwards."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from annotate_pictures import HEIGHT, WIDTH, huge_png, png_of, refused
from sam2s.annotate.server import gate
from sam2s.annotate.server.application import make_application
from sam2s.annotate.server.sign_in import BROWSERS, SignIn
from sam2s.annotate.workspace import Workspace

HOST = "127.0.0.1:8765"
KINDS = ("image/jpeg", "application/json", "text/html; charset=utf-8")
MASK = {"action": "mask", "object": 1, "frame": 0}

# ------------------------------------------------------------------ who may ask


def test_without_the_cookie_nothing_is_told(app, base: str):
    stranger = TestClient(app, base_url=f"http://{HOST}")
    for path in ("/api/project", base, f"{base}/frames/0", "/api/events", "/api/openapi.json"):
        refused(stranger.get(path), 401, "sign in first")
    for path in ("/api/links", f"{base}/undo", f"{base}/imports?format=coco"):
        refused(stranger.post(path, json={}), 401, "sign in first")
    answer = stranger.get("/")
    assert answer.status_code == 401
    assert "works once" in answer.text


def test_an_address_works_once(app, sign_in: SignIn):
    token = sign_in.new_link()
    first, second = (TestClient(app, base_url=f"http://{HOST}") for _ in range(2))
    answer = first.get("/", params={"token": token})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert first.get("/api/project").status_code == 200
    assert first.get("/", params={"token": token}).status_code == 200, "it is signed in already"
    assert second.get("/", params={"token": token}).status_code == 401
    refused(second.get("/api/project"), 401)
    other = first.post("/api/links").json()["address"]
    assert second.get(other).status_code == 200
    assert second.get("/api/project").status_code == 200


def test_who_uses_the_page_stays_signed_in_however_many_come_after(sign_in: SignIn):
    first = sign_in.use_link(sign_in.new_link())
    second = sign_in.use_link(sign_in.new_link())
    for _ in range(BROWSERS):
        assert sign_in.knows(first)
        sign_in.use_link(sign_in.new_link())
    assert sign_in.knows(first)
    assert not sign_in.knows(second)


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:8765"},
        {"host": "127.0.0.1:9999"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_pages_and_other_names_are_refused(
    page: TestClient, base: str, headers: dict[str, str]
):
    before = page.get(f"{base}/session").json()["revision"]
    refused(page.get("/api/project", headers=headers), 403)
    body = {"action": {"action": "name", "object": 1, "name": "evil"}}
    refused(page.post(f"{base}/actions", json=body, headers=headers), 403)
    assert page.get(f"{base}/session").json()["revision"] == before


def test_a_websocket_is_closed(page: TestClient):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), page.websocket_connect("/api/events"):
        pass


def test_answers_forbid_what_a_page_could_be_made_to_do(page: TestClient):
    for path in ("/", "/page/main.js", "/api/project", "/api/none"):
        headers = page.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_a_password_signs_in_and_only_where_there_is_one(work: Workspace, monkeypatch):
    monkeypatch.setattr("sam2s.annotate.server.sign_in.WAIT", 0.0)
    open_to_others = make_application(work, SignIn(8765, "right"), {HOST})
    client = TestClient(open_to_others, base_url=f"http://{HOST}")
    refused(client.post("/api/login", json={"password": "wrong"}), 403, "not the password")
    refused(client.get("/api/project"), 401)
    assert client.post("/api/login", json={"password": "right"}).status_code == 200
    assert client.get("/api/project").status_code == 200
    without = TestClient(make_application(work, SignIn(8765), {HOST}), base_url=f"http://{HOST}")
    for guess in ("", "None", "right"):
        refused(without.post("/api/login", json={"password": guess}), 403)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    "strange",
    ["..", "../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "0" * 16, "a" * 5000, "%00", "x"],
)
def test_ids_lead_nowhere_else(page: TestClient, base: str, strange: str):
    for path in (
        f"/api/videos/{strange}",
        f"/api/videos/{strange}/frames/0",
        f"/api/exports/{strange}",
        f"{base}/frames/{strange}",
        f"{base}/runs/{strange}/memories",
        f"/page/{strange}",
        f"/page/../{strange}",
    ):
        answer = page.get(path)
        assert "root:" not in answer.text
        if answer.status_code == 200:  # 0000 is frame 0, and clients resolve ".." themselves
            assert answer.headers["content-type"] in KINDS
            continue
        assert answer.status_code in (400, 401, 404, 422), path
    assert page.get("/api/project").status_code == 200


@pytest.mark.parametrize(
    "action",
    [
        {"action": "mask", "object": 1, "frame": 0, "file": "/etc/passwd"},
        {"action": "mask", "object": 1, "frame": 0},
        {
            "action": "mask",
            "object": 1,
            "frame": 0,
            "rle": {"size": [10**5, 10**5], "counts": [10**9]},
        },
        {
            "action": "mask",
            "object": 1,
            "frame": 0,
            "rle": {"size": [HEIGHT, WIDTH], "counts": "~~~"},
        },
        {
            "action": "mask",
            "object": 1,
            "frame": 0,
            "rle": {"size": [HEIGHT, WIDTH], "counts": [5]},
        },
        {
            "action": "mask",
            "object": 1,
            "frame": 0,
            "rle": {"size": [HEIGHT, WIDTH], "counts": "ÿ"},
        },
        {"action": "track", "objects": [1], "frame": 0},
        {"action": "click", "object": 0, "frame": 0, "x": 1.0, "y": 1.0},
        {"action": "click", "object": 1, "frame": -1, "x": 1.0, "y": 1.0},
        {"action": "click", "object": 1, "frame": 10**6, "x": 1.0, "y": 1.0},
        {"action": "click", "object": 1, "frame": 0, "x": 1e6, "y": 1.0},
        {"action": "click", "object": 1, "frame": 0, "x": "1", "y": 1.0},
        {"action": "click", "object": 1, "frame": True, "x": 1.0, "y": 1.0},
        {"action": "click", "object": 1, "frame": 0, "x": 1.0},
        {"action": "click", "object": 1, "time": "0:01", "x": 1.0, "y": 1.0},
        {"action": "box", "object": 1, "frame": 0, "x": 9.0, "y": 9.0, "x2": 3.0, "y2": 12.0},
        {"action": "name", "object": 1, "name": "two\nlines"},
        {"action": "name", "object": 1, "name": "x" * 101},
        {"action": "name", "object": 1, "name": "\ud800"},
        {"action": "absent", "object": 1, "frame": 5, "to": 2},
        {"action": "discard", "version": 99},
        {"action": "fly"},
        "click",
        None,
    ],
)
def test_actions_that_make_no_sense_change_nothing(page: TestClient, base: str, action: object):
    before = page.get(f"{base}/session").json()["revision"]
    text = json.dumps({"action": action})
    answer = page.post(
        f"{base}/actions", content=text, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]
    assert page.get(f"{base}/session").json()["revision"] == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"action":' * 50_000,
        b'{"action": {"action": "click", "object": 1, "frame": 0, "x": NaN, "y": Infinity}}',
        b'{"action": {"action": "click", "object": 1e999, "frame": 0, "x": 1, "y": 1}}',
        b'{"action": {"action": "name", "object": ' + b"9" * 5000 + b', "name": "x"}}',
    ],
)
def test_bodies_that_are_no_json_are_refused(page: TestClient, base: str, body: bytes):
    headers = {"content-type": "application/json"}
    answer = page.post(f"{base}/actions", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text[:200]
    assert page.get("/api/project").status_code == 200


def test_what_is_too_long_is_refused_whatever_it_states(
    page: TestClient, base: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(gate, "LONGEST_MESSAGE", 1000)
    refused(page.post(f"{base}/actions", content=b"x" * 1001), 413, "too long")

    def blocks() -> Iterator[bytes]:
        yield from (b"y" * 400 for _ in range(5))

    refused(page.post(f"{base}/actions", content=blocks()), 413, "too long")
    assert page.get("/api/project").status_code == 200


def test_pictures_that_are_none_or_too_large_are_refused(page: TestClient, base: str):
    path = f"{base}/mask-file?object=1&frame=0"
    refused(page.post(path, content=huge_png(30_000)), 400, "too large")
    refused(page.post(path, content=b"no picture"), 400, "the picture")
    refused(page.post(path, content=png_of(np.eye(7) > 0)), 400, f"the video {WIDTH} x {HEIGHT}")
    refused(page.post(path, content=png_of(np.zeros((HEIGHT, WIDTH), bool))), 400)


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "ha">'
    + '<!ENTITY x0 "&x;&x;">'
    + "".join(f'<!ENTITY x{k + 1} "' + f"&x{k};" * 10 + '">' for k in range(8))
    + "]><annotations>&x8;</annotations>"
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    "<annotations>&x;</annotations>"
)


def zip_of(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return made.getvalue()


@pytest.mark.parametrize(
    ("format", "content"),
    [
        ("coco", b"{}"),
        ("coco", b"[" * 200_000),
        ("coco", b'{"videos": [{"name": "v"}], "images": []}'),
        ("coco", zip_of(**{"..__..__escaped.json": b"{}"})),
        ("coco", zip_of(**{"__absolute.json": b"{}"})),
        ("coco", zip_of(**{"nothing.txt": b"x"})),
        ("cvat", BOMB.encode()),
        ("cvat", OUTSIDE.encode()),
        ("cvat", b"<annotations><track></annotations>"),
        ("davis", b"no archive"),
        ("davis", zip_of(**{"Annotations__v__00000.png": huge_png(30_000)})),
        ("sa-v", b'{"video_id": "v", "masklet": 5}'),
        ("csv", b"frame,object"),
        ("/etc/passwd", b""),
    ],
)
def test_files_that_are_not_of_the_format_add_nothing(
    page: TestClient, base: str, tmp_path: Path, format: str, content: bytes
):
    before = page.get(f"{base}/session").json()["revision"]
    answer = page.post(f"{base}/imports", params={"format": format}, content=content)
    assert answer.status_code == 400, answer.text
    assert "root:" not in answer.text
    assert page.get(f"{base}/session").json()["revision"] == before
    assert not list(tmp_path.parent.rglob("escaped.json"))


def test_a_coco_file_whose_masks_claim_a_billion_pixels_is_refused(page: TestClient, base: str):
    side = 200_000
    one = {"image_id": 1, "track_id": 1, "category_id": 1}
    content = {
        "videos": [{"name": "v", "fps": 1.0}],
        "images": [{"id": 1, "frame_id": 0, "height": side, "width": side, "time": None}],
        "annotations": [{**one, "segmentation": {"size": [side, side], "counts": [side * side]}}],
        "tracks": [{"id": 1, "name": "x"}],
    }
    answer = page.post(f"{base}/imports?format=coco", content=json.dumps(content).encode())
    assert answer.status_code == 400, answer.text
    assert page.get("/api/project").status_code == 200
