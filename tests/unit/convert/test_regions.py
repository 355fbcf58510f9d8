from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from source_trees import box, write

from sam2s.convert.sources import label_masks
from sam2s.convert.sources.file_tree import FileTree, find_folders, trailing_number
from sam2s.convert.sources.regions import components, instruments, widened
from sam2s.errors import InputError
from sam2s.masklets.masks import bounding_window

SIZE = (100, 120)


def line(start: tuple[int, int], end: tuple[int, int], thickness: int = 5) -> np.ndarray:
    """A thick (H, W) bool segment from (y, x) to (y, x)."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    along = np.array(end, float) - start
    place = np.clip(
        ((rows - start[0]) * along[0] + (columns - start[1]) * along[1]) / (along @ along), 0, 1
    )
    return (
        np.hypot(rows - start[0] - place * along[0], columns - start[1] - place * along[1])
        <= thickness / 2
    )


MASKS = st.lists(st.tuples(*(st.integers(0, n) for n in (30, 36, 9, 9))), max_size=6).map(
    lambda boxes: np.logical_or.reduce(
        [box(*b, (40, 48)) for b in boxes] or [np.zeros((40, 48), bool)]
    )
)


@settings(deadline=None, max_examples=60)
@given(MASKS, st.sampled_from([0, 1, 3]))
def test_components_split_a_mask_without_loss(mask: np.ndarray, bridge: int) -> None:
    parts = components(mask, 0.0, bridge)
    assert sum(int(part.sum()) for part in parts) == int(mask.sum())
    np.testing.assert_array_equal(np.logical_or.reduce([*parts, np.zeros_like(mask)]), mask)
    assert [int(p.sum()) for p in parts] == sorted((int(p.sum()) for p in parts), reverse=True)
    count = ndimage.label(mask, np.ones((3, 3)))[1]
    assert len(parts) == count if bridge == 0 else len(parts) <= count


@settings(deadline=None, max_examples=100)
@given(arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))), st.sampled_from([0, 1, 2]))
def test_components_are_those_of_labelling_pixels(mask: np.ndarray, bridge: int) -> None:
    labels, count = ndimage.label(widened(np.pad(mask, bridge), bridge), np.ones((3, 3)))
    inside = np.where(
        mask, labels[bridge : labels.shape[0] - bridge, bridge : labels.shape[1] - bridge], 0
    )
    expected = {(inside == i).tobytes() for i in range(1, count + 1)}
    assert {part.tobytes() for part in components(mask, 0.0, bridge)} == expected


@settings(deadline=None, max_examples=60)
@given(
    arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 3, 7, 50, 255])),
    st.sampled_from([(0, 255), (50,), ()]),
)
def test_code_masks_count_every_other_code(codes: np.ndarray, usual: tuple[int, ...]) -> None:
    masks, rest = label_masks.code_masks(codes, {3: "a", 7: "b"}, usual)
    assert rest == {c: int((codes == c).sum()) for c in (0, 50, 255) if (codes == c).any()}
    assert {label: mask.tobytes() for label, mask in masks.items()} == {
        label: (codes == code).tobytes()
        for code, label in ((3, "a"), (7, "b"))
        if (codes == code).any()
    }


def test_components_drop_specks_and_bridge_gaps() -> None:
    mask = box(0, 0, 10, 10, SIZE) | box(0, 12, 10, 10, SIZE) | box(50, 50, 2, 2, SIZE)
    assert [int(p.sum()) for p in components(mask)] == [100, 100]
    assert [int(p.sum()) for p in components(mask, bridge=1)] == [200]
    assert components(np.zeros(SIZE, bool)) == []
    assert bounding_window(np.zeros(SIZE, bool)) is None


def crossing() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Two tools from the left and right border whose jaws overlap."""
    left = {
        "shaft": line((90, 5), (60, 40)),
        "wrist": line((57, 43), (52, 48)),
        "clasper": line((49, 51), (40, 62)),
    }
    right = {
        "shaft": line((90, 115), (60, 80)),
        "wrist": line((57, 77), (52, 72)),
        "clasper": line((49, 69), (40, 58)),
    }
    parts = {name: left[name] | right[name] for name in left}
    return (
        parts,
        np.logical_or.reduce(list(left.values())),
        np.logical_or.reduce(list(right.values())),
    )


def test_crossing_tools_are_split_by_their_shafts() -> None:
    parts, left, right = crossing()
    tools = instruments(parts)
    assert len(tools) == 2
    for tool in tools:
        assert max((tool & whole).sum() / (tool | whole).sum() for whole in (left, right)) > 0.8
    assert not (tools[0] & tools[1]).any()


