"""Masklet folders: reading every layout, writing ours, and what is said of malformed ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.errors import InputError
from sam2s.masklets.annotations import open_annotations
from sam2s.masklets.mask_folders import open_mask_folder
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo, open_masklets
from sam2s.masklets.masks import write_binary_mask, write_index_mask
from sam2s.masklets.provenance import read_provenance

SIZE = (12, 16)
INFO = VideoInfo(
    "synthetic",
    "colonoscopy",
    "train",
    25.0,
    {1: ObjectInfo("grasper"), 2: ObjectInfo(None, "tissue")},
)


def image(seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.full((*size, 3), 40 + seed, np.uint8)


def mask(*pixels: tuple[int, int], size: tuple[int, int] = SIZE) -> np.ndarray:
    plane = np.zeros(size, bool)
    for y, x in pixels:
        plane[y, x] = True
    return plane


def write(root: Path, name: str = "v", frames: int = 3, info: VideoInfo = INFO) -> None:
    with MaskletWriter(root) as writer:
        writer.add_video(name, info)
        for i in range(frames):
            writer.write(name, f"{i:05d}", image(i), {1: mask((1, i)), 2: mask()})


def davis(root: Path, ids: dict[str, np.ndarray], video: str = "v", level: str = "") -> None:
    for part in ("JPEGImages", "Annotations"):
        (root / part / level / video).mkdir(parents=True, exist_ok=True)
    for name, plane in ids.items():
        Image.fromarray(image(0, plane.shape)).save(
            root / "JPEGImages" / level / video / f"{name}.jpg"
        )
        write_index_mask(root / "Annotations" / level / video / f"{name}.png", plane)


# ---------------------------------------- our layout


def test_what_is_written_is_read_back(tmp_path: Path):
    write(tmp_path)
    folder = open_masklets(tmp_path)
    assert (len(folder), list(folder.videos)) == (1, ["v"])
    video = folder.videos["v"]
    assert (video.name, len(video), video.size, video.info) == ("v", 3, SIZE, INFO)
    assert video.frame_names == ["00000", "00001", "00002"]
    assert np.abs(video.image(1).astype(int) - image(1)).max() <= 1
    assert np.array_equal(video.mask(1, 2), mask((1, 2)))
    assert not video.mask(2, 2).any()
    assert video.annotated(1) == [0, 1, 2]


def test_the_layout_on_disk_is_the_stated_one(tmp_path: Path):
    write(tmp_path, frames=1)
    files = sorted(
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()
    )
    assert files == [
        "Annotations/v/001/00000.png",
        "Annotations/v/002/00000.png",
        "JPEGImages/v/00000.jpg",
        "masklets.json",
    ]
    assert json.loads((tmp_path / "masklets.json").read_text()) == {
        "videos": {
            "v": {
                "source": "synthetic",
                "procedure": "colonoscopy",
                "split": "train",
                "fps": 25.0,
                "objects": {
                    "1": {"class": "grasper", "kind": "instrument"},
                    "2": {"class": None, "kind": "tissue"},
                },
            }
        }
    }


def test_a_frame_without_a_file_is_not_annotated(tmp_path: Path):
    with MaskletWriter(tmp_path) as writer:
        writer.add_video("v", INFO)
        for i, masks in enumerate([{1: mask((0, 0))}, {}, {1: mask(), 2: mask((2, 2))}]):
            writer.write("v", str(i), image(), masks)
    video = open_masklets(tmp_path).videos["v"]
    assert video.annotated(1) == [0, 2]
    assert video.annotated(2) == [2]
    assert video.mask(1, 1) is None
    assert video.mask(2, 0) is None
    assert not video.mask(1, 2).any()


def test_an_object_that_was_never_annotated(tmp_path: Path):
    with MaskletWriter(tmp_path) as writer:
        writer.add_video("v", INFO)
        writer.write("v", "0", image(), {1: mask()})
    video = open_masklets(tmp_path).videos["v"]
    assert video.annotated(2) == []
    assert video.mask(2, 0) is None


def test_a_video_without_any_mask(tmp_path: Path):
    with MaskletWriter(tmp_path) as writer:
        writer.add_video("v", VideoInfo())
        writer.write("v", "0", image(), {})
    video = open_masklets(tmp_path).videos["v"]
    assert video.info.objects == {}
    assert video.image(0).shape == (*SIZE, 3)


def test_frames_are_in_natural_order_whatever_order_they_came_in(tmp_path: Path):
    with MaskletWriter(tmp_path) as writer:
        writer.add_video("v", INFO)
        for name in ["f10", "f9", "f100"]:
            writer.write("v", name, image(), {1: mask((0, 0))} if name != "f9" else {})
    video = open_masklets(tmp_path).videos["v"]
    assert video.frame_names == ["f9", "f10", "f100"]
    assert video.annotated(1) == [1, 2]


def test_reading_needs_neither_pyav_nor_tyro(tmp_path: Path):
    write(tmp_path)
    code = (
        "import sys\n"
        "sys.modules.update(av=None, tyro=None)\n"
        "from sam2s.masklets.masklets import open_masklets\n"
        "from sam2s.media.frames import open_frames\n"
        f"video = open_masklets({str(tmp_path)!r}).videos['v']\n"
        "assert video.mask(1, 0).sum() == 1 and len(list(open_frames(video._images))) == 3\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_videos_travel_to_worker_processes(tmp_path: Path):
    write(tmp_path)
    video = open_masklets(tmp_path).videos["v"]
    assert video.annotated(1)
    again = ForkingPickler.loads(ForkingPickler.dumps(video))
    assert np.array_equal(again.mask(1, 0), video.mask(1, 0))


# ---------------------------------------- other layouts


@pytest.mark.parametrize("level", ["", "480p"])
def test_a_davis_folder(level: str, tmp_path: Path):
    first, second = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    first[0, 0], first[1, 1], second[2, 2], second[3, 3] = 1, 3, 3, 255
    davis(tmp_path, {"00000": first, "00001": second}, level=level)
    video = open_masklets(tmp_path).videos["v"]
    assert video.info == VideoInfo(objects={1: ObjectInfo(), 3: ObjectInfo()})
    assert video.annotated(1) == video.annotated(3) == [0, 1]
    assert np.array_equal(video.mask(3, 1), mask((2, 2)))
    assert np.array_equal(video.mask(3, 0), mask((1, 1)))
    assert not video.mask(1, 1).any()


def test_a_davis_folder_annotated_on_its_first_frame_only(tmp_path: Path):
    davis(tmp_path, {"0": np.ones(SIZE, np.uint8)})
    Image.fromarray(image()).save(tmp_path / "JPEGImages" / "v" / "1.jpg")
    video = open_masklets(tmp_path).videos["v"]
    assert (len(video), video.annotated(1), video.mask(1, 1)) == (2, [0], None)


def test_black_and_white_masks_are_one_object(tmp_path: Path):
    davis(tmp_path, {"0": np.zeros(SIZE, np.uint8), "1": np.zeros(SIZE, np.uint8)})
    Image.fromarray(mask((4, 4)).astype(np.uint8) * 255).save(
        tmp_path / "Annotations" / "v" / "0.png"
    )
    Image.fromarray(mask()).save(tmp_path / "Annotations" / "v" / "1.png")
    video = open_masklets(tmp_path).videos["v"]
    assert list(video.info.objects) == [1]
    assert np.array_equal(video.mask(1, 0), mask((4, 4)))
    assert not video.mask(1, 1).any()


def test_a_catalogue_may_describe_a_davis_folder(tmp_path: Path):
    """Its ids need no scan, may be absent everywhere, and 255 may be one of them."""
    plane = np.zeros(SIZE, np.uint8)
    plane[0, 0], plane[5, 5] = 255, 9
    davis(tmp_path, {"0": plane})
    objects = {str(i): {"class": "hook", "kind": "instrument"} for i in (4, 255)}
    (tmp_path / "masklets.json").write_text(json.dumps({"videos": {"v": {"objects": objects}}}))
    video = open_masklets(tmp_path).videos["v"]
    assert video.info.objects == {4: ObjectInfo("hook"), 255: ObjectInfo("hook")}
    assert np.array_equal(video.mask(255, 0), mask((0, 0)))
    assert not video.mask(4, 0).any()


def test_a_sav_folder_without_catalogue(tmp_path: Path):
    write(tmp_path, "b")
    write(tmp_path, "a10")
    write(tmp_path, "a9")
    (tmp_path / "masklets.json").unlink()
    (tmp_path / "JPEGImages").rename(tmp_path / "JPEGImages_24fps")
    (tmp_path / "Annotations").rename(tmp_path / "Annotations_6fps")
    (tmp_path / "Annotations_6fps" / "b" / "002").rename(
        tmp_path / "Annotations_6fps" / "b" / "000"
    )
    folder = open_masklets(tmp_path)
    assert list(folder.videos) == ["a9", "a10", "b"]
    assert folder.videos["b"].info.objects == {0: ObjectInfo(), 1: ObjectInfo()}
    assert folder.videos["b"].annotated(0) == [0, 1, 2]


def test_videos_that_the_catalogue_does_not_list_are_left_out(tmp_path: Path):
    write(tmp_path)
    for part in ("JPEGImages", "Annotations"):
        (tmp_path / part / "unfinished").mkdir()
    assert list(open_masklets(tmp_path).videos) == ["v"]


# ---------------------------------------- malformed folders


def test_no_folder_or_half_a_folder(tmp_path: Path):
    with pytest.raises(InputError, match="no such folder"):
        open_masklets(tmp_path / "nowhere")
    with pytest.raises(InputError, match="expected a folder named JPEGImages"):
        open_masklets(tmp_path)
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(InputError, match="expected a folder named Annotations"):
        open_masklets(tmp_path)
    (tmp_path / "Annotations").mkdir()
    with pytest.raises(InputError, match="no videos"):
        open_masklets(tmp_path)


def test_a_listed_video_that_is_missing(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "JPEGImages" / "v").rename(tmp_path / "JPEGImages" / "w")
    with pytest.raises(InputError, match=r"lists video 'v' \(1 such\)"):
        open_masklets(tmp_path)


def test_masks_without_pictures(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "masklets.json").unlink()
    (tmp_path / "JPEGImages" / "v" / "00001.jpg").unlink()
    video = open_masklets(tmp_path).videos["v"]
    with pytest.raises(
        InputError, match=r"object 1 has a mask '00001' \(1 in all\) without a picture"
    ):
        video.annotated(1)
    (tmp_path / "JPEGImages" / "v").rename(tmp_path / "JPEGImages" / "w")
    with pytest.raises(InputError, match="no such folder of pictures"):
        _ = open_masklets(tmp_path).videos["v"].frame_names
    (tmp_path / "JPEGImages" / "v").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        _ = open_masklets(tmp_path).videos["v"].size


def test_a_mask_of_another_size(tmp_path: Path):
    write(tmp_path)
    write_binary_mask(tmp_path / "Annotations" / "v" / "001" / "00001.png", mask(size=(5, 6)))
    video = open_masklets(tmp_path).videos["v"]
    with pytest.raises(
        InputError, match=r"v/001/00001 ?.*is 6 x 5 pixels, the video's first picture 16 x 12"
    ):
        video.mask(1, 1)


def test_a_picture_of_another_size(tmp_path: Path):
    write(tmp_path)
    Image.fromarray(image(0, (5, 6))).save(tmp_path / "JPEGImages" / "v" / "00002.jpg")
    with pytest.raises(InputError, match=r"00002\.jpg: is 6 x 5 pixels"):
        open_masklets(tmp_path).videos["v"].image(2)


def test_an_unknown_object(tmp_path: Path):
    write(tmp_path)
    video = open_masklets(tmp_path).videos["v"]
    for ask in (lambda: video.mask(7, 0), lambda: video.annotated(7)):
        with pytest.raises(InputError, match=r"v: no object 7; it has \[1, 2\]"):
            ask()


def test_masks_of_an_object_that_the_catalogue_does_not_list(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "Annotations" / "v" / "007").mkdir()
    with pytest.raises(InputError, match=r"objects \[7\], which masklets\.json does not list"):
        open_masklets(tmp_path).videos["v"].mask(1, 0)


def test_two_pictures_of_one_name(tmp_path: Path):
    write(tmp_path)
    Image.fromarray(image()).save(tmp_path / "JPEGImages" / "v" / "00001.png")
    with pytest.raises(InputError, match="two pictures are named '00001'"):
        open_masklets(tmp_path).videos["v"].annotated(1)


def test_two_folders_of_one_object(tmp_path: Path):
    write(tmp_path)
    (tmp_path / "Annotations" / "v" / "1").mkdir()
    with pytest.raises(InputError, match="two folders name the same object"):
        open_masklets(tmp_path).videos["v"].mask(1, 0)


def test_both_layouts_in_one_video(tmp_path: Path):
    write(tmp_path)
    write_index_mask(tmp_path / "Annotations" / "v" / "00000.png", np.zeros(SIZE, np.uint8))
    with pytest.raises(InputError, match=r"both object folders \(SA-V\) and loose masks"):
        open_masklets(tmp_path).videos["v"].mask(1, 0)


def test_a_damaged_mask(tmp_path: Path):
    write(tmp_path)
    path = tmp_path / "Annotations" / "v" / "001" / "00001.png"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=r"00001\.png: .*damaged"):
        open_masklets(tmp_path).videos["v"].mask(1, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "expected {'videos'"),
        ('{"videos": []}', r"masklets\.json: videos must be a table, got \[\]"),
        ('{"videos": {"v": 3}}', "videos.v should be a table, got 3"),
        ('{"videos": {"v": {"objects": []}}}', r"videos\.v\.objects must be a table, got \[\]"),
        ('{"videos": {"v": {"fps": 0}}}', "fps must be a number above 0"),
        ('{"videos": {"v": {"fps": "25"}}}', "fps must be a number above 0"),
        ('{"videos": {"v": {"fps": true}}}', "fps must be a number above 0"),
        ('{"videos": {"v": {"source": 3}}}', "source must be text or null"),
        ('{"videos": {"v": {"objects": {"x": {}}}}}', "object ids must be whole numbers, got 'x'"),
        (
            '{"videos": {"v": {"objects": {"1": "hook"}}}}',
            "objects.1 should be a table, got 'hook'",
        ),
        (
            '{"videos": {"v": {"objects": {"1": {"kind": "tool"}}}}}',
            "kind must be 'instrument', 'tissue' or 'other', got 'tool'",
        ),
    ],
)
def test_a_damaged_catalogue(text: str, words: str, tmp_path: Path):
    write(tmp_path)
    (tmp_path / "masklets.json").write_text(text)
    with pytest.raises(InputError, match=words):
        open_masklets(tmp_path)


def test_annotations_alone(tmp_path: Path):
    write(tmp_path)
    masks = open_annotations(tmp_path / "Annotations" / "v")
    assert (masks.ids(), masks.frames(1), masks.frames(9)) == (
        [1, 2],
        ["00000", "00001", "00002"],
        [],
    )
    assert masks.read(9, "00000") is None
    with pytest.raises(InputError, match="no such folder of masks"):
        open_annotations(tmp_path / "nowhere")


# ---------------------------------------- the writer


def test_finished_videos_survive_an_error(tmp_path: Path):
    def interrupted() -> None:
        with MaskletWriter(tmp_path) as writer:
            for name in ["a", "b"]:
                writer.add_video(name, INFO)
                writer.write(name, "0", image(), {1: mask()})
            writer.write("b", "1", image(), {})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(open_masklets(tmp_path).videos) == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "Annotations",
        "JPEGImages",
        "masklets.json",
    ]
    assert [path.name for path in (tmp_path / "JPEGImages").iterdir()] == ["a"]


def test_a_killed_writer_goes_on_where_it_was(tmp_path: Path):
    killed = MaskletWriter(tmp_path)
    killed.add_video("a", INFO)
    killed.write("a", "0", image(), {1: mask()})
    killed.add_video("b", INFO)
    killed.write("b", "0", image(), {1: mask()})
    killed.staging.lock.release(keep=True)  # as the system does for a process that dies
    # Dies between the two renames of video b:
    (tmp_path / ".b.part" / "JPEGImages").rename(tmp_path / "JPEGImages" / "b")
    assert list(open_masklets(tmp_path).videos) == ["a"]
    with MaskletWriter(tmp_path) as writer:
        assert writer.finished == {"a"}
        with pytest.raises(InputError, match="video 'a' is already there"):
            writer.add_video("a", INFO)
        writer.add_video("b", INFO)
        writer.write("b", "7", image(), {1: mask()})
    folder = open_masklets(tmp_path)
    assert list(folder.videos) == ["a", "b"]
    assert folder.videos["b"].frame_names == ["7"]
    assert not list(tmp_path.glob(".*"))


def test_a_folder_that_is_being_built_is_refused_by_every_reader(tmp_path: Path):
    """Part of its videos would pass for all."""
    write(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "part")
    (tmp_path / "part" / ".converting").touch()
    for listed in (True, False):
        for read in (open_masklets, open_mask_folder):
            with pytest.raises(InputError, match="part: is not finished"):
                read(tmp_path / "part")
        if listed:
            (tmp_path / "part" / "masklets.json").unlink()
    # A writer's videos are whole one by one, but before the first is listed nothing is known.
    with MaskletWriter(tmp_path / "new") as writer:
        writer.add_video("v", INFO)
        with pytest.raises(InputError, match="new: is not finished"):
            open_masklets(tmp_path / "new")
        writer.write("v", "0", image(), {1: mask()})
        writer.add_video("w", INFO)
        assert list(open_masklets(tmp_path / "new").videos) == ["v"]
        writer.write("w", "0", image(), {1: mask()})


@pytest.mark.parametrize("object_id", [0, 256])
def test_ids_that_no_pixel_has(object_id: int, tmp_path: Path):
    """Value 0 is the ground: an object 0 would be everything that is none."""
    (tmp_path / "JPEGImages" / "v").mkdir(parents=True)
    (tmp_path / "Annotations" / "v").mkdir(parents=True)
    Image.fromarray(image()).save(tmp_path / "JPEGImages" / "v" / "0.jpg")
    Image.fromarray(np.ones(SIZE, np.uint8)).save(tmp_path / "Annotations" / "v" / "0.png")
    content = {"videos": {"v": {"objects": {str(object_id): {}}}}}
    (tmp_path / "masklets.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"pixel values, 1 to 255; .* lists object {object_id}"):
        open_masklets(tmp_path).videos["v"].annotated(object_id)


@pytest.mark.parametrize("name", ["masklets.json", "sources.json", ".converting"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path):
    write(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    read = read_provenance if name == "sources.json" else open_masklets
    with pytest.raises(InputError, match=r"pipe or a device|is not finished"):
        read(tmp_path)
    if name == ".converting":
        with (
            pytest.raises(InputError, match="is no file, though it should mark work"),
            MaskletWriter(tmp_path) as writer,
        ):
            writer.add_video("w", INFO)


def test_one_builder_at_a_time(tmp_path: Path):
    pytest.importorskip("fcntl")
    with MaskletWriter(tmp_path) as first:
        first.add_video("a", INFO)
        with (
            pytest.raises(InputError, match="another writer is writing there; wait for it"),
            MaskletWriter(tmp_path) as second,
        ):
            second.add_video("b", INFO)
        first.write("a", "0", image(), {1: mask()})
        first.finish()
        with MaskletWriter(tmp_path) as second:
            second.add_video("b", INFO)
            second.write("b", "0", image(), {1: mask()})
        first.add_video("c", INFO)
        first.write("c", "0", image(), {1: mask()})
    assert list(open_masklets(tmp_path).videos) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "name",
    ["../elsewhere", "/elsewhere", "..", ".", ".git", "", "a/b", "a\\..\\b", "C:", "x\u001b[2J"],
)
def test_names_in_a_catalogue_lead_nowhere_else(name: str, tmp_path: Path):
    write(tmp_path / "d")
    write(tmp_path / "elsewhere")
    catalogue = {"videos": {name: {"objects": {"1": {}}}}}
    (tmp_path / "d" / "masklets.json").write_text(json.dumps(catalogue))
    for read in (open_masklets, open_mask_folder):
        with pytest.raises(InputError, match="must be the name of a folder") as caught:
            read(tmp_path / "d")
        assert str(caught.value).isprintable()


def test_nothing_of_the_user_is_overwritten(tmp_path: Path):
    (tmp_path / "JPEGImages" / "v").mkdir(parents=True)
    with (
        MaskletWriter(tmp_path) as writer,
        pytest.raises(InputError, match=r"masklets\.json does not list it"),
    ):
        writer.add_video("v", INFO)
    assert (tmp_path / "JPEGImages" / "v").is_dir()


def test_a_video_without_frames_is_an_error(tmp_path: Path):
    with (
        pytest.raises(InputError, match="video 'v' has no frames"),
        MaskletWriter(tmp_path) as writer,
    ):
        writer.add_video("v", INFO)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", ".x", "a/b", "a\\b", "a\0", " a", "a:b", "a*"])
def test_names_that_cannot_be_folders(name: str, tmp_path: Path):
    with MaskletWriter(tmp_path) as writer:
        with pytest.raises(InputError, match="cannot name a video or frame"):
            writer.add_video(name, INFO)
        writer.add_video("v", INFO)
        with pytest.raises(InputError, match="cannot name a video or frame"):
            writer.write("v", name, image(), {})
        writer.write("v", "0", image(), {})


def test_frames_that_do_not_fit(tmp_path: Path):
    with MaskletWriter(tmp_path) as writer:
        with pytest.raises(InputError, match="call add_video first"):
            writer.write("v", "0", image(), {})
        writer.add_video("v", INFO)
        writer.write("v", "0", image(), {1: mask()})
        for name, picture, masks, words in [
            ("0", image(), {}, "was written before"),
            ("1", image(0, (4, 4)), {}, r"is \(4, 4\), the frames before \(12, 16\)"),
            ("1", image()[..., 0], {}, r"expected an \(H, W, 3\) uint8 picture"),
            ("1", image().astype(np.float32), {}, r"expected an \(H, W, 3\) uint8 picture"),
            ("1", image(), {3: mask()}, "object 3 is not in the video's info"),
            ("1", image(), {1: mask(size=(3, 3))}, r"mask of 1 is \(3, 3\)"),
        ]:
            with pytest.raises(InputError, match=words):
                writer.write("v", name, picture, masks)
        with pytest.raises(InputError, match="video 'w' is not open"):
            writer.write("w", "1", image(), {})
    assert open_masklets(tmp_path).videos["v"].frame_names == ["0"]
