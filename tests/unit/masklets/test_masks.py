"""Masks as RLE, binary PNG and palette PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from sam2s.errors import InputError
from sam2s.masklets.masks import (
    davis_palette,
    decode_rle,
    encode_rle,
    merge_masks,
    read_binary_mask,
    read_index_mask,
    write_binary_mask,
    write_index_mask,
)
from sam2s.media.pictures import DamagedPicture


def plane(*rows: str) -> np.ndarray:
    return np.array([[c == "#" for c in row] for row in rows])


CORNER = plane("#..", "...")


def test_rle_is_what_coco_writes():
    mask = plane("..#", "###", ".#.", "...")
    rle = encode_rle(mask)
    reference = coco.encode(np.asfortranarray(mask, np.uint8))
    assert rle == {"size": [4, 3], "counts": reference["counts"].decode()}
    assert np.array_equal(decode_rle(reference), mask)  # bytes, as pycocotools gives them


def test_rle_from_a_list_of_runs():
    """Column by column, starting with background: the uncompressed form of COCO's crowd
    annotations."""
    rle = {"size": [2, 3], "counts": [1, 2, 2, 1]}
    assert np.array_equal(decode_rle(rle), plane(".#.", "#.#"))


@pytest.mark.parametrize(
    "rle",
    [
        {},
        {"size": [2, 3]},
        {"size": 6, "counts": [6]},
        {"size": [2], "counts": [2]},
        {"size": [2, 3], "counts": [5]},
        {"size": [2, 3], "counts": [3, -1, 4]},
        {"size": [-2, -3], "counts": [6]},
        {"size": [2, 3], "counts": [[6]]},
        {"size": [2, 3], "counts": "~~"},
        {"size": [2, 3], "counts": "é"},
        {"size": [2, 3], "counts": "o"},
        {"size": [2, 3], "counts": "7"},
        {"size": [2, 3], "counts": "oooooooooooooooooooooooo1"},
        {"size": [1 << 40, 1 << 40], "counts": "6"},
    ],
)
def test_rle_that_is_damaged(rle: dict):
    with pytest.raises(InputError, match="RLE"):
        decode_rle(rle)


def test_rle_needs_a_plane():
    with pytest.raises(InputError, match=r"expected a \(height, width\) array"):
        encode_rle(np.zeros((2, 2, 1), bool))


def test_binary_masks_are_one_bit_pictures(tmp_path: Path):
    path = tmp_path / "m.png"
    write_binary_mask(path, CORNER)
    with Image.open(path) as picture:
        assert (picture.mode, picture.size) == ("1", (3, 2))
    assert np.array_equal(read_binary_mask(path), CORNER)
    write_binary_mask(path, CORNER.astype(np.uint8))
    assert np.array_equal(read_binary_mask(path), CORNER)


@pytest.mark.parametrize(
    "mode", ["grey 255", "grey 1", "palette", "rgb blue", "opaque rgba", "grey alpha", "16 bit"]
)
def test_masks_painted_by_other_programs(mode: str, tmp_path: Path):
    value = CORNER.astype(np.uint8)
    picture = {
        "grey 255": Image.fromarray(value * 255),
        "grey 1": Image.fromarray(value),
        "palette": _palette(value * 3),
        "rgb blue": Image.fromarray(np.dstack([value * 0, value * 0, value * 9])),
        "opaque rgba": Image.fromarray(
            np.dstack([value * 9, value * 0, value * 0, value * 0 + 255])
        ),
        "grey alpha": Image.fromarray(np.dstack([value * 9, value * 0 + 255])),
        "16 bit": Image.fromarray(value.astype(np.uint16) * 300),
    }[mode]
    picture.save(tmp_path / "m.png")
    assert np.array_equal(read_binary_mask(tmp_path / "m.png"), CORNER)


def _palette(ids: np.ndarray) -> Image.Image:
    picture = Image.fromarray(ids)
    picture.putpalette(davis_palette().tobytes())
    return picture


def test_a_mask_file_that_is_no_picture(tmp_path: Path):
    (tmp_path / "m.png").write_bytes(b"nothing")
    with pytest.raises(DamagedPicture, match="not a readable picture"):
        read_binary_mask(tmp_path / "m.png")
    with pytest.raises(InputError, match="no such file"):
        read_binary_mask(tmp_path / "none.png")


def test_index_masks_hold_every_id(tmp_path: Path):
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_index_mask(tmp_path / "i.png", ids)
    back, palette = read_index_mask(tmp_path / "i.png")
    assert palette
    assert back.dtype == np.uint8
    assert np.array_equal(back, ids)


def test_few_ids_still_make_eight_bit_pictures(tmp_path: Path):
    """Pillow packs few colours into fewer bits unless told otherwise; readers of DAVIS expect 8."""
    write_index_mask(tmp_path / "i.png", CORNER.astype(np.uint8))
    assert (tmp_path / "i.png").read_bytes()[24] == 8


def test_the_palette_is_that_of_davis():
    palette = davis_palette()
    assert palette[:9].tolist() == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [0, 0, 128],
        [128, 0, 128],
        [0, 128, 128],
        [128, 128, 128],
        [64, 0, 0],
    ]
    assert palette[255].tolist() == [224, 224, 192]
    assert len(np.unique(palette, axis=0)) == 256


def test_index_masks_in_grey_and_bits(tmp_path: Path):
    Image.fromarray(CORNER.astype(np.uint8) * 4).save(tmp_path / "grey.png")
    Image.fromarray(CORNER).save(tmp_path / "bits.png")
    Image.fromarray(CORNER.astype(np.uint16) * 9).save(tmp_path / "deep.png")
    for name, value in {"grey": 4, "bits": 255, "deep": 9}.items():
        ids, palette = read_index_mask(tmp_path / f"{name}.png")
        assert not palette
        assert ids.dtype == np.uint8
        assert np.array_equal(ids, CORNER * value), name


def test_index_masks_that_cannot_be(tmp_path: Path):
    Image.fromarray(CORNER.astype(np.uint16) * 256).save(tmp_path / "deep.png")
    with pytest.raises(InputError, match="above 255"):
        read_index_mask(tmp_path / "deep.png")
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / "rgb.png")
    with pytest.raises(InputError, match="palette or grey PNG, this one is RGB"):
        read_index_mask(tmp_path / "rgb.png")


def test_merging_puts_larger_ids_on_top():
    masks = {7: plane("##.", "..."), 2: plane(".##", "...")}
    merged, contested = merge_masks(masks)
    assert merged.tolist() == [[7, 7, 2], [0, 0, 0]]
    assert contested == 1


def test_what_cannot_be_merged():
    with pytest.raises(InputError, match="one or more masks"):
        merge_masks({})
    with pytest.raises(InputError, match=r"sizes \[\(2, 3\), \(3, 2\)\]"):
        merge_masks({1: CORNER, 2: CORNER.T})
    with pytest.raises(InputError, match=r"ids \[0, 255\] do not fit"):
        merge_masks({0: CORNER, 255: CORNER, 254: CORNER})
