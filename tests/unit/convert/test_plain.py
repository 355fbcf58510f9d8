"""DAVIS and plain image + mask folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from source_trees import box, codes, converted, grey, junk, mask, picture, write

from sam2s.errors import InputError


def davis_2017(root: Path) -> None:
    for size in ("480p", "Full-Resolution"):
        for video in ("bear", "blackswan"):
            for i in range(3):
                picture(root / f"JPEGImages/{size}/{video}/{i:05d}.jpg", seed=i)
                things = codes(a=(1, box(2, 2, 8, 8)), b=(2, box(20, 20, 8, 8)))
                if i == 1:
                    things[things == 2] = 0
                write(root / f"Annotations/{size}/{video}/{i:05d}.png", things)
    junk(root, "JPEGImages/480p/bear", "Annotations/480p/bear")


def test_davis_2017_keeps_instances_and_its_own_split(tmp_path: Path) -> None:
    davis_2017(tmp_path / "in")
    done = converted("davis", tmp_path / "in", tmp_path / "out")
    assert done.names() == ["davis_bear", "davis_blackswan"]
    assert [done.folder.videos[n].info.split for n in done.names()] == ["train", "val"]
    video = done.folder.videos["davis_bear"]
    assert {known.kind for known in video.info.objects.values()} == {"other"}
    assert done.present("davis_bear") == {1: ["00000", "00001", "00002"], 2: ["00000", "00002"]}
    assert video.info.fps == 24.0


def test_davis_2016_has_one_foreground_and_may_skip_frames(tmp_path: Path) -> None:
    for i in (0, 3, 6):
        picture(tmp_path / f"in/images/goat/{i:05d}.jpg", seed=i)
        write(tmp_path / f"in/masks/goat/{i:05d}.png", grey(box(4, 4, 9, 9)))
    done = converted("davis", tmp_path / "in", tmp_path / "out")
    video = done.folder.videos["davis_goat"]
    assert (list(video.info.objects), video.info.fps, video.info.split) == ([1], 8.0, "val")
    np.testing.assert_array_equal(mask(video, 1, 2), box(4, 4, 9, 9))
    assert done.frames("davis_goat")["00006"] == {"source_frame": 6, "time_s": 0.25}


def test_plain_stills_and_videos(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for number in range(4):
        picture(root / f"images/s{number}.jpg", seed=number)
        write(root / f"masks/s{number}.png", grey(box(2, 2, 9, 9) | box(20, 20, 8, 8)))
    for i in range(3):
        picture(root / f"images/clip/f_{i}.jpg", seed=i)
        write(root / f"masks/clip/f_{i}.png", grey(box(2 + i, 2, 9, 9)))
    given = {"class": "polyp", "kind": "tissue", "objects": "pieces", "val_every": "2", "fps": "5"}
    done = converted("plain", root, tmp_path / "out", **given)
    assert done.names() == [*(f"plain_s{k}" for k in range(4)), "plain_clip"]
    assert done.classes("plain_s0") == {1: "polyp", 2: "polyp"}
    assert done.present("plain_clip") == {1: ["f_0", "f_1", "f_2"]}
    splits = [done.folder.videos[name].info.split for name in done.names()]
    assert splits == ["val", "train", "val", "train", "val"]
    assert done.folder.videos["plain_clip"].info.fps == 5.0
    assert done.provenance["videos"]["plain_clip"]["ids"] == "derived"


def test_plain_ids_void_and_loose_frames(tmp_path: Path) -> None:
    root = tmp_path / "in"
    for i in range(2):
        picture(root / f"images/{i}.jpg", seed=i)
        things = codes(a=(3, box(2, 2, 8, 8)), b=(4, box(20, 20, 8, 8)), v=(255, box(0, 30, 2, 2)))
        write(root / f"masks/{i}.png", things)
    done = converted("plain", root, tmp_path / "out", video="bedroom", split="test")
    assert done.names() == ["plain_bedroom"]
    assert done.present("plain_bedroom") == {1: ["0", "1"], 2: ["0", "1"]}
    assert set(done.report.notes) == {"value 255 beside object numbers, taken as void"}


def test_plain_refuses_what_does_not_fit(tmp_path: Path) -> None:
    picture(tmp_path / "in/images/a.jpg")
    with pytest.raises(InputError, match="masks/<video>"):
        converted("plain", tmp_path / "in", tmp_path / "out")
    write(tmp_path / "in/masks/a.png", grey(box(2, 2, 8, 8)))
    with pytest.raises(InputError, match="kind=thing"):
        converted("plain", tmp_path / "in", tmp_path / "out", kind="thing")
