"""``tracks.json``: what is written, and reading it back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sam2s.errors import InputError
from sam2s.export.tracks import Breakage, TrackedSource, TracksWriter, read_head, read_tracks
from sam2s.masklets.masks import decode_rle
from sam2s.types import FrameResult

SOURCE = TrackedSource("opération.mp4", 5, 4, 25.0)
RUN = {"model": "nano", "memory": "diverse", "prompts": {"0": ["1:2,3"]}}
HERE = np.eye(4, 5, dtype=bool)
NOWHERE = np.zeros((4, 5), bool)


def result(index: int, time: float | None) -> FrameResult:
    return FrameResult(
        index, time, {2: HERE, 1: NOWHERE}, {2: 0.98765432, 1: 0.01}, {2: 0.5, 1: 0.0}
    )


def write(path: Path, frames: int = 2, broke_at: Breakage | None = None) -> Path:
    writer = TracksWriter(path, SOURCE, RUN)
    for i in range(frames):
        writer.write(result(i, i / 25))
    writer.close(broke_at)
    return path


def test_the_file_is_plain_json_in_the_stated_form(tmp_path: Path):
    content = json.loads(write(tmp_path / "tracks.json").read_text(encoding="utf-8"))
    assert list(content) == ["format", "version", "source", "run", "frames", "complete", "broke_at"]
    assert content["source"] == {"name": "opération.mp4", "width": 5, "height": 4, "fps": 25.0}
    assert content["run"] == RUN
    assert (content["complete"], content["broke_at"]) == (True, None)
    frame = content["frames"][1]
    assert (frame["index"], frame["time"], list(frame["objects"])) == (1, 0.04, ["1", "2"])
    assert (frame["objects"]["2"]["presence"], frame["objects"]["2"]["score"]) == (0.987654, 0.5)
    assert np.array_equal(decode_rle(frame["objects"]["2"]["rle"]), HERE)


def test_one_line_a_frame(tmp_path: Path):
    lines = write(tmp_path / "tracks.json", frames=3).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 + 3 + 2
    assert json.loads(lines[3].rstrip(","))["index"] == 1


def test_reading_back(tmp_path: Path):
    tracks = read_tracks(write(tmp_path / "t.json"))
    assert (tracks.source, tracks.run, tracks.complete, tracks.broke_at) == (
        SOURCE,
        RUN,
        True,
        None,
    )
    assert [(frame.index, frame.time) for frame in tracks.frames] == [(0, 0.0), (1, 0.04)]
    seen = tracks.frames[0].objects
    assert np.array_equal(seen[2].mask, HERE)
    assert not seen[1].mask.any()
    assert seen[1].mask.shape == (4, 5)


def test_a_break_is_written_down(tmp_path: Path):
    broke = Breakage(2, None, 'he said "stop"')
    tracks = read_tracks(write(tmp_path / "t.json", broke_at=broke))
    assert not tracks.complete
    assert tracks.broke_at == broke
    assert len(tracks.frames) == 2


def test_no_frames_and_no_objects(tmp_path: Path):
    assert read_tracks(write(tmp_path / "t.json", frames=0)).frames == ()
    writer = TracksWriter(tmp_path / "u.json", SOURCE, {})
    writer.write(FrameResult(0, None))
    writer.close()
    assert read_tracks(tmp_path / "u.json").frames[0].objects == {}


def test_a_line_cut_off_by_an_interrupt_is_taken_back(tmp_path: Path):
    writer = TracksWriter(tmp_path / "t.json", SOURCE, RUN)
    writer.write(result(0, 0.0))
    writer._file.write(b',\n{"index": 1, "ti')
    writer.close(Breakage(1, 0.04, "interrupted"))
    writer.close()
    assert len(read_tracks(tmp_path / "t.json").frames) == 1


def test_numbers_that_json_cannot_hold_are_not_written(tmp_path: Path):
    writer = TracksWriter(tmp_path / "t.json", SOURCE, RUN)
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.write(FrameResult(0, float("nan"), {}, {}, {}))
    writer.close()
    assert read_tracks(tmp_path / "t.json").frames == ()


def test_later_keys_are_ignored(tmp_path: Path):
    path = write(tmp_path / "t.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["later"] = content["source"]["later"] = content["frames"][0]["objects"]["1"][
        "later"
    ] = 1
    path.write_text(json.dumps(content))
    assert read_tracks(path).source == SOURCE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "not a tracks file"),
        ('{"format": "other"}', "not a tracks file"),
        ('{"format": "sam2s-tracks", "version": 9}', "is version 9, this program reads version 1"),
        ('{"format": "sam2s-tracks", "version": 1}', "damaged tracks file"),
        (
            '{"format": "sam2s-tracks", "version": 1, "source": 3, "broke_at": null}',
            "damaged tracks file",
        ),
    ],
)
def test_files_that_are_no_tracks(text: str, words: str, tmp_path: Path):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(InputError, match=words):
        read_tracks(tmp_path / "t.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c | {"complete": 1}, "complete must be true or false, got 1"),
        (lambda c: {k: v for k, v in c.items() if k != "complete"}, "lacks complete"),
        (lambda c: c | {"frames": 5}, "frames must be a list, got 5"),
        (lambda c: c | {"frames": [{"index": 0, "time": "x", "objects": {}}]}, "frames[0].time"),
        (
            lambda c: c | {"source": {"name": 5, "width": 1, "height": 1}},
            "source.name must be text",
        ),
        (lambda c: c | {"broke_at": {"index": 0}}, "broke_at is incomplete: lacks time, reason"),
    ],
)
def test_the_damaged_field_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], words: str
):
    path = write(tmp_path / "t.json")
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=r"t.json: damaged tracks file") as caught:
        read_tracks(path)
    assert words in str(caught.value)


@pytest.mark.parametrize("line", ["[" * 100_000, '{"format": "sam2s-tracks", "source": 5},'])
def test_heads_that_are_none(tmp_path: Path, line: str):
    (tmp_path / "t.json").write_text(line + "\n")
    assert read_head(tmp_path / "t.json") == {}


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_tracks(tmp_path / "t.json")


def test_the_head_alone(tmp_path: Path):
    head = read_head(write(tmp_path / "t.json"))
    assert head["source"]["name"] == SOURCE.name
    for text in ["", "x" * 50, "{}", '{"format": "other",\n', "[1,\n"]:
        (tmp_path / "u.json").write_text(text)
        assert read_head(tmp_path / "u.json") == {}
