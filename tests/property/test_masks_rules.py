"""Rules of mask formats: whatever goes in comes out."""

from __future__ import annotations

import io
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from pycocotools import mask as coco

from sam2s.errors import InputError
from sam2s.masklets.masks import (
    decode_rle,
    encode_rle,
    merge_masks,
    read_binary_mask,
    read_index_mask,
    write_binary_mask,
    write_index_mask,
)
from sam2s.media.pictures import natural_key

sides = st.integers(1, 40)
planes = npst.arrays(bool, st.tuples(sides, sides))
long_runs = st.builds(
    lambda width, value, at: np.arange(width * 3).reshape(3, width) // max(1, at) % 2 == value,
    st.integers(1, 4000),
    st.integers(0, 1),
    st.integers(0, 9000),
)
rules = settings(deadline=None, max_examples=150)


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # pycocotools' own, on decoding
@rules
@given(planes | long_runs)
def test_rle_round_trip_and_agreement_with_pycocotools(mask: np.ndarray):
    rle = encode_rle(mask)
    assert np.array_equal(decode_rle(rle), mask)
    assert np.array_equal(
        coco.decode({"size": rle["size"], "counts": rle["counts"].encode()}), mask
    )
    assert coco.area({"size": rle["size"], "counts": rle["counts"].encode()}) == mask.sum()


@rules
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=12))
def test_any_runs_are_read_as_pycocotools_reads_them(runs: list[int]):
    size = [1, sum(runs)]
    packed = coco.frPyObjects({"size": size, "counts": runs}, *size)
    assert np.array_equal(decode_rle({"size": size, "counts": runs}), decode_rle(packed))
    assert np.array_equal(decode_rle(packed)[0], np.repeat(np.arange(len(runs)) % 2 == 1, runs))


@rules
@given(st.text(max_size=30) | st.binary(max_size=30), st.integers(0, 50), st.integers(0, 50))
def test_any_text_gives_a_mask_of_the_stated_size_or_one_error(
    counts: str | bytes, height: int, width: int
):
    try:
        mask = decode_rle({"size": [height, width], "counts": counts})
    except InputError:
        return
    assert mask.shape == (height, width)


@settings(deadline=None, max_examples=60)
@given(planes)
def test_binary_png_round_trip(mask: np.ndarray):
    with tempfile.TemporaryDirectory() as folder:
        write_binary_mask(f"{folder}/m.png", mask)
        assert np.array_equal(read_binary_mask(f"{folder}/m.png"), mask)


@settings(deadline=None, max_examples=60)
@given(npst.arrays(np.uint8, st.tuples(sides, sides)))
def test_index_png_round_trip(ids: np.ndarray):
    file = io.BytesIO()
    write_index_mask(file, ids)  # type: ignore[arg-type]
    back, palette = read_index_mask(io.BytesIO(file.getvalue()))  # type: ignore[arg-type]
    assert palette
    assert np.array_equal(back, ids)


@rules
@given(st.dictionaries(st.integers(1, 254), npst.arrays(bool, (4, 5)), min_size=1, max_size=5))
def test_merged_masks_show_the_largest_id_of_each_pixel(masks: dict[int, np.ndarray]):
    merged, contested = merge_masks(masks)
    for y, x in np.ndindex(4, 5):
        claims = [i for i, mask in masks.items() if mask[y, x]]
        assert merged[y, x] == max(claims, default=0)
    assert contested == (sum(mask.astype(int) for mask in masks.values()) > 1).sum()


@rules
@given(
    st.lists(st.integers(0, 10**6), unique=True),
    st.text("ab_-. ", max_size=3),
    st.text("ab_-.", max_size=3),
)
def test_numbered_names_sort_by_number(numbers: list[int], before: str, after: str):
    names = [f"{before}{number}{after}" for number in numbers]
    assert sorted(names, key=natural_key) == [
        f"{before}{number}{after}" for number in sorted(numbers)
    ]


@rules
@given(st.lists(st.text(max_size=8), unique=True))
def test_no_two_names_share_a_place(names: list[str]):
    assert len({natural_key(name) for name in names}) == len(names)
