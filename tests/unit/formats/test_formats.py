"""What each format keeps comes back to the pixel; what it cannot hold is said before."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as judge
from pycocotools.coco import COCO

from sam2s.errors import InputError, Sam2sError
from sam2s.formats.polygons import without_holes
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import (
    ExportOptions,
    ObjectMask,
    Result,
    ResultFrame,
    collected,
    contents_of,
)
from sam2s.masklets.masks import encode_rle, run_lengths

LOSSLESS = sorted(name for name, one in FORMATS.items() if one.read is not None)


def result_of(masks: np.ndarray, ids: tuple[int, ...], names: dict[int, str]) -> Result:
    """(T, N, H, W) bool as a result at 25 frames a second."""

    def frames() -> Iterator[ResultFrame]:
        for index, planes in enumerate(masks):
            found = {
                i: ObjectMask(encode_rle(plane), float(plane.any()), 0.5)
                for i, plane in zip(ids, planes, strict=True)
            }
            yield ResultFrame(index, index / 25, found)

    return Result("op_1", masks.shape[2:], 25.0, names, frames)


def apart(masks: np.ndarray) -> np.ndarray:
    """The same objects without overlap: the later one lies on top."""
    masks = masks.copy()
    for n in range(masks.shape[1]):
        masks[:, :n] &= ~masks[:, n : n + 1]
    return masks


@st.composite
def results(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, ...], dict[int, str]]:
    """Noise, rings with holes, single pixels, empty and full masks, of odd sizes."""
    height, width = draw(st.integers(1, 17)), draw(st.integers(1, 17))
    count, frames = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = np.zeros((frames, count, height, width), bool)
    for t in range(frames):
        for n in range(count):
            kind = draw(st.sampled_from(["noise", "ring", "pixel", "empty", "full"]))
            if kind == "noise":
                masks[t, n] = rng.random((height, width)) < 0.5
            elif kind == "ring":
                masks[t, n] = True
                masks[t, n, 1:-1, 1:-1] = False
            elif kind == "pixel":
                masks[t, n, rng.integers(height), rng.integers(width)] = True
            elif kind == "full":
                masks[t, n] = True
    ids = tuple(sorted(rng.choice(np.arange(1, 250), count, replace=False).tolist()))
    names = {i: draw(st.sampled_from(["grasper", "hook", "=cmd()"])) for i in ids[::2]}
    return masks, ids, names


OUTLINED = [name for name in LOSSLESS if FORMATS[name].outlines != "never"]
WRITTEN = [
    *((name, ExportOptions()) for name in LOSSLESS),
    ("coco", ExportOptions(compressed=False)),
    *(
        (name, ExportOptions(polygons=True))
        for name in LOSSLESS
        if FORMATS[name].outlines != "never"
    ),
]
SMALL = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize(("name", "options"), WRITTEN)
@SMALL
@given(made=results())
def test_what_a_format_can_hold_comes_back(tmp_path_factory, name: str, options, made):
    masks, ids, names = made
    chosen = FORMATS[name]
    masks = masks if chosen.overlap else apart(masks)
    result = result_of(masks, ids, names)
    assert chosen.losses(contents_of(result)) == []
    out = tmp_path_factory.mktemp("export")
    chosen.write(result, out, options)
    if name == "mots-txt" and not masks.any():
        return  # its text has no line then, and no size to read
    back = chosen.read(out)
    frames = {frame.index: frame for frame in back.frames()}
    for index, planes in enumerate(masks):
        for object_id, plane in zip(ids, planes, strict=True):
            found = frames[index].masks.get(object_id) if index in frames else None
            if found is None:
                assert not plane.any()
            else:
                expected = without_holes(plane) if chosen.draws(options) else plane
                np.testing.assert_array_equal(found.mask, expected)
    shown = {i for i, planes in zip(ids, masks.swapaxes(0, 1), strict=True) if planes.any()}
    if name != "davis":
        assert {i: n for i, n in back.names.items() if i in shown} == {
            i: n for i, n in names.items() if i in shown
        }
    assert back.video == "op_1"
    if name in ("coco", "sa-v", "mask-video"):
        assert (back.names, back.ids) == (names, ids)


JUDGE = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""pycocotools warns of itself."""


@JUDGE
@given(
    st.lists(st.booleans(), min_size=1, max_size=60).flatmap(
        lambda bits: st.sampled_from(
            [n for n in range(1, len(bits) + 1) if len(bits) % n == 0]
        ).map(lambda high: np.array(bits).reshape(high, -1))
    )
)
def test_run_lengths_are_cocos(mask: np.ndarray):
    runs = run_lengths(mask)
    height, width = mask.shape
    packed = judge.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    np.testing.assert_array_equal(judge.decode(packed).astype(bool), mask)


