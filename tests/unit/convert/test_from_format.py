"""The way back: what export writes becomes a masklet folder with the same masks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s import cli
from sam2s.convert.from_format import READABLE, convert_from
from sam2s.errors import InputError
from sam2s.export.results import open_results
from sam2s.export.video_file import write_video
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import ExportOptions, ObjectMask, Result, ResultFrame, collected
from sam2s.masklets.masklets import open_masklets

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def result_of(video: str = "op_1", frames: int = 3) -> Result:
    """Objects 2 (absent on frame 1) and 7, apart; 9 is never in view."""
    masks = np.zeros((frames, 3, 15, 21), bool)
    masks[:, 0, 2:6, 3:9] = masks[:, 1, 8:13, 10:20] = True
    masks[:, 1, 10, 12:14] = masks[1, 0] = False

    def each() -> Iterator[ResultFrame]:
        for index, planes in enumerate(masks):
            found = zip((2, 7, 9), map(ObjectMask.of, planes), strict=True)
            yield ResultFrame(index, index / 25, dict(found))

    return Result(video, (15, 21), 25.0, {2: "grasper", 7: "mesh"}, each)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures, named by their frames."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(3):
        Image.new("RGB", (21, 15), (60 * index, 20, 90)).save(folder / f"{index:05d}.jpg")
    return folder


@pytest.mark.parametrize("name", READABLE)
def test_masks_come_back_into_the_masklet_layout(tmp_path: Path, pictures: Path, name: str):
    (tmp_path / "in").mkdir()
    FORMATS[name].write(result_of(), tmp_path / "in", ExportOptions())
    report = convert_from(name, tmp_path / "in", tmp_path / "out", "link", pictures, progress=False)
    assert (report.videos, report.frames, report.masks) == (1, 3, 5)
    video = open_masklets(tmp_path / "out").videos["op_1"]
    assert video.frame_names == ["00000", "00001", "00002"]
    assert video.image(2)[0, 0, 0] > 100
    for frame in result_of().frames():
        for object_id, found in frame.masks.items():
            if object_id in video.info.objects:
                mask = video.mask(object_id, frame.index)
                np.testing.assert_array_equal(mask, found.mask)
            else:
                assert not found.mask.any()
    if name != "davis":
        assert video.info.objects[2].class_name == "grasper"
        assert (video.info.objects[7].class_name, video.info.objects[7].kind) == ("mesh", "other")
    (again,) = open_results(tmp_path / "out")
    assert [frame.index for frame in again.frames()] == [0, 1, 2]
    np.testing.assert_array_equal(
        next(again.frames()).masks[7].mask, next(result_of().frames()).masks[7].mask
    )


def test_pictures_are_found_beside_the_masks(tmp_path: Path, pictures: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    FORMATS["coco"].write(result_of(), folder, ExportOptions())
    file = folder / "annotations.json"
    with pytest.raises(InputError, match="the pictures of 'op_1' are not there"):
        convert_from("coco", file, tmp_path / "out", progress=False)
    assert not (tmp_path / "out" / "masklets.json").exists()
    shutil.copytree(pictures, folder / "images" / "op_1")
    assert convert_from("coco", file, tmp_path / "out", progress=False).videos == 1
    assert (tmp_path / "out/JPEGImages/op_1/00002.jpg").is_symlink()


def test_several_videos_and_pictures_among_their_files(tmp_path: Path, pictures: Path, capsys):
    folder = tmp_path / "in"
    for video in ("a", "b"):
        (folder / video).mkdir(parents=True)
        FORMATS["labelme"].write(result_of(video), folder / video, ExportOptions())
        for picture in pictures.iterdir():  # as LabelMe has them: beside its files
            shutil.copy(picture, folder / video / video)
    words = ["data", "convert", "labelme", str(folder), str(tmp_path / "out"), "--frames", "copy"]
    assert cli.main(words) == 0
    assert "2 videos, 6 frames, 4 masklets, 10 masks" in capsys.readouterr().out
    assert set(open_masklets(tmp_path / "out").videos) == {"a", "b"}
    assert not (tmp_path / "out/JPEGImages/a/00002.jpg").is_symlink()
    assert cli.main(words) == 0
    assert "2 were there already" in capsys.readouterr().out


def test_pictures_come_from_a_video(tmp_path: Path):
    images = [np.full((16, 22, 3), 60 * i, np.uint8) for i in range(3)]
    write_video(tmp_path / "op.mp4", images, 25.0)
    mask = {3: ObjectMask.of(np.eye(16, 22, dtype=bool))}
    FORMATS["cvat"].write(collected("op", (16, 22), {0: mask, 2: mask}), tmp_path, ExportOptions())
    source = tmp_path / "annotations.xml"
    convert_from("cvat", source, tmp_path / "out", "link", tmp_path / "op.mp4", progress=False)
    video = open_masklets(tmp_path / "out").videos["op"]
    assert [round(video.image(i).mean() / 60) for i in range(3)] == [0, 1, 2]
    assert [video.mask(3, i).any() for i in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("coco {in}", "cannot be read as JSON"),
        ("mots-png {in}/a.json", "cannot be read as mots-png"),
        ("cvat {in}/none", "no such file or folder"),
        ("coco {in} --workers 2", "are for public sources; leave them out"),
        ("kvasir-seg {in} --pictures {in}", "--pictures: not for 'kvasir-seg', only for formats"),
        ("cocoo {in}", "no source 'cocoo'"),
    ],
)
def test_what_cannot_be_converted_is_one_line(tmp_path: Path, words: str, said: str, capsys):
    (tmp_path / "a.json").write_text("{}")
    name, path, *rest = words.replace("{in}", str(tmp_path)).split()
    assert cli.main(["data", "convert", name, path, str(tmp_path / "out"), *rest]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_pictures_of_another_size_are_refused(tmp_path: Path, pictures: Path):
    Image.new("RGB", (20, 15)).save(pictures / "00001.jpg")
    FORMATS["sa-v"].write(result_of(), tmp_path, ExportOptions())
    file = tmp_path / "op_1_manual.json"
    with pytest.raises(InputError, match="is 20 x 15 pixels, its masks 21 x 15"):
        convert_from("sa-v", file, tmp_path / "out", "copy", pictures, progress=False)
    (pictures / "00002.jpg").unlink()
    with pytest.raises(InputError, match="holds 2 pictures, the masks are of frame 2 as well"):
        convert_from("sa-v", file, tmp_path / "out", "copy", pictures, progress=False)
