from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.curation.check import KINDS, CheckReport, check, check_table, write_check_sheet
from sam2s.curation.check_marks import marks
from sam2s.curation.check_sheet import CAPTION, MARK, SMALLEST, close_up
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo, open_masklets

SIZE = (48, 64)


def box(top: int, left: int, height: int = 12, width: int = 12) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


NONE = box(0, 0, 0, 0)
LEFT, RIGHT = box(10, 5), box(10, 40)


def scene(seed: int) -> np.ndarray:
    """A smooth random picture, so that two seeds do not look alike."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIZE[1], SIZE[0]), Image.Resampling.BICUBIC))


def write(
    root: Path,
    frames: list[dict[int, np.ndarray]],
    classes: dict[int, str | None],
    name: str = "v",
    split: str = "train",
    seed: int = 0,
    recording: str | None = None,
) -> Path:
    objects = {i: ObjectInfo(c) for i, c in classes.items()}
    with MaskletWriter(root) as writer:
        writer.add_video(name, VideoInfo("s", None, split, None, objects))
        for index, masks in enumerate(frames):
            writer.write(name, f"{index:03d}", scene(seed + index), masks)
    if recording:
        path = root / "sources.json"
        content = json.loads(path.read_text()) if path.exists() else {"sources": {}, "videos": {}}
        content["videos"][name] = {"recording": recording, "frames": {}}
        path.write_text(json.dumps(content))
    return root


def found(report: CheckReport) -> list[tuple[str, int | None, tuple[str, ...]]]:
    return [(f.kind, f.object_id, f.frames) for f in report.findings]


def test_clean_labels_have_no_findings(tmp_path: Path) -> None:
    frames = [{1: box(10, 5 + i), 2: box(10, 40 - i)} for i in range(5)]
    report = check(write(tmp_path, frames, {1: "hook", 2: "grasper"}))
    assert (report.videos, report.frames, report.masks, report.findings) == (1, 5, 10, [])
    assert "0 findings" in check_table(report)


@pytest.mark.parametrize(
    ("frames", "classes", "expected"),
    [
        (
            [{1: LEFT, 2: RIGHT}] * 2 + [{1: RIGHT, 2: LEFT}],
            {1: "a", 2: "a"},
            ("swap", 1, ("001", "002")),
        ),
        ([{1: LEFT, 2: NONE}, {1: NONE, 2: LEFT}], {1: "a", 2: "b"}, ("class", 1, ("000", "001"))),
        (
            [{1: LEFT, 2: NONE}, {1: NONE, 2: LEFT}],
            {1: "a", 2: "a"},
            ("identity", 1, ("000", "001")),
        ),
        ([{1: LEFT}] * 4 + [{1: box(30, 45)}], {1: "a"}, ("jump", 1, ("003", "004"))),
        ([{1: LEFT}, {1: NONE}, {1: LEFT}], {1: "a"}, ("flicker", 1, ("000", "001"))),
        ([{1: LEFT | box(40, 60, 1, 1)}, {1: LEFT}], {1: "a"}, ("specks", 1, ("000",))),
        ([{1: box(0, 0, 48, 64)}], {1: "a"}, ("full", 1, ("000",))),
        ([{1: NONE}, {1: NONE}], {1: "a"}, ("empty", 1, ())),
        ([{1: LEFT}, {}, {1: LEFT}], {1: "a"}, ("unlabelled", None, ("001",))),
    ],
)
def test_each_kind_is_found_where_it_is(
    tmp_path: Path, frames: list, classes: dict, expected: tuple[str, int | None, tuple[str, ...]]
) -> None:
    report = check(write(tmp_path, frames, classes))
    assert expected in found(report)
    assert expected[0] in KINDS
    kinds = set(report.counts()) - {"jump"} if expected[0] == "swap" else set(report.counts())
    assert kinds == {expected[0]}


def test_a_fast_camera_is_not_a_jump(tmp_path: Path) -> None:
    frames = [{1: LEFT if i % 2 else box(30, 45)} for i in range(6)]
    assert "jump" not in check(write(tmp_path, frames, {1: "a"})).counts()


def test_objects_without_any_file_are_empty(tmp_path: Path) -> None:
    report = check(write(tmp_path, [{1: LEFT}], {1: "a", 2: "b"}))
    assert found(report) == [("empty", 2, ())]


def test_same_picture_in_two_splits(tmp_path: Path) -> None:
    frames = [{1: LEFT}] * 3
    write(tmp_path, frames, {1: "a"}, "train1", "train", seed=10)
    write(tmp_path, frames, {1: "a"}, "train2", "train", seed=10)
    write(tmp_path, frames, {1: "a"}, "test1", "test", seed=12)
    report = check(tmp_path)
    leaks = [f for f in report.findings if f.kind == "leak"]
    assert {(f.video, f.frames) for f in leaks} == {("train1", ("002",)), ("train2", ("002",))}
    assert "frame 002 (train) looks like frame 000 of test1 (test); 1 such" in leaks[0].detail
    assert not [f for f in check(tmp_path, leaks=False).findings if f.kind == "leak"]


def test_slightly_changed_pictures_leak_and_flat_ones_do_not(tmp_path: Path) -> None:
    write(tmp_path, [{1: LEFT}], {1: "a"}, "one", "train", seed=3)
    brighter = np.clip(scene(3).astype(int) + 3, 0, 255).astype(np.uint8)
    flat = np.full((*SIZE, 3), 9, dtype=np.uint8)
    info = {1: ObjectInfo("a")}
    with MaskletWriter(tmp_path) as writer:
        for name, split, image in (
            ("two", "test", brighter),
            ("dark1", "train", flat),
            ("dark2", "test", flat),
        ):
            writer.add_video(name, VideoInfo("s", None, split, None, info))
            writer.write(name, "0", image, {1: LEFT})
    assert [f.video for f in check(tmp_path).findings] == ["one"]


def test_one_recording_in_two_splits(tmp_path: Path) -> None:
    write(tmp_path, [{1: LEFT}], {1: "a"}, "one", "train", 1, "cholec80:VID01")
    write(tmp_path, [{1: LEFT}], {1: "a"}, "two", "test", 50, "cholec80:VID01")
    write(tmp_path, [{1: LEFT}], {1: "a"}, "three", "test", 70, "cholec80:VID02")
    details = [f.detail for f in check(tmp_path).findings]
    assert details == ["recording cholec80:VID01 is in two (test), one (train)"]


def test_soft_masks_and_drifting_palettes(tmp_path: Path) -> None:
    root = write(tmp_path / "a", [{1: LEFT}], {1: "a"})
    soft = LEFT.astype(np.uint8) * 255
    soft[9, 5:17] = 100
    Image.fromarray(soft).save(root / "Annotations/v/001/000.png")
    report = check(root)
    assert found(report) == [("values", None, ("000",))]
    assert (
        "1 mask files hold more than two values, such as 001/000.png" in report.findings[0].detail
    )
    davis = tmp_path / "b"
    (davis / "JPEGImages/v").mkdir(parents=True)
    (davis / "Annotations/v").mkdir(parents=True)
    for frame in range(2):
        Image.fromarray(scene(1)).save(davis / f"JPEGImages/v/{frame}.jpg")
        ids = Image.fromarray(LEFT.astype(np.uint8))
        ids.putpalette([0, 0, 0, 200 + frame, 0, 0])
        ids.save(davis / f"Annotations/v/{frame}.png")
    assert found(check(davis)) == [("values", None, ("0", "1"))]


def test_table_and_sheet(tmp_path: Path) -> None:
    frames = [{1: LEFT, 2: NONE}, {1: NONE, 2: LEFT}, {1: LEFT | box(40, 60, 1, 1), 2: NONE}]
    report = check(write(tmp_path / "in", frames, {1: "a", 2: "b"}), progress=True)
    scores = [f.score for f in report.findings]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    text = check_table(report, limit=1)
    assert "v object 1 frames" in text
    assert f"... and {len(scores) - 1} more" in text
    assert json.loads(json.dumps(report.to_json()))["counts"]["class"] == 2
    write_check_sheet(tmp_path / "in", report, tmp_path / "sheet.png", count=2)
    assert np.asarray(Image.open(tmp_path / "sheet.png")).shape[1] == 4 * 240
    write_check_sheet(tmp_path / "in", CheckReport(), tmp_path / "none.png")
    assert (tmp_path / "none.png").exists()


@pytest.mark.parametrize(
    ("kind", "frames", "expected"),
    [
        (
            "flicker",
            [{1: LEFT}, {1: NONE}, {1: LEFT}],
            {"000": [(5, 10, 17, 22)], "001": [(5, 10, 17, 22)]},
        ),
        (
            "specks",
            [{1: box(10, 5) | box(40, 60, 1, 1) | box(2, 50, 1, 2)}],
            {"000": [(50, 2, 52, 3), (60, 40, 61, 41)]},
        ),
        (
            "swap",
            [{1: LEFT, 2: RIGHT}, {1: RIGHT, 2: LEFT}],
            {
                "000": [(5, 10, 17, 22), (40, 10, 52, 22)],
                "001": [(40, 10, 52, 22), (5, 10, 17, 22)],
            },
        ),
        (
            "class",
            [{1: LEFT, 2: NONE}, {1: NONE, 2: LEFT}],
            {"000": [(5, 10, 17, 22)], "001": [(5, 10, 17, 22)]},
        ),
        (
            "jump",
            [*({1: box(10, 5 + k)} for k in range(4)), {1: box(30, 50)}],
            {"003": [(8, 10, 20, 22)], "004": [(50, 30, 62, 42)]},
        ),
        ("unlabelled", [{1: LEFT}, {}], {"001": [(0, 0, 64, 48)]}),
    ],
)
def test_marks_are_where_the_defect_is(
    tmp_path: Path, kind: str, frames: list[dict[int, np.ndarray]], expected: dict
) -> None:
    root = write(tmp_path / "in", frames, {1: "hook", 2: "grasper"})
    video = open_masklets(root).videos["v"]
    finding = next(f for f in check(root).findings if f.kind == kind)
    assert {name: list(marks(finding, video, name)) for name in finding.frames} == expected


def test_the_sheet_frames_the_defect_in_red(tmp_path: Path) -> None:
    """The speck, and nothing else, has a red frame; it does not lie on the speck."""
    mask = box(10, 5) | box(36, 50, 1, 1)
    root = write(tmp_path / "in", [{1: mask}], {1: "hook"})
    write_check_sheet(root, check(root), tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).astype(int)
    tile = sheet[CAPTION:, :240]
    red = (tile == MARK).all(axis=-1)
    rows, columns = np.nonzero(red)
    scale = 240 / SIZE[1]
    centre = 36.5 * scale, 50.5 * scale
    assert red.any()
    assert abs((rows.min() + rows.max()) / 2 - centre[0]) < 2
    assert abs((columns.min() + columns.max()) / 2 - centre[1]) < 2
    assert not red[round(centre[0]), round(centre[1])]
    assert np.ptp(rows) >= SMALLEST


@pytest.mark.parametrize(
    ("mark", "window"),
    [
        ((30, 20, 34, 24), (24, 16, 40, 28)),
        ((0, 0, 2, 2), (0, 0, 16, 12)),
        ((60, 46, 64, 48), (48, 36, 64, 48)),
        ((0, 0, 64, 48), (0, 0, 64, 48)),
        ((10, 10, 42, 14), (2, 0, 50, 36)),
    ],
)
def test_a_close_up_holds_its_mark(tmp_path: Path, mark, window) -> None:
    video = open_masklets(write(tmp_path / "in", [{1: LEFT}], {1: "hook"})).videos["v"]
    assert close_up(video, mark) == window
