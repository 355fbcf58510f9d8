"""``sam2s track``: prompts on any frame, both directions, stretches, absences, and updates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sam2s.export.tracks import Tracks, read_tracks
from sam2s.media.frames import open_frames
from sam2s.tracking.tracker import Tracker
from sam2s.types import Points
from sam2s.weights.load import load_model

FRAMES, FPS = 12, 10.0


@pytest.fixture
def track(sam2s, video: Path, model_folder: Path, tmp_path: Path):
    """Run ``sam2s track`` on the video with these options; gives what it found."""

    def run(options: str, out: str = "out") -> Tracks:
        line = f"track {video} --out {tmp_path / out} --model {model_folder} --device cpu {options}"
        said = sam2s(line)
        assert said.code == 0, said.err
        return read_tracks(tmp_path / out / "tracks.json")

    return run


def frames_of(tracks: Tracks, object_id: int) -> list[int]:
    return [frame.index for frame in tracks.frames if object_id in frame.objects]


def masks_of(tracks: Tracks, object_id: int) -> dict[int, np.ndarray]:
    return {f.index: f.objects[object_id].mask for f in tracks.frames if object_id in f.objects}


def test_prompts_on_any_frame_are_what_the_tracker_does_with_them(
    track, video: Path, model_folder: Path
):
    found = track("--click 1:16,18@2 --click 1:40,40,-@5 --click 2:30,30@00:00.4")
    prompts = {
        2: {1: Points([[16, 18]], [1])},
        4: {2: Points([[30, 30]], [1])},
        5: {1: Points([[40, 40]], [0])},
    }
    expected = Tracker(load_model(model_folder)).run(open_frames(video), prompts)
    for frame, result in zip(found.frames, expected, strict=True):
        assert frame.index == result.index
        assert frame.objects.keys() == result.masks.keys()
        for i, mask in result.masks.items():
            np.testing.assert_array_equal(frame.objects[i].mask, mask)
    assert frames_of(found, 2) == list(range(4, FRAMES))


def test_backward_and_both(track):
    assert frames_of(track("--click 1:16,18@6 --direction backward"), 1) == list(range(7))
    both = track("--click 1:16,18@6 --direction both", "both")
    assert frames_of(both, 1) == list(range(FRAMES))
    forward = track("--click 1:16,18@6", "forward")
    for index, mask in masks_of(forward, 1).items():
        np.testing.assert_array_equal(masks_of(both, 1)[index], mask)


def test_a_stretch_in_frames_and_in_time(track):
    assert frames_of(track("--click 1:16,18@3 --frames 2:7"), 1) == [3, 4, 5, 6, 7]
    by_time = track("--click 1:16,18@3 --time 0.3-00:00.6", "time")
    assert frames_of(by_time, 1) == [3, 4, 5, 6]


def test_an_absence_is_empty(track):
    found = track("--click 1:16,18 --absent 1:4-6")
    for frame in found.frames:
        absent = 4 <= frame.index <= 6
        assert (frame.objects[1].presence == 0) == absent
        assert not (absent and frame.objects[1].mask.any())


def test_a_prompts_file_is_the_same_as_typing(track, tmp_path: Path):
    typed = track("--click 1:16,18@2 --box 2:4,5,30,31@4 --absent 1:8-9", "typed")
    (tmp_path / "p.csv").write_text(
        "action,object,frame,to,x,y,x2,y2\n"
        "click,1,2,,16,18,,\nbox,2,4,,4,5,30,31\nabsent,1,8,9,,,,\n"
    )
    from_file = track(f"--prompts {tmp_path / 'p.csv'}", "file")
    (tmp_path / "p.json").write_text(json.dumps(typed.run["actions"]))
    again = track(f"--prompts {tmp_path / 'p.json'}", "json")
    assert typed.frames == from_file.frames == again.frames


def test_an_update_tracks_only_what_is_touched(track, tmp_path: Path):
    first = track("--click 1:16,18 --click 2:40,40")
    out = tmp_path / "out"
    updated = track(f"--update {out} --box 1:20,10,50,40@7", "updated")
    for before, after in zip(first.frames, updated.frames, strict=True):
        assert after.objects[2] == before.objects[2], "an object without a new prompt"
        assert (after.objects[1] == before.objects[1]) == (before.index < 7)
    twice = track(f"--update {tmp_path / 'updated'} --click 3:30,30@9 --absent 2:1-2", "twice")
    assert frames_of(twice, 3) == [9, 10, 11]
    for before, after in zip(updated.frames, twice.frames, strict=True):
        assert after.objects[1] == before.objects[1]
        assert (after.objects[2].presence == 0) == (before.index in (1, 2))


def test_a_locked_stretch_ends_an_update(track, tmp_path: Path):
    first = track("--click 1:16,18")
    (tmp_path / "p.json").write_text(
        '[{"action": "lock", "object": 1, "frame": 8, "to": 9},\n'
        ' {"action": "box", "object": 1, "frame": 5, "x": 20, "y": 10, "x2": 50, "y2": 40}]'
    )
    updated = track(f"--update {tmp_path / 'out'} --prompts {tmp_path / 'p.json'}", "updated")
    changed = [
        before.index
        for before, after in zip(first.frames, updated.frames, strict=True)
        if after.objects[1] != before.objects[1]
    ]
    assert changed
    assert set(changed) <= {5, 6, 7}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--click 1:16,18@soon", "after @ expected the number of a frame, MM:SS or SECONDSs"),
        ("--click 1:16,18@99", "--frame 99: op.mp4"),
        ("--click 1:16,18@00:59", "op.mp4 runs from 0.000 to 1.200 s"),
        ("--click 1:16,18 --frames 7:3", "--frames 7:3"),
        ("--click 1:16,18 --frames a:3", "expected FROM:TO, two numbers of frames"),
        ("--click 1:16,18 --frames 1:3 --time 0-1", "--frames and --time: give one of them"),
        ("--click 1:16,18 --frames 4:7", "from frame 4 to 7: no object has a prompt there"),
        ("--absent 1:2-3 --click 1:16,18", None),
        ("--click 1:16,18 --absent 2:1-3", "object 2: there is none of that number"),
        ("--absent 1:3 --click 1:16,18", "--absent 3: expected FROM-TO"),
        ("--prompts {tmp}/none.json", "none.json: no such file"),
        ("--update {tmp}/none --click 1:2,2", "none: no such file"),
    ],
)
def test_what_cannot_be_asked(
    sam2s, video: Path, model_folder: Path, tmp_path: Path, options: str, words: str | None
):
    asked = options.format(tmp=tmp_path)
    said = sam2s(f"track {video} --out {tmp_path}/out --model {model_folder} {asked}")
    assert said.code == (0 if words is None else 2), said.err
    if words is not None:
        assert words in said.err
        assert said.err.count("\n") == 1
        assert not (tmp_path / "out").exists()