def test_a_shaft_in_two_pieces_is_one_tool() -> None:
    parts, _, _ = crossing()
    one = {
        "shaft": line((90, 5), (75, 22)) | line((60, 40), (66, 33)),
        "wrist": line((57, 43), (52, 48)),
        "clasper": line((72, 26), (68, 30)) | line((49, 51), (40, 62)),
    }
    assert len(instruments(one)) == 1
    assert len(instruments({"shaft": parts["shaft"]})) == 2
    assert instruments({}) == []
    assert instruments({"shaft": np.zeros(SIZE, bool)}) == []


def test_codes_come_from_the_first_channel_or_the_palettes_indices(tmp_path: Path) -> None:
    from PIL import Image

    ids = np.array([[0, 3], [7, 0]], dtype=np.uint8)
    write(tmp_path / "rgb.png", np.stack([ids, ids + 1, ids + 2], axis=-1))
    palette = Image.fromarray(ids).convert("P")
    palette = Image.fromarray(ids, mode=None)
    palette.putpalette([9] * 768)
    palette.save(tmp_path / "palette.png")
    write(tmp_path / "wide.png", ids.astype(np.uint16))
    write(tmp_path / "one.png", ids > 0)
    for name in ("rgb", "palette", "wide"):
        np.testing.assert_array_equal(label_masks.read_codes(tmp_path / f"{name}.png"), ids)
    np.testing.assert_array_equal(label_masks.read_codes(tmp_path / "one.png"), ids > 0)
    write(tmp_path / "large.png", ids.astype(np.uint16) * 100)
    with pytest.raises(InputError, match="expected class codes from 0 to 255, found 700"):
        label_masks.read_codes(tmp_path / "large.png")


def test_threshold_reads_ones_exactly_but_not_in_jpeg(tmp_path: Path) -> None:
    ones = box(4, 4, 8, 8).astype(np.uint8)
    write(tmp_path / "a.png", ones)
    write(tmp_path / "a.jpg", ones)
    assert label_masks.read_threshold(tmp_path / "a.png").sum() == 64
    assert not label_masks.read_threshold(tmp_path / "a.jpg").any()


def test_colours_codes_and_strays() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0]], [[1, 2, 3], [255, 0, 0]]], dtype=np.uint8)
    codes, strays = label_masks.colour_codes(pixels, [(0, 255, 0), (255, 0, 0)])
    np.testing.assert_array_equal(codes, [[1, 0], [255, 1]])
    assert strays == {(1, 2, 3): 1}
    masks, rest = label_masks.code_masks(codes, {0: "a", 1: "a"})
    assert int(masks["a"].sum()) == 3
    assert rest == {255: 1}


def test_polygons_and_coco() -> None:
    square = [[2, 2], [9, 2], [9, 9], [2, 9]]
    np.testing.assert_array_equal(
        label_masks.draw_polygons([square, [[1, 1], [2, 2]]], (32, 40)), box(2, 2, 8, 8)
    )
    flat = [float(v) for point in square for v in point]
    found = label_masks.decode_coco([flat, [1, 1, 2, 2]], (32, 40), "x")
    assert abs(int(found.sum()) - 49) <= 15
    assert not label_masks.decode_coco([], (32, 40), "x").any()
    runs = {"size": [2, 2], "counts": [1, 2, 1]}
    np.testing.assert_array_equal(
        label_masks.decode_coco(runs, (2, 2), "x"), [[False, True], [True, False]]
    )
    for wrong in ({"size": [2, 2]}, [["a"] * 6], 5):
        with pytest.raises(InputError, match="picture 7: expected a COCO segmentation"):
            label_masks.decode_coco(wrong, (2, 2), "picture 7")


@settings(deadline=None, max_examples=30)
@given(MASKS, st.integers(1, 4))
def test_nearest_resizing_is_undone_by_taking_every_nth(mask: np.ndarray, factor: int) -> None:
    large = label_masks.resize_nearest(mask, (mask.shape[0] * factor, mask.shape[1] * factor))
    np.testing.assert_array_equal(large[::factor, ::factor], mask)


def test_tree_leaves_out_junk_and_counts_empty_files(tmp_path: Path) -> None:
    from sam2s.convert.sources.cvc_clinicdb import INFO

    for name in (
        "a/img2.png",
        "a/img10.png",
        "a/._img2.png",
        "__MACOSX/a/img2.png",
        "b/Thumbs.db",
        "skipme/img3.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "a/img4.png").touch()
    tree = FileTree(INFO, tmp_path, skip="skip.*")
    assert tree.paths == ["a/img2.png", "a/img10.png"]
    assert [m["n"] for m, _ in tree.match(r"img(?P<n>\d+)\.PNG")] == ["2", "10"]
    assert tree.match(r"mg(?P<n>\d+)\.png") == []
    assert "1 files of zero bytes such as a/img4.png" in str(tree.unlike())
    assert find_folders(tmp_path, "a|b") == [tmp_path / "a", tmp_path / "b"]
    assert trailing_number("100H0050") == 50
    assert trailing_number("x") is None
