"""What the server answers to the page."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from torch import Tensor

from annotate_pictures import HEIGHT, WIDTH, act, png_of, refused
from sam2s.annotate.project import Project
from sam2s.annotate.server.application import make_application
from sam2s.annotate.workspace import Workspace
from sam2s.masklets.masks import encode_rle
from sam2s.model.sam2s import SAM2S
from sam2s.types import Features
from tiny import moving_square

SECRET = b"Jane Doe, 12.3.1950"
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


def test_a_frame_that_is_looked_at_is_encoded_before_the_click(
    page: TestClient, base: str, monkeypatch: pytest.MonkeyPatch
):
    encoded: list[object] = []
    encode = SAM2S.encode

    def counted(model: SAM2S, pixels: Tensor) -> Features:
        encoded.append(pixels)
        return encode(model, pixels)

    # Of every network: a tracker may run on a copy.
    monkeypatch.setattr(SAM2S, "encode", counted)
    assert page.post(f"{base}/look", json={"frame": 7}).status_code == 204
    assert len(encoded) == 1
    assert act(page, base, **{**CLICK, "frame": 7, "object": 9}).status_code == 200
    assert page.post(f"{base}/preview", json={"object": 9, "frame": 7}).status_code == 200
    assert len(encoded) == 1, "the preview took the features that were there"
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


def test_out_of_body_frames_leave_black_and_without_masks(page: TestClient, base: str):
    mask = np.ones((HEIGHT, WIDTH), bool)
    for frame in (6, 9):
        act(page, base, action="mask", object=90, frame=frame, rle=encode_rle(mask))
        page.post(f"{base}/preview", json={"object": 90, "frame": frame})
    act(page, base, action="out_of_body", frame=8, to=9)
    made = page.post(f"{base}/exports", json={"format": "coco", "objects": [90]}).json()
    (file,) = Path(made["folder"]).glob("*.json")
    areas = {a["image_id"]: a["area"] for a in json.loads(file.read_text())["annotations"]}
    assert (made["frames"], list(areas.values())) == (3, [HEIGHT * WIDTH]), "frame 6 alone"
    made = page.post(f"{base}/training-set").json()
    pictures, masks = (Path(made["folder"]) / part / "op" for part in ("JPEGImages", "Annotations"))
    for frame in (8, 9):
        assert not np.asarray(Image.open(pictures / f"{frame:06d}.jpg")).any()
        assert not np.asarray(Image.open(masks / "090" / f"{frame:06d}.png")).any()
    assert np.asarray(Image.open(pictures / "000006.jpg")).any()
    act(page, base, action="out_of_body", frame=6, to=6)
    refused(
        page.post(f"{base}/exports", json={"format": "csv", "objects": [90]}), 400, "nothing to"
    )
    act(page, base, action="in_body", frame=6, to=9)


def test_sound_and_what_a_camera_writes_of_a_patient_stay_here(tmp_path: Path, work, sign_in):
    source = tmp_path / "op.mp4"
    _film_with_sound(source)
    project = Project(tmp_path / "project", [source])
    theirs = Workspace(project, work.models.choice)
    page = TestClient(make_application(theirs, sign_in, {HOST}), base_url=f"http://{HOST}")
    page.get("/", params={"token": sign_in.new_link()})
    base = f"/api/videos/{project.videos[0].id}"
    try:
        while not page.get(base).json()["indexed"]:
            time.sleep(0.05)
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[8:30, 10:40] = True
        act(page, base, action="mask", object=1, frame=1, rle=encode_rle(mask))
        page.post(f"{base}/preview", json={"object": 1, "frame": 1})
        made = [page.post(f"{base}/exports", json={"format": "mask-video"}).json()]
        made.append(page.post(f"{base}/training-set").json())
        files = [file for one in made for file in Path(one["folder"]).rglob("*") if file.is_file()]
        assert not [file for file in files if SECRET in file.read_bytes()]
        films = [file for file in files if file.suffix in (".mkv", ".mp4")]
        pictures = [file for file in files if file.suffix in (".jpg", ".png")]
        assert len(films) == 1
        assert len(pictures) == 2
        with av.open(films[0]) as film:
            assert [stream.type for stream in film.streams] == ["video"]
        for picture in pictures:
            with Image.open(picture) as opened:
                assert not opened.getexif()
    finally:
        theirs.close()


def _film_with_sound(path: Path) -> None:
    """A video with a voice and a patient's name in every place that MP4 has for one."""
    with av.open(str(path), "w") as film:
        film.metadata.update({"title": SECRET.decode(), "comment": SECRET.decode()})
        picture = film.add_stream("libx264", rate=10, width=WIDTH, height=HEIGHT)
        picture.pix_fmt = "yuv420p"
        voice = film.add_stream("aac", rate=16000, layout="mono")
        voice.metadata["handler_name"] = SECRET.decode()
        for image in moving_square(4, height=HEIGHT, width=WIDTH):
            film.mux(picture.encode(av.VideoFrame.from_ndarray(image)))
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 6400), np.float32), "fltp", "mono")
        sound.sample_rate = 16000
        film.mux(voice.encode(sound))
        film.mux(picture.encode())
        film.mux(voice.encode())
    assert SECRET in path.read_bytes()


def test_the_page_and_its_parts_are_served(page: TestClient):
    import re

    text = page.get("/").text
    for address in re.findall(r'(?:src|href)="(/page/[^"]+)"', text):
        assert page.get(address).status_code == 200, address
    assert "http" not in re.sub(r"http-equiv", "", text), "nothing comes from elsewhere"


def test_the_command_to_fine_tune_works(page: TestClient, base: str, monkeypatch):
    from sam2s.cli import main

    monkeypatch.setattr(shutil, "which", lambda _: None)  # as in an environment that is not active
    for frame in (0, 1, 2, 5):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[10 + frame : 30 + frame, 20:50] = True
        act(page, base, action="mask", object=60, frame=frame, rle=encode_rle(mask))
        page.post(f"{base}/preview", json={"object": 60, "frame": frame})
    act(page, base, action="name", object=60, name="grasper")
    made = page.post(f"{base}/training-set")
    assert made.status_code == 200, made.text
    program, *arguments = shlex.split(made.json()["command"])
    assert [program, *arguments[:2]] == [sys.executable, "-m", "sam2s"]
    del arguments[:2]
    assert main([*arguments, "--dry-run", "--device", "cpu"]) == 0