def two_squares_masks() -> np.ndarray:
    """(4, 2, 30, 41) bool: the first on every frame, the second on the first two, over it."""
    masks = np.zeros((4, 2, 30, 41), bool)
    masks[:, 0, 5:20, 5:25] = True
    masks[:2, 1, 15:25, 20:35] = True
    return masks


def two_squares() -> Result:
    """The same as objects 1 and 7."""
    return result_of(two_squares_masks(), (1, 7), {1: "grasper"})


@JUDGE
@pytest.mark.parametrize("options", [ExportOptions(), ExportOptions(compressed=False)])
def test_coco_is_read_by_pycocotools(tmp_path: Path, options: ExportOptions, capsys):
    FORMATS["coco"].write(two_squares(), tmp_path, options)
    coco = COCO(str(tmp_path / "annotations.json"))
    capsys.readouterr()
    assert len(coco.getImgIds()) == 4
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == ["grasper", "object"]
    frames = list(two_squares().frames())
    for annotation in coco.loadAnns(coco.getAnnIds()):
        image = coco.loadImgs(annotation["image_id"])[0]
        expected = frames[image["frame_id"]].masks[annotation["track_id"]].mask
        np.testing.assert_array_equal(coco.annToMask(annotation).astype(bool), expected)
        assert annotation["area"] == expected.sum()
    assert len(coco.getAnnIds()) == 6


def test_coco_leaves_out_what_is_not_known(tmp_path: Path):
    """A score of null is refused by datumaro."""
    mask = ObjectMask.of(np.ones((2, 3), bool))
    FORMATS["coco"].write(collected("op", (2, 3), {0: {1: mask}}), tmp_path, ExportOptions())
    assert "score" not in json.loads((tmp_path / "annotations.json").read_text())["annotations"][0]


def test_coco_polygons_cover_the_mask(tmp_path: Path):
    FORMATS["coco"].write(two_squares(), tmp_path, ExportOptions(polygons=True))
    content = json.loads((tmp_path / "annotations.json").read_text())
    first = content["annotations"][0]
    assert first["segmentation"] == [[5, 5, 25, 5, 25, 20, 5, 20]]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("davis", "overlap on 2 frames"),
        ("mots-txt", "overlap on 2 frames"),
        ("coco", None),
        ("sa-v", None),
    ],
)
def test_losses_are_said(name: str, words: str | None):
    losses = FORMATS[name].losses(contents_of(two_squares()))
    assert ("".join(losses) == "") if words is None else (words in losses[0])


def test_more_objects_than_numbers_are_refused():
    masks = np.zeros((1, 255, 2, 300), bool)
    masks[0, np.arange(255), 0, np.arange(255)] = True
    contents = contents_of(result_of(masks, tuple(range(1, 256)), {}))
    with pytest.raises(InputError, match="holds 255 objects, this format numbers for 254"):
        FORMATS["davis"].losses(contents)


@pytest.mark.parametrize("name", LOSSLESS)
def test_a_result_is_made_to_fit(tmp_path: Path, name: str):
    """Overlapping objects 0 and 70000: with what is said to be lost taken off, all comes back."""
    masks = np.zeros((2, 2, 6, 7), bool)
    masks[:, 0, 1:4, 1:5] = masks[:, 1, 2:6, 2:6] = True
    result = result_of(masks, (0, 70_000), {70_000: "grasper"})
    contents, chosen = contents_of(result), FORMATS[name]
    said = "".join(chosen.losses(contents))
    assert ("objects overlap on 2 frames" in said) == (not chosen.overlap)
    assert ("object 0: numbers begin at 1" in said) == (chosen.first_id == 1)
    fitted = chosen.fitted(result, contents)
    assert chosen.losses(contents_of(fitted)) == []
    chosen.write(fitted, tmp_path, ExportOptions())
    for frame, back in zip(fitted.frames(), chosen.read(tmp_path).frames(), strict=True):
        for object_id, found in frame.masks.items():
            np.testing.assert_array_equal(back.masks[object_id].mask, found.mask)
    last = next(fitted.frames()).masks[fitted.ids[1]]
    np.testing.assert_array_equal(last.mask, masks[0, 1])
    assert fitted.names == {fitted.ids[1]: "grasper"}


