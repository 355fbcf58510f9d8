"""``sam2s measure``: from a tracked video to tables and a page."""

from __future__ import annotations

import csv
import json
import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sam2s.export.tracks import TrackedSource, TracksWriter
from sam2s.export.video_file import write_video
from sam2s.types import FrameResult

HEIGHT, WIDTH, FRAMES, FPS = 72, 96, 60, 25.0
EVIL = "<script>alert(1)</script> $x^{$"


def write_result(folder: Path, *, timed: bool = True, name: str = EVIL, frames: int = FRAMES):
    """A bar that comes in from the left and works, under a name that means harm."""
    folder.mkdir()
    about = {"actions": [{"action": "name", "object": 1, "name": name}]}
    info = TrackedSource("op.mp4", WIDTH, HEIGHT, FPS if timed else None)
    writer = TracksWriter(folder / "tracks.json", info, about)
    for t in range(frames):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        if not 30 <= t < 40:
            mask[30:38, : round(50 + 20 * np.sin(t / 5))] = True
        here = {1: float(mask.any())}
        writer.write(FrameResult(t, t / FPS if timed else None, {1: mask}, here, here))
    writer.close()
    return folder


class Page(HTMLParser):
    """Tags of a page, and every address in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_table_and_the_caveat_are_printed(sam2s, tmp_path: Path):
    said = sam2s(f"measure {write_result(tmp_path / 'run', name='grasper')}")
    assert said.code == 0, said.err
    assert "op: 2.4 s tracked" in said.out
    assert re.search(r"1 grasper \(tip\) +2\.0 s +1 +1 +\d+ px", said.out)
    assert "They are no millimetres" in said.out
    assert "subtract it with --camera VIDEO" in said.out


def test_the_report_holds_everything_and_runs_nothing(sam2s, tmp_path: Path):
    run = write_result(tmp_path / "run")
    said = sam2s(f"measure {run} --report {tmp_path}/report")
    assert said.code == 0, said.err
    text = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert EVIL in page.text
    assert "default-src 'none'" in text
    assert page.addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.addresses)
    for address in page.addresses:
        drawn = b64decode(address.partition(",")[2])
        assert drawn.startswith(b"<?xml")
        assert b"<script>alert" not in drawn
    content = json.loads((tmp_path / "report" / "measures.json").read_text())
    (video,) = content["videos"]
    assert video["objects"][0]["presence"]["absences"] == [{"begin": 1.2, "end": 1.6}]
    with open(tmp_path / "report" / "objects.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["tip_path_px"]) == pytest.approx(video["objects"][0]["tip"]["path"]["px"])
    assert float(row["presence_in_view"]) == pytest.approx(2.0)
    with open(tmp_path / "report" / "frames.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == FRAMES
    assert float(rows[0]["tip_x"]) == pytest.approx(49, abs=3)
    assert rows[35]["tip_x"] == ""
    assert not list((tmp_path / "report").glob(".*"))


def test_tables_have_the_same_columns_whatever_is_missing(sam2s, tmp_path: Path):
    heads = set()
    for name, frames in (("grasper", FRAMES), ("liver", FRAMES), ("hook", 5)):
        run = write_result(tmp_path / name, name=name, frames=frames)
        assert sam2s(f"measure {run} --report {tmp_path}/{name}/r").code == 0
        heads.add((tmp_path / name / "r" / "objects.csv").read_text().partition("\n")[0])
    assert len(heads) == 1


def test_a_formula_is_no_cell(sam2s, tmp_path: Path):
    run = write_result(tmp_path / "run", name="=HYPERLINK(1)")
    assert sam2s(f"measure {run} --report {tmp_path}/r").code == 0
    assert ",'=HYPERLINK(1)," in (tmp_path / "r" / "objects.csv").read_text()


def test_several_results_and_the_camera(sam2s, tmp_path: Path):
    rng = np.random.default_rng(0)
    ground = np.kron(rng.integers(0, 255, (30, 40, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    videos = tmp_path / "videos"
    videos.mkdir()
    pictures = [ground[:HEIGHT, t // 3 : t // 3 + WIDTH] for t in range(FRAMES)]
    write_video(videos / "op.mp4", pictures, FPS)
    runs = f"{write_result(tmp_path / 'a')} {write_result(tmp_path / 'b')}"
    said = sam2s(f"measure {runs} --camera {videos} --report {tmp_path}/r")
    assert said.code == 0, said.err
    content = json.loads((tmp_path / "r" / "measures.json").read_text())
    assert [v["video"] for v in content["videos"]] == [f"op ({tmp_path}/{n})" for n in "ab"]
    assert all(video["steadied"] for video in content["videos"])
    assert "camera motion was subtracted" not in said.out
    assert "The camera's motion was subtracted" in said.out
    refused = sam2s(f"measure {runs} --camera {videos}/op.mp4")
    assert (refused.code, refused.err.count("\n")) == (2, 1)


def test_what_cannot_be_measured_is_one_line(sam2s, tmp_path: Path):
    run, untimed = write_result(tmp_path / "run"), write_result(tmp_path / "pictures", timed=False)
    (tmp_path / "file").touch()
    for arguments, words in (
        (f"{tmp_path}/none", "holds no tracks.json"),
        (f"{untimed}", "say how many there are a second with --fps"),
        (f"{untimed} --fps 0", "must be above 0"),
        (f"{run} --smooth -1", "--smooth -1.0: must be 0 or more"),
        (f"{run} --camera {tmp_path}/gone.mp4", "gone.mp4"),
        (f"{run} --report {tmp_path}/file", "it is a file, expected the name of a folder"),
    ):
        said = sam2s(f"measure {arguments}")
        assert (said.code, said.err.count("\n")) == (2, 1), said.err
        assert words in said.err
    assert sam2s(f"measure {untimed} --fps 25").code == 0
