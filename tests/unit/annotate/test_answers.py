"""What the server answers to the page."""

from __future__ import annotations

import io
import shlex

import numpy as np
from starlette.testclient import TestClient

from annotate_pictures import HEIGHT, WIDTH, act, png_of, refused
from sam2s.masklets.masks import encode_rle

HOST = "127.0.0.1:8765"
CLICK = {"action": "click", "object": 1, "frame": 0, "x": 20.0, "y": 24.0, "label": 1}


def test_click_preview_undo_redo(page: TestClient, base: str):
    start = page.get(f"{base}/session").json()
    answer = act(page, base, **CLICK)
    assert answer.status_code == 200, answer.text
    assert answer.json()["revision"] == start["revision"] + 1
    seen = page.post(f"{base}/preview", json={"object": 1, "frame": 0})
    assert seen.json()["mask"]["version"] == answer.json()["number"]
    shown = page.get(f"{base}/frames/0/masks").json()["masks"]["1"]
    assert shown["rle"] == seen.json()["mask"]["rle"]
    lane = page.get(f"{base}/lanes").json()["objects"]["1"]
    assert set(lane) == {"states", "scores", "alarms"}
    now = page.get(f"{base}/session").json()
    assert now["undo"] == "click, object 1, frame 0"
    assert now["objects"][0]["given"]["0"]["clicks"] == [[20.0, 24.0, 1]]
    assert page.post(f"{base}/undo", json={"seen": now["revision"]}).status_code == 200
    assert "1" not in page.get(f"{base}/frames/0/masks").json()["masks"]
    refused(page.post(f"{base}/undo", json={"seen": now["revision"]}), 409, "changed elsewhere")
    assert page.post(f"{base}/redo", json={}).status_code == 200
    assert page.get(f"{base}/frames/0/masks").json()["masks"]["1"] == shown


def test_a_frame_that_is_looked_at_is_encoded_before_the_click(page: TestClient, base: str, work):
    encoded: list[object] = []
    work.models.tracker()  # wait for the model
    model = work.models.tracker().model
    encode = model.encode
    model.encode = lambda pixels: encoded.append(pixels) or encode(pixels)
    try:
        assert page.post(f"{base}/look", json={"frame": 7}).status_code == 204
        assert len(encoded) == 1
        assert act(page, base, **{**CLICK, "frame": 7, "object": 9}).status_code == 200
        assert page.post(f"{base}/preview", json={"object": 9, "frame": 7}).status_code == 200
        assert len(encoded) == 1, "the preview took the features that were there"
    finally:
        model.encode = encode
    refused(page.post(f"{base}/look", json={"frame": 99}), 400, "no such frame")


def test_a_mask_that_was_painted_comes_back_to_the_pixel(page: TestClient, base: str):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[5:20, 30:50] = True
    assert (
        act(page, base, action="mask", object=2, frame=3, rle=encode_rle(mask)).status_code == 200
    )
    page.post(f"{base}/preview", json={"object": 2, "frame": 3})
    assert page.get(f"{base}/frames/3/masks").json()["masks"]["2"]["rle"] == encode_rle(mask)
    picture = png_of(mask[::-1])
    assert page.post(f"{base}/mask-file?object=2&frame=4", content=picture).status_code == 200
    page.post(f"{base}/preview", json={"object": 2, "frame": 4})
    shown = page.get(f"{base}/frames/4/masks").json()["masks"]["2"]
    assert shown["rle"] == encode_rle(mask[::-1])


def test_frames_are_pictures_of_the_size_that_was_asked_for(page: TestClient, base: str):
    from PIL import Image

    whole = page.get(f"{base}/frames/2")
    assert whole.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(whole.content)).size == (WIDTH, HEIGHT)
    small = page.get(f"{base}/frames/2?side=40")
    assert max(Image.open(io.BytesIO(small.content)).size) == 40
    refused(page.get(f"{base}/frames/10"), 400, "no such frame")
    refused(page.get(f"{base}/frame-at?seconds=99"), 400, "ends at")
    assert page.get(f"{base}/frame-at?seconds=0.55").json() == {"frame": 5}


def test_exports_come_back_as_imports(page: TestClient, base: str):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[8:20, 10:30] = True
    act(page, base, action="mask", object=7, frame=6, rle=encode_rle(mask))
    act(page, base, action="name", object=7, name="hook")
    page.post(f"{base}/preview", json={"object": 7, "frame": 6})
    for name in ("coco", "cvat", "davis"):
        made = page.post(f"{base}/exports", json={"format": name, "objects": [7]})
        assert made.status_code == 200, made.text
        archive = page.get(f"/api/exports/{made.json()['id']}")
        assert archive.headers["content-type"] == "application/zip"
        answer = page.post(f"{base}/imports?format={name}", content=archive.content)
        assert answer.status_code == 200, answer.text
        (new,) = answer.json()["objects"].values()
        shown = page.get(f"{base}/frames/6/masks").json()["masks"][str(new)]
        assert shown["rle"] == encode_rle(mask)
    refused(page.post(f"{base}/exports", json={"format": "none"}), 400, "expected one of")


def test_out_of_body_frames_are_in_no_export(page: TestClient, base: str):
    mask = np.ones((HEIGHT, WIDTH), bool)
    for frame in (7, 8):
        act(page, base, action="mask", object=90, frame=frame, rle=encode_rle(mask))
        page.post(f"{base}/preview", json={"object": 90, "frame": frame})
    act(page, base, action="out_of_body", frame=8, to=8)
    made = page.post(f"{base}/exports", json={"format": "csv", "objects": [90]}).json()
    assert made["frames"] == 1
    act(page, base, action="in_body", frame=8, to=8)
    assert (
        page.post(f"{base}/exports", json={"format": "csv", "objects": [90]}).json()["frames"] == 2
    )


def test_the_page_and_its_parts_are_served(page: TestClient):
    import re

    text = page.get("/").text
    for address in re.findall(r'(?:src|href)="(/page/[^"]+)"', text):
        assert page.get(address).status_code == 200, address
    assert "http" not in re.sub(r"http-equiv", "", text), "nothing comes from elsewhere"


def test_the_command_to_fine_tune_works(page: TestClient, base: str):
    from sam2s.cli import main

    for frame in (0, 1, 2, 5):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[10 + frame : 30 + frame, 20:50] = True
        act(page, base, action="mask", object=60, frame=frame, rle=encode_rle(mask))
        page.post(f"{base}/preview", json={"object": 60, "frame": frame})
    act(page, base, action="name", object=60, name="grasper")
    made = page.post(f"{base}/training-set")
    assert made.status_code == 200, made.text
    program, *arguments = shlex.split(made.json()["command"])
    assert program == "sam2s"
    assert main([*arguments, "--dry-run", "--device", "cpu"]) == 0