@pytest.mark.parametrize(("name", "largest"), [("davis", 254), ("mots-png", 999)])
def test_numbers_that_do_not_fit_are_said(name: str, largest: int):
    masks = np.ones((1, 1, 4, 4), bool)
    for object_id, fits in ((largest, True), (largest + 1, False)):
        contents = contents_of(result_of(masks, (object_id,), {}))
        assert (FORMATS[name].losses(contents) == []) == fits


@pytest.mark.parametrize("name", [n for n in LOSSLESS if (FORMATS[n].largest_id or 999) > 300])
def test_three_hundred_objects(tmp_path: Path, name: str):
    masks = np.zeros((1, 300, 20, 30), bool)
    for n in range(300):
        masks[0, n, n // 30 :: 20, n % 30] = True
    FORMATS[name].write(result_of(masks, tuple(range(1, 301)), {}), tmp_path, ExportOptions())
    back = next(FORMATS[name].read(tmp_path).frames())
    for n in range(300):
        np.testing.assert_array_equal(back.masks[n + 1].mask, masks[0, n])


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Cut short, with other bytes, with bytes left out, or with another digit."""
    place = rng.randrange(len(data))
    digits = [at for at, byte in enumerate(data) if 48 <= byte <= 57] or [place]
    digit = rng.choice(digits)
    return rng.choice(
        [
            data[:place],
            data[:place] + rng.randbytes(2) + data[place + 2 :],
            data[:place] + data[place + rng.randint(1, 9) :],
            data[:digit] + rng.choice([b"0", b"7", b"-"]) + data[digit + 1 :],
        ]
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LOSSLESS)
def test_damaged_files_are_errors_of_one_line(tmp_path: Path, name: str):
    """Whatever a byte says: masks of the stated size, or one line."""
    rng, chosen = random.Random(0), FORMATS[name]
    masks = apart(two_squares_masks())
    for round_ in range(40):
        out = tmp_path / str(round_)
        out.mkdir()
        outlines = round_ % 3 == 0 and chosen.outlines != "never"
        chosen.write(result_of(masks, (1, 7), {}), out, ExportOptions(polygons=outlines))
        path = rng.choice([path for path in sorted(out.rglob("*")) if path.is_file()])
        path.write_bytes(damaged(path.read_bytes(), rng))
        said = ""
        try:
            back = chosen.read(out)
            shapes = {m.mask.shape for frame in back.frames() for m in frame.masks.values()}
            assert shapes <= {back.size}
        except Sam2sError as error:
            said = str(error)
        assert "\n" not in said


SIZES = [(1, 40), (15, 17), (16, 16), (241, 319), (480, 640), (1080, 1920)]


@pytest.mark.parametrize("size", SIZES)
def test_mask_videos_of_all_sizes(tmp_path: Path, size: tuple[int, int]):
    """FFV1 cuts pictures into as many slices as their size allows."""
    masks = np.random.default_rng(0).random((2, 1, *size)) < 0.5
    FORMATS["mask-video"].write(result_of(masks, (1,), {}), tmp_path, ExportOptions())
    for frame, planes in zip(FORMATS["mask-video"].read(tmp_path).frames(), masks, strict=True):
        np.testing.assert_array_equal(frame.masks[1].mask, planes[0])


def test_csv_measures_and_starts_no_formula(tmp_path: Path):
    masks = np.zeros((2, 1, 30, 40), bool)
    masks[0, 0, 10:20, 4:8] = True
    FORMATS["csv"].write(result_of(masks, (1,), {1: "=HYPERLINK()"}), tmp_path, ExportOptions())
    with open(tmp_path / "op_1.csv", newline="") as file:
        first, second = csv.DictReader(file)
    assert first["name"] == "'=HYPERLINK()"
    assert [first[k] for k in ("area_px", "centroid_x", "centroid_y")] == ["40", "5.5", "14.5"]
    assert [first[k] for k in ("left", "top", "width", "height")] == ["4", "10", "4", "10"]
    assert (second["area_px"], second["centroid_x"], second["time_s"]) == ("0", "", "0.04")


def test_yolo_polygons_are_shares_of_the_picture(tmp_path: Path):
    FORMATS["yolo-seg"].write(two_squares(), tmp_path, ExportOptions())
    lines = (tmp_path / "labels" / "00000.txt").read_text().splitlines()
    assert len(lines) == 2
    kind, *shares = lines[0].split()
    assert kind == "0"
    assert [float(s) for s in shares[:2]] == pytest.approx([5 / 41, 5 / 30], abs=1e-6)
    assert '0: "grasper"' in (tmp_path / "data.yaml").read_text()
